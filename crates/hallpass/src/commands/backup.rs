//! `hallpass backup` and `hallpass restore`.

use std::path::Path;

use hallpass_authorization_server::{BackupError, Restoring, Store};

use super::Place;
use super::when::counted;
use crate::cli;
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;

/// Copies the database.
pub(crate) async fn backup(file: &Path, place: &Place) -> Result<(), Failure> {
    let data = place.existing_data()?;
    data.store().await?.backup(file).await?;
    say!("The database is copied to {}.", file.display());
    say!(
        "The master key is not in it: keep {} too, in another place. Without it the copy is of no use, and both together open everything.",
        data.master_key_in_words()
    );
    Ok(())
}

/// Puts a copy back.
pub(crate) async fn restore(args: cli::Restore, place: &Place) -> Result<(), Failure> {
    let data = place.data_with_key()?;
    let key = data.key().await?;
    let how = Restoring { replace: args.replace, keep_grants: args.keep_grants };
    let restored = Store::restore(&args.file, &data.database_file()?, key, system_clock(), how).await;
    let ended = restored.map_err(|error| match error {
        BackupError::OtherKey { .. } => Failure::configuration(error),
        other => other.into(),
    })?;
    say!("The database is what it was when {} was made.", args.file.display());
    match args.keep_grants {
        true => say!("Its sessions and grants live, those too that have been revoked since."),
        false => say!("Sessions have ended, and {}: everybody has to log in again.", counted(ended, "grant")),
    }
    Ok(())
}
