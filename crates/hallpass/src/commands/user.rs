//! `hallpass user`.

use anyhow::anyhow;
use hallpass_authorization_server::Users;
use hallpass_protocol::Secret;

use super::when::when;
use super::{Place, of_use, prompt, table};
use crate::cli::{self, Format};
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::{note, say};

/// Runs the command.
pub(crate) async fn run(command: cli::User, place: &Place) -> Result<(), Failure> {
    let data = match &command {
        cli::User::Add { .. } => None,
        _ => Some(place.existing_data()?),
    };
    let users = async || match &data {
        Some(data) => users(data).await,
        None => users(&place.data_to_add_to()?).await,
    };
    match command {
        cli::User::Add { name, password_stdin, link, admin } => {
            of_use::here(place, "a user")?;
            // Before a folder is made: without a password nothing happens.
            let password = if link { None } else { Some(password(password_stdin)?) };
            let users = users().await?;
            // Before anything is done: a user without a password and without a link is of no use.
            if link {
                users.check_links().await?;
            }
            match password {
                Some(password) => users.add(&name, password).await?,
                None => users.add_without_password(&name).await?,
            };
            if admin {
                users.set_admin(&name, true).await?;
            }
            match link {
                true => print_link(&users, &name).await?,
                false => say!("{name} may log in."),
            }
        }
        cli::User::Link { name } => {
            let users = users().await?;
            found(users.knows(&name).await?, &name)?;
            print_link(&users, &name).await?;
        }
        cli::User::Passwd { name, password_stdin } => {
            let users = users().await?;
            found(users.knows(&name).await?, &name)?;
            users.set_password(&name, password(password_stdin)?).await?;
            say!("{name} has a new password; sessions have ended.");
        }
        cli::User::Admin { name, revoke } => {
            found(users().await?.set_admin(&name, !revoke).await?, &name)?;
            match revoke {
                true => say!("{name} no longer runs this server."),
                false => say!("{name} runs this server: /admin shows how."),
            }
        }
        cli::User::Totp(cli::Totp::Reset { name }) => {
            let users = users().await?;
            found(users.knows(&name).await?, &name)?;
            match users.reset_second_factor(&name).await? {
                true => say!("{name} is asked for no one-time code any more."),
                false => return Err(anyhow!("there is no user {name} with one-time codes").into()),
            }
        }
        cli::User::Enable { name } => {
            let users = users().await?;
            found(users.enable(&name).await?, &name)?;
            match users.is_deactivated(&name).await? {
                false => say!("{name} may log in again; apps have to be connected anew."),
                true => say!(
                    "{name} is no longer disabled here, and still may not log in: the identity provider says that {name} is \
                     not active (SCIM)."
                ),
            }
        }
        cli::User::List(listing) => list(&users().await?, listing.format()).await?,
        cli::User::Disable { name } => {
            found(users().await?.disable(&name).await?, &name)?;
            say!("{name} may no longer log in; sessions and tokens have ended.");
        }
        cli::User::Remove { name } => {
            found(users().await?.remove(&name).await?, &name)?;
            say!("{name} is removed, with sessions, consents and tokens.");
        }
    }
    Ok(())
}

fn password(from_stdin: bool) -> anyhow::Result<Secret> {
    match from_stdin {
        true => prompt::from_stdin("password"),
        false => prompt::new_password(),
    }
}

/// The link goes to standard output alone, so that it can be piped to where it is handed over.
async fn print_link(users: &Users, name: &str) -> Result<(), Failure> {
    let link = users.link(name).await?;
    note(format_args!("{name} sets a password here, once, within a day:"));
    say!("{link}");
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
                    "admin": user.admin,
                    "one_time_codes": user.second_factor,
                    "passkeys": user.passkeys,
                    "disabled_at": user.disabled_at.map(|at| at.unix()),
                    "deactivated_at": user.deactivated_at.map(|at| at.unix()),
                })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&users)?);
        return Ok(());
    }
    if users.is_empty() {
        say!("No users yet; `hallpass user add NAME` adds one.");
        return Ok(());
    }
    let now = system_clock().now();
    let rows: Vec<_> = users
        .into_iter()
        .map(|user| {
            let state = match user.disabled_at {
                Some(_) if user.deactivated_at.is_some() => "deactivated (SCIM)",
                Some(_) => "disabled",
                None if user.admin => "active, admin",
                None => "active",
            };
            [user.name, state.to_owned(), when(user.created_at, now), user.id]
        })
        .collect();
    table::print(["NAME", "STATE", "ADDED", "SUBJECT"], &rows)?;
    Ok(())
}
