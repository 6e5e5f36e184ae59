//! `hallpass backup` and `hallpass restore`.

use std::path::Path;

use hallpass_authorization_server::Store;

use super::Place;
use crate::cli;
use crate::exit::Failure;
use crate::say::say;

/// Copies the database.
pub(crate) async fn backup(file: &Path, place: &Place) -> Result<(), Failure> {
    let data = place.existing_data()?;
    data.store().await?.backup(file).await?;
    say!("The database is copied to {}.", file.display());
    say!(
        "The master key is not in it: keep {} too, in another place. Without it the copy is of no use, and both together open everything.",
        data.master_key().display()
    );
    Ok(())
}

/// Puts a copy back.
pub(crate) async fn restore(args: cli::Restore, place: &Place) -> Result<(), Failure> {
    let data = place.data()?;
    Store::restore(&args.file, &data.database_file()?, args.replace).await?;
    // Opened with the master key, so that a copy that it does not fit is noticed now.
    let store = data.store().await?;
    say!("The database is what it was when {} was made.", args.file.display());
    if args.keep_grants {
        say!("Its sessions and grants live, those too that have been revoked since.");
    } else {
        let ended = store.end_all_grants().await?;
        say!("Sessions have ended, and {ended} grants: everybody has to log in again.");
    }
    Ok(())
}
