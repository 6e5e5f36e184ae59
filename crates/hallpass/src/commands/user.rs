//! `hallpass user`.

use anyhow::anyhow;
use hallpass_authorization_server::Users;

use super::when::when;
use super::{Place, prompt, table};
use crate::cli::{self, Format};
use crate::data::system_clock;
use crate::exit::Failure;

/// Runs the command.
pub(crate) async fn run(command: cli::User, place: &Place) -> Result<(), Failure> {
    let data = place.data()?;
    match command {
        cli::User::Add { name, password_stdin } => {
            let password = match password_stdin {
                true => prompt::from_stdin("password")?,
                false => prompt::new_password()?,
            };
            users(&data).await?.add(&name, password).await?;
            anstream::println!("{name} may log in.");
        }
        cli::User::List(listing) => list(&users(&data).await?, listing.format()).await?,
        cli::User::Disable { name } => {
            found(users(&data).await?.disable(&name).await?, &name)?;
            anstream::println!("{name} may no longer log in; sessions and tokens have ended.");
        }
        cli::User::Remove { name } => {
            found(users(&data).await?.remove(&name).await?, &name)?;
            anstream::println!("{name} is removed, with sessions, consents and tokens.");
        }
    }
    Ok(())
}

async fn users(data: &crate::data::DataFolder) -> Result<Users, Failure> {
    Ok(data.store().await?.users())
}

fn found(found: bool, name: &str) -> Result<(), Failure> {
    match found {
        true => Ok(()),
        false => Err(anyhow!("there is no user {name}; `hallpass user list` shows who there is").into()),
    }
}

async fn list(users: &Users, format: Format) -> Result<(), Failure> {
    let users = users.list().await?;
    if format == Format::Json {
        let users: Vec<_> = users
            .iter()
            .map(|user| {
                serde_json::json!({
                    "id": user.id,
                    "name": user.name,
                    "created_at": user.created_at.unix(),
                    "disabled_at": user.disabled_at.map(|at| at.unix()),
                })
            })
            .collect();
        anstream::println!("{}", serde_json::to_string_pretty(&users)?);
        return Ok(());
    }
    if users.is_empty() {
        anstream::println!("No users yet; `hallpass user add NAME` adds one.");
        return Ok(());
    }
    let now = system_clock().now();
    let rows: Vec<_> = users
        .into_iter()
        .map(|user| {
            let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
            [user.name, state.to_owned(), when(user.created_at, now), user.id]
        })
        .collect();
    table::print(["NAME", "STATE", "ADDED", "SUBJECT"], &rows);
    Ok(())
}
