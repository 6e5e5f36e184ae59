//! `hallpass key`.

use anyhow::{anyhow, ensure};
use hallpass_protocol::Secret;
use hallpass_resource_server::Account;
use hallpass_resource_server::accounts::{Shows, hash_password, new_key};

use super::when::when;
use super::which::which;
use super::{Place, known, prompt, table};
use crate::accounts::{Kept, ServiceAccounts};
use crate::cli::{self, Format, How};
use crate::config::DigestName;
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::{note, say};
use crate::serve::credentials::algorithms;

/// Runs the command.
pub(crate) async fn run(command: cli::Key, place: &Place) -> Result<(), Failure> {
    // Where the configuration has no tenants, the word is the key's own: what its claim `tenant` would be.
    let says_claim = matches!(command, cli::Key::Add { .. }) && place.config()?.tenants.is_empty();
    let (claim, outside) = (place.tenant.clone().filter(|_| says_claim), place.outside());
    let place = if says_claim { &outside } else { place };
    let data = match &command {
        cli::Key::Add { .. } => place.data_to_add_to()?,
        _ => place.existing_data()?,
    };
    let accounts = ServiceAccounts::new(data.store().await?);
    match command {
        cli::Key::Add { name, server, how, scope, expires, password_stdin } => {
            check_name(&name)?;
            let server = server_of(place, server, how)?;
            let scopes = known::scopes(place, server.as_deref(), &scope)?;
            let (secret, shows) = match how {
                How::Key => new_key(),
                How::Basic => {
                    let password = password(password_stdin)?;
                    let shows =
                        hash_password(&password).map_err(|error| anyhow!("no hash can be made: {error}"))?;
                    (password, shows)
                }
                How::Digest => digest(&name, password(password_stdin)?, place, server.as_deref())?,
            };
            let now = system_clock().now();
            let account = Account {
                id: format!("{:032x}", rand::random::<u128>()),
                name: name.clone(),
                scopes,
                tenant: claim,
                created: now,
                expires: expires.map(|span| now.after(span.0)),
                shows,
            };
            if !accounts.add(&Kept { server, account }).await? {
                return Err(anyhow!("there is {name} already; revoke it first, or take another name").into());
            }
            if scope.is_empty() {
                note(format_args!(
                    "{name} has no scope: it may do only what asks for none. --scope gives it some."
                ));
            }
            if how == How::Key {
                note(format_args!(
                    "The key of {name}, shown this once; a server that runs takes it up within a second:"
                ));
                say!("{}", secret.expose());
            } else {
                say!("{name} may call with that password.");
            }
        }
        cli::Key::List(listing) => list(&accounts, listing.format()).await?,
        cli::Key::Revoke { name } => {
            if !accounts.remove(&name).await? {
                return Err(anyhow!("there is no {name}; `hallpass key list` shows what there is").into());
            }
            say!("{name} is refused from now on.");
        }
    }
    Ok(())
}

/// The server that it is good at, by its name in the file: of several, the one that is named. One that would not look at it is
/// told.
fn server_of(place: &Place, named: Option<String>, how: How) -> Result<Option<String>, Failure> {
    if place.config.is_none() {
        return Ok(named);
    }
    let config = place.config()?;
    let one = which(&place.house(&config)?, named.as_deref())?;
    let said = &one.server.credentials;
    let (is_taken, what, setting) = match how {
        How::Key => (said.api_keys, "API keys", "api_keys = true"),
        How::Basic => (said.basic, "passwords", "basic = true"),
        How::Digest => (!said.digest.is_empty(), "proofs of passwords", "digest = [\"SHA-256\"]"),
    };
    if !is_taken {
        let title = one.section.title();
        return Err(Failure::Usage(anyhow!(
            "the server takes no {what}, so this one would open nothing: say {setting} in [{title}.credentials] first"
        )));
    }
    Ok(one.section.name().map(ToString::to_string))
}

/// It is a user name (RFC 7617 §2), and is told to upstream.
fn check_name(name: &str) -> anyhow::Result<()> {
    let fits = !name.is_empty() && name.len() <= 128 && !name.contains([':', '"', '\\']);
    ensure!(
        fits && !name.chars().any(hallpass_protocol::is_deceptive),
        "a name has 1 to 128 characters, without : \" and \\"
    );
    Ok(())
}

fn password(from_stdin: bool) -> anyhow::Result<Secret> {
    if from_stdin {
        return prompt::machine_secret("password");
    }
    let password = prompt::new_password()?;
    prompt::check_machine_secret("password", &password)?;
    Ok(password)
}

/// For Digest a password is hashed with the realm (RFC 7616 §3.4.2), so the realm must be known.
fn digest(
    name: &str,
    password: Secret,
    place: &Place,
    server: Option<&str>,
) -> Result<(Secret, Shows), Failure> {
    let config = place
        .config()
        .map_err(|_| anyhow!("the configuration can't be read; `hallpass config check` says why"))?;
    let one = which(&place.house(&config)?, server)?;
    let said = &one.server.credentials;
    let realm = said.realm.clone().or_else(|| config.endpoint(&one)).ok_or_else(|| {
        let title = one.section.title();
        anyhow!("Digest needs a realm: set {title}.credentials.realm or public_url, and name the file with --config")
    })?;
    let usual = [DigestName::Sha256, DigestName::Sha512Trunc256];
    let names = if said.digest.is_empty() { &usual[..] } else { &said.digest };
    let shows = Shows::digest(name, &realm, &password, &algorithms(names));
    Ok((password, shows))
}

async fn list(accounts: &ServiceAccounts, format: Format) -> Result<(), Failure> {
    let accounts = accounts.read().await?;
    if format == Format::Json {
        let accounts: Vec<_> = accounts
            .iter()
            .map(|Kept { server, account }| {
                serde_json::json!({
                    "server": server, "id": account.id, "name": account.name, "shows": format!("{:?}", account.shows).to_lowercase(),
                    "scopes": account.scopes, "tenant": account.tenant,
                    "created_at": account.created.unix(), "expires_at": account.expires.map(|at| at.unix()),
                })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&accounts)?);
        return Ok(());
    }
    if accounts.is_empty() {
        say!("None yet; `hallpass key add NAME` adds one.");
        return Ok(());
    }
    let now = system_clock().now();
    let rows: Vec<_> = accounts
        .into_iter()
        .map(|Kept { server, account }| {
            let ends = account.expires.map_or_else(|| "never".to_owned(), |at| when(at, now));
            let shows = format!("{:?}", account.shows).to_lowercase();
            let tenant = account.tenant.unwrap_or_default();
            let added = when(account.created, now);
            [
                account.name,
                server.unwrap_or_default(),
                shows,
                account.scopes.to_string(),
                tenant,
                added,
                ends,
                account.id,
            ]
        })
        .collect();
    table::print(["NAME", "SERVER", "SHOWS", "SCOPES", "TENANT", "ADDED", "ENDS", "CLIENT"], &rows)?;
    Ok(())
}
