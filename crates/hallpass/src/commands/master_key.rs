//! `hallpass master-key`.

use anyhow::anyhow;
use hallpass_authorization_server::{MasterKey, Store};

use super::Place;
use super::when::counted;
use crate::cli;
use crate::data::DataFolder;
use crate::exit::Failure;
use crate::say::say;

/// Runs the command. The databases of all tenants are sealed under what is derived from the one key.
pub(crate) async fn run(command: cli::MasterKey, place: &Place) -> Result<(), Failure> {
    let data = place.existing_data_of_all()?;
    match command {
        cli::MasterKey::Rotate => rotate(&data).await,
        cli::MasterKey::ForgetFormer => forget_former(&data, &place.unnamed_tenants()?).await,
    }
}

async fn stores(data: &[DataFolder]) -> Result<Vec<Store>, Failure> {
    let mut stores = Vec::new();
    for one in data {
        stores.push(one.store().await?);
    }
    Ok(stores)
}

async fn sealed_under_former_keys(stores: &[Store]) -> Result<u64, Failure> {
    let mut sealed = 0;
    for store in stores {
        sealed += store.sealed_under_former_keys().await?;
    }
    Ok(sealed)
}

/// A rotation that was interrupted is finished first; only then would another key be of use.
async fn rotate(data: &[DataFolder]) -> Result<(), Failure> {
    let Some(folder) = data.first() else { return Ok(()) };
    let mut all = stores(data).await?;
    if sealed_under_former_keys(&all).await? == 0 {
        let Some(file) = folder.master_key() else { return Err(not_ours(folder)) };
        MasterKey::add(&file).map_err(Failure::configuration)?;
        all = stores(data).await?;
    }
    let mut resealed = 0;
    for store in &all {
        resealed += store.reseal().await?;
    }
    let are = if resealed == 1 { "is" } else { "are" };
    say!("A new master key is in use; {} {are} sealed under it anew.", counted(resealed, "value"));
    let Some(file) = folder.master_key() else {
        say!(
            "The former key is of use for backups alone from now on, once every server has been started with both."
        );
        return Ok(());
    };
    say!(
        "The former key stands behind it in {}: copy the file to every machine that runs hallpass on this database. When no backup needs the former key any more, `hallpass master-key forget-former` drops it.",
        file.display()
    );
    Ok(())
}

/// hallpass writes no key into an environment or a vault.
fn not_ours(folder: &DataFolder) -> Failure {
    Failure::Configuration(anyhow!(
        "nothing is sealed under a former key, and hallpass writes no key to where this one is ({}): put what `head -c 32 \
         /dev/urandom | base64` prints on a line before it, start every server anew, and run this again",
        folder.master_key_in_words()
    ))
}

async fn forget_former(data: &[DataFolder], unnamed: &[String]) -> Result<(), Failure> {
    let Some(folder) = data.first() else { return Ok(()) };
    let all = stores(data).await?;
    let left = sealed_under_former_keys(&all).await?;
    if left > 0 {
        return Err(anyhow!(
            "{} in the database need a former key: run `hallpass master-key rotate` first",
            counted(left, "value")
        )
        .into());
    }
    if !unnamed.is_empty() {
        return Err(anyhow!(
            "the data folder holds databases of tenants that the configuration does not name ({}), and they may need a former \
             key: give --config FILE with them and rotate, or remove their folders",
            unnamed.join(", ")
        )
        .into());
    }
    let Some(file) = folder.master_key() else {
        let place = folder.master_key_in_words();
        say!("Nothing needs a former key: take all lines but the first out of {place}.");
        return Ok(());
    };
    let gone = MasterKey::forget_former(&file).map_err(Failure::configuration)?;
    if gone > 0 {
        for store in &all {
            store.forgot_master_keys(gone).await;
        }
    }
    match gone {
        0 => say!("There was one master key only."),
        1 => say!("The former master key is gone."),
        more => say!("{more} former master keys are gone."),
    }
    Ok(())
}
