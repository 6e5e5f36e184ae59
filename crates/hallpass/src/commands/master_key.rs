//! `hallpass master-key`.

use anyhow::anyhow;
use hallpass_authorization_server::MasterKey;

use super::Place;
use super::when::counted;
use crate::cli;
use crate::data::DataFolder;
use crate::exit::Failure;
use crate::say::say;

/// Runs the command.
pub(crate) async fn run(command: cli::MasterKey, place: &Place) -> Result<(), Failure> {
    let data = place.existing_data()?;
    match command {
        cli::MasterKey::Rotate => rotate(&data).await,
        cli::MasterKey::ForgetFormer => forget_former(&data).await,
    }
}

/// A rotation that was interrupted is finished first; only then would another key be of use.
async fn rotate(data: &DataFolder) -> Result<(), Failure> {
    let mut store = data.store().await?;
    if store.sealed_under_former_keys().await? == 0 {
        MasterKey::add(&data.master_key()).map_err(Failure::configuration)?;
        store = data.store().await?;
    }
    let resealed = store.reseal().await?;
    let are = if resealed == 1 { "is" } else { "are" };
    say!("A new master key is in use; {} {are} sealed under it anew.", counted(resealed, "value"));
    say!(
        "The former key stands behind it in {}: copy the file to every machine that runs hallpass on this database. When no backup needs the former key any more, `hallpass master-key forget-former` drops it.",
        data.master_key().display()
    );
    Ok(())
}

async fn forget_former(data: &DataFolder) -> Result<(), Failure> {
    let store = data.store().await?;
    let left = store.sealed_under_former_keys().await?;
    if left > 0 {
        return Err(anyhow!(
            "{} in the database need a former key: run `hallpass master-key rotate` first",
            counted(left, "value")
        )
        .into());
    }
    let gone = MasterKey::forget_former(&data.master_key()).map_err(Failure::configuration)?;
    if gone > 0 {
        store.forgot_master_keys(gone).await;
    }
    match gone {
        0 => say!("There was one master key only."),
        1 => say!("The former master key is gone."),
        more => say!("{more} former master keys are gone."),
    }
    Ok(())
}
