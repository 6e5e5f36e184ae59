//! `hallpass serve`.

mod account;
mod acme;
mod audited;
mod authorization_server;
mod banner;
mod cedar;
pub(crate) mod client_of;
mod command;
pub(crate) mod credentials;
mod delegated;
mod delegation;
mod edge;
mod elsewhere;
mod external;
mod foundation;
mod front_page;
mod ground;
mod handed_on;
mod house_plan;
pub(crate) mod issuers;
mod listeners;
mod mark;
mod monitoring;
mod not_here;
mod otlp;
mod places;
pub(crate) mod plan;
mod plan_error;
mod program;
mod protected;
mod provider;
mod proxied;
mod public_client;
mod reload;
mod renewal;
mod replicas;
mod running;
pub(crate) mod scopes;
mod seen;
pub(crate) mod server_plan;
mod signed_metadata;
mod sites;
mod stated;
mod systemd;
mod told;
mod upstream;
mod upstream_token;
mod watch;
mod wiring;

use std::path::Path;
use std::sync::Arc;

use hallpass_authorization_server::Store;
use hallpass_gateway::Served;
use hallpass_gateway::listen::{self, Connections};
use hallpass_protocol::Secret;
use rand::RngExt;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli;
use crate::commands::Place;
use crate::config::TenantName;
use crate::data::{DataFolder, system_clock};
use crate::exit::Failure;
use acme::Acme;
use banner::{Banner, Shown};
use foundation::Foundation;
use ground::Grounds;
use house_plan::HousePlan;
use monitoring::{Counted, Monitoring};
use plan::Plan;
use reload::Reload;
use renewal::Renewal;
use running::Running;
use server_plan::ServerPlan;
use upstream::Upstream;
use watch::Watch;

/// The user that `--demo` makes.
const DEMO_USER: &str = "demo";

/// Protects servers until it is told to stop.
pub(crate) async fn run(args: cli::Serve, place: &Place) -> Result<(), Failure> {
    let again = args.clone();
    // Before the file is read: what is written later shows then.
    let mut watch = place.config.as_deref().map(|file| (file, Watch::new(file, Vec::new())));
    let config = place.config()?;
    if let Some((_, watch)) = &mut watch {
        watch.follow(config.files());
    }
    let plan = Plan::new(args, config).map_err(Failure::configuration)?;
    let demo = plan.servers().any(|server| matches!(server.upstream, Upstream::Demo));
    // Kept until the end: dropping it removes the folder.
    let temporary = if demo { Some(crate::data::temporary()?) } else { None };
    let data = match &temporary {
        Some(folder) => {
            // A demo leaves nothing behind, wherever the configuration keeps its data.
            DataFolder::open(Some(folder.path()), crate::data::Kept::default())
                .map_err(Failure::configuration)?
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
    let folder = data.path().to_owned();
    let mut grounds = Grounds::new(data, Arc::clone(&edge.audited), stop.clone());
    // Before the authorization server starts, which would offer to make a first user.
    let password = match plan.houses.first().filter(|_| demo) {
        Some(house) => Some(add_demo_user(&grounds.of(house).await?.store).await?),
        None => None,
    };
    let watched = grounds.stores();
    let beneath = Foundation::lay(&plan, grounds, &listeners, stop.clone())?;
    let (tls, tls_files, acme) = (plan.tls.clone(), plan.tls_files.clone(), plan.acme.clone());
    let counted = Counted::of(&edge, &plan.edge);
    let running = Running::start(plan, beneath, stop.clone()).await?;
    let served = running.served();
    let running = Arc::new(Mutex::new(running));
    tokio::spawn(running::wait_for_those_away(Arc::clone(&running), stop.clone()));

    let mut hung_up = Vec::new();
    if let Some((files, serves)) = tls_files.zip(tls.clone()) {
        let asked = heard(&mut hung_up);
        match acme {
            None => drop(tokio::spawn(Renewal::new(files, serves).follow(asked, stop.clone()))),
            Some(acme) => {
                let acme = Acme::begin(acme, (files, serves), &folder, system_clock())?;
                tokio::spawn(acme.follow(asked, stop.clone()));
            }
        }
    }
    if let Some((file, watch)) = watch.filter(|_| !demo) {
        let reload = Reload::new(file, watch, again, Arc::clone(&running));
        tokio::spawn(reload.follow(heard(&mut hung_up), stop.clone()));
    }
    heed_signals(stop.clone(), hung_up)?;
    let monitoring = Monitoring::start(asked, watched, counted, stop.clone());
    banner(&*running.lock().await, password.as_ref(), temporary.as_ref().map(tempfile::TempDir::path));

    systemd::ready();
    let left = stop.clone();
    tokio::spawn(async move {
        left.cancelled().await;
        systemd::stopping();
    });
    let connections = Connections { tls, edge: edge.edge.clone(), ..Connections::default() };
    listen(listeners, &served, connections, &stop).await?;
    let closed = running.lock().await.close().await;
    monitoring.end().await;
    edge.end().await;
    closed
}

/// Somebody more who hears of SIGHUP.
fn heard(by: &mut Vec<Arc<Notify>>) -> Arc<Notify> {
    let asked = Arc::new(Notify::new());
    by.push(Arc::clone(&asked));
    asked
}

/// Serves on every listener until `stop`, then lets requests under way end.
async fn listen(
    listeners: Vec<TcpListener>,
    served: &Served,
    connections: Connections,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let mut serving = JoinSet::new();
    for listener in listeners {
        let shutdown = stop.clone().cancelled_owned();
        serving.spawn(listen::serve(listener, served.clone(), connections.clone(), shutdown));
    }
    while let Some(ended) = serving.join_next().await {
        ended?;
    }
    Ok(())
}

fn banner(running: &Running, password: Option<&Secret>, demo_data: Option<&Path>) {
    let (plan, wired) = (running.plan(), running.wired());
    let houses = plan.houses.iter().zip(&wired.houses);
    let servers = houses.flat_map(|(house, wired)| {
        let endpoints = wired.protected.iter().map(|protected| protected.endpoint.as_str());
        house.servers.iter().zip(endpoints).map(move |(server, endpoint)| shown(house, server, endpoint))
    });
    Banner {
        servers: servers.collect(),
        demo_user: password.map(|password| (DEMO_USER, password)),
        demo_data,
        setup: wired.setup_links(),
        unnamed: plan.public_url.is_none() && !plan.listen.is_loopback(),
    }
    .print();
}

fn shown<'a>(house: &'a HousePlan, server: &'a ServerPlan, endpoint: &'a str) -> Shown<'a> {
    let tenant = house.tenant.as_ref().map(TenantName::as_str);
    let names: Vec<_> = tenant.into_iter().chain(server.key.as_ref().map(|key| key.as_str())).collect();
    Shown {
        key: (!names.is_empty()).then(|| names.join("/")),
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
/// ready may end it at once. SIGHUP has the certificate and the configuration read again, where there are files of them; where
/// it means that the terminal was closed it ends the program: the demo's folder must not stay behind.
fn heed_signals(stop: CancellationToken, renew: Vec<Arc<Notify>>) -> std::io::Result<()> {
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
                        for one in &renew {
                            one.notify_one();
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
