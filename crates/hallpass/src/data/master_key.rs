//! The master key, from wherever the configuration says.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow};
use hallpass_authorization_server::{MasterKey, MasterKeyError};
use hallpass_protocol::Secret;
use tokio::process::Command;

use super::MASTER_KEY;
use crate::config::{self, KeyPlace};
use crate::exit::Failure;

/// How long a command may take to say it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether it is where the configuration says, for who only looks: none is made, and a command is run only if `asks`.
pub(crate) async fn check(said: &config::MasterKey, asks: bool) -> Result<(), Failure> {
    match said.place().map_err(Failure::configuration)? {
        KeyPlace::Folder => Ok(()),
        KeyPlace::Command(..) if !asks => Ok(()),
        place => load(place, Path::new(""), false).await.map(drop),
    }
}

/// Reads it. Only the one in the data folder is made where it is missing, and only for whoever may make it.
pub(super) async fn load(place: KeyPlace<'_>, folder: &Path, makes: bool) -> Result<MasterKey, Failure> {
    let text = match place {
        KeyPlace::Folder if makes => {
            return MasterKey::load_or_create(&folder.join(MASTER_KEY)).map_err(Failure::configuration);
        }
        KeyPlace::Folder => return MasterKey::load(&folder.join(MASTER_KEY)).map_err(Failure::configuration),
        KeyPlace::File(path) => return of_file(path),
        KeyPlace::Environment(variable) => of_environment(variable),
        KeyPlace::Command(program, arguments) => of_command(program, arguments).await,
    };
    let text = text.map_err(Failure::Configuration)?;
    let said = match place {
        KeyPlace::Environment(variable) => format!("master_key.environment, {variable}"),
        _ => "master_key.command".to_owned(),
    };
    MasterKey::from_text(&text).context(said).map_err(Failure::Configuration)
}

/// hallpass makes none there: whoever named the place looks after it.
fn of_file(path: &Path) -> Result<MasterKey, Failure> {
    MasterKey::load(path).map_err(|fault| match &fault {
        MasterKeyError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            let path = path.display();
            Failure::Configuration(anyhow!(
                "there is no {path}, which master_key.file names: put the key there that belongs to the database; for a new one run \
                 `(umask 077; head -c 32 /dev/urandom > {path})`"
            ))
        }
        _ => Failure::configuration(fault),
    })
}

fn of_environment(variable: &str) -> anyhow::Result<Secret> {
    // Not the error itself: for text that is not Unicode it holds the value.
    let value = std::env::var(variable);
    value.map(Secret::new).map_err(|_| {
        anyhow!("the variable {variable} of master_key.environment is not set, or is no text; it holds the master key")
    })
}

/// What it prints is a secret, in a failure too; what it says on standard error is for people, and theirs.
async fn of_command(program: &str, arguments: &[String]) -> anyhow::Result<Secret> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;
    let ended = ended.map_err(|_| {
        anyhow!(
            "master_key.command: {program} said nothing for {} seconds, and was ended",
            PATIENCE.as_secs()
        )
    })?;
    let output = ended.with_context(|| format!("master_key.command: {program} cannot be run"))?;
    if !output.status.success() {
        return Err(anyhow!(
            "master_key.command: {program} failed ({}); run it by hand to see why",
            output.status
        ));
    }
    let text = String::from_utf8(output.stdout);
    text.map(Secret::new).map_err(|_| anyhow!("master_key.command: what {program} prints is no text"))
}
