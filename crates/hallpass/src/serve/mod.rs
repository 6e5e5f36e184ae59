//! `hallpass serve`.

mod audited;
mod authorization_server;
mod banner;
mod cedar;
pub(crate) mod credentials;
mod delegation;
mod edge;
mod elsewhere;
mod external;
mod foundation;
mod front_page;
pub(crate) mod issuers;
mod listeners;
mod monitoring;
mod not_here;
pub(crate) mod plan;
mod plan_error;
mod program;
mod protected;
mod public_client;
mod renewal;
mod replicas;
pub(crate) mod scopes;
mod server_plan;
mod signed_metadata;
mod stated;
mod systemd;
mod told;
mod upstream;
mod wiring;

use std::sync::Arc;

use hallpass_authorization_server::Store;
use hallpass_protocol::Secret;
use rand::RngExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::cli;
use crate::commands::Place;
use crate::config::Database;
use crate::data::DataFolder;
use crate::exit::Failure;
use banner::{Banner, Shown};
use foundation::Foundation;
use monitoring::{Counted, Monitoring};
use plan::Plan;
use renewal::Renewal;
use server_plan::ServerPlan;
use upstream::Upstream;

/// The user that `--demo` makes.
const DEMO_USER: &str = "demo";

/// Protects a server until it is told to stop.
pub(crate) async fn run(args: cli::Serve, place: &Place) -> Result<(), Failure> {
    let plan = Plan::new(args, place.config()?).map_err(Failure::configuration)?;
    let demo = plan.servers.iter().any(|server| matches!(server.upstream, Upstream::Demo));
    // Kept until the end: dropping it removes the folder.
    let temporary = if demo { Some(crate::data::temporary()?) } else { None };
    let data = match &temporary {
        Some(folder) => {
            // A demo leaves nothing behind, wherever the configuration keeps its data.
            DataFolder::open(Some(folder.path()), Database::default()).map_err(Failure::configuration)?
        }
        None => place.data()?,
    };
    let listeners = listeners::bind(&plan.listen).await?;
    let asked = match &plan.monitoring {
        Some(address) => listeners::bind(address).await?,
        None => Vec::new(),
    };
    let edge = plan.edge.begin()?;
    let stop = CancellationToken::new();
    let store = data.store().await?;
    let audited = Arc::clone(&edge.audited);
    store.audit_log().tell(move |event| audited.hear(event));
    // Before the authorization server starts, which would offer to make a first user.
    let password = if demo { Some(add_demo_user(&store).await?) } else { None };
    for server in plan.embedded() {
        public_client::check(&store, server).await?;
    }
    let watched = store.clone();
    let mut beneath = Foundation::lay(&plan, store, &listeners, stop.clone()).await?;
    let wired = wiring::wire(&plan, &mut beneath).await?;

    let renew = plan.tls_files.clone().zip(plan.tls.clone()).map(|(files, serves)| {
        let asked = Arc::new(Notify::new());
        tokio::spawn(Renewal::new(files, serves).follow(Arc::clone(&asked), stop.clone()));
        asked
    });
    heed_signals(stop.clone(), renew)?;
    let counted = Counted::of(&edge, &plan.edge);
    let monitoring = Monitoring::start(asked, watched, counted, stop.clone());
    let setup = wired.setup_link();
    let shown = |(server, endpoint)| shown(server, endpoint);
    Banner {
        servers: plan.servers.iter().zip(wired.endpoints()).map(shown).collect(),
        demo_user: password.as_ref().map(|password| (DEMO_USER, password)),
        setup: setup.as_ref(),
        unnamed: plan.public_url.is_none() && !plan.listen.is_loopback(),
    }
    .print();

    systemd::ready();
    let left = stop.clone();
    tokio::spawn(async move {
        left.cancelled().await;
        systemd::stopping();
    });
    let served = wired.serve(listeners, plan.tls, edge.edge.clone(), stop).await;
    monitoring.end().await;
    edge.end().await;
    served
}

fn shown<'a>(server: &'a ServerPlan, endpoint: &'a str) -> Shown<'a> {
    Shown {
        key: server.key.as_ref().map(|key| key.as_str()),
        endpoint,
        name: server.name.as_deref(),
        upstream: server.upstream.to_string(),
    }
}

/// Makes the demo's user, with a password that nobody can guess.
async fn add_demo_user(store: &Store) -> Result<Secret, Failure> {
    let password = readable_password();
    store.users().add(DEMO_USER, password.clone()).await?;
    store.users().set_admin(DEMO_USER, true).await?;
    Ok(password)
}

/// Four groups of four letters and digits that can't be mistaken for each other: 78 bits.
fn readable_password() -> Secret {
    const LETTERS: [char; 30] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w',
        'x', 'y', 'z', '2', '3', '4', '5', '7', '8', '9',
    ];
    let mut random = rand::rng();
    let groups: [String; 4] =
        std::array::from_fn(|_| (0..4).map(|_| LETTERS[random.random_range(..LETTERS.len())]).collect());
    Secret::new(groups.join("-"))
}

/// Ctrl-C and SIGTERM end the program in good order. Listened for from here on: whoever reads that hallpass is
/// ready may end it at once. SIGHUP renews the certificate, where there is one; where it means that the terminal was closed
/// it ends the program: the demo's folder must not stay behind.
fn heed_signals(stop: CancellationToken, renew: Option<Arc<Notify>>) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let mut hung_up = signal(SignalKind::hangup())?;
        let had_terminal = has_terminal();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupted.recv() => break,
                    _ = terminated.recv() => break,
                    _ = hung_up.recv() => {
                        if had_terminal && !has_terminal() {
                            break;
                        }
                        if let Some(renew) = &renew {
                            renew.notify_one();
                        }
                    }
                }
            }
            stop.cancel();
        });
    }
    #[cfg(not(unix))]
    drop(renew);
    #[cfg(not(unix))]
    tokio::spawn(async move {
        drop(tokio::signal::ctrl_c().await);
        stop.cancel();
    });
    Ok(())
}

/// Whether a terminal controls this process; none does any more once it was closed.
#[cfg(unix)]
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}
