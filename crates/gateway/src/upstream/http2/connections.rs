//! The connections to one upstream, each with several streams.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};
use tokio::time::{sleep, timeout};

use crate::upstream::wire::Stream;

/// The most streams of one connection: what RFC 9113 §6.5.2 wants of every server at least. Fewer where upstream says so.
const STREAMS: usize = 100;
/// How much of an answer comes before its client takes it, in bytes.
const WINDOW: u32 = 256 * 1024;
/// The largest there is: answers that nobody takes must not hold up the others (RFC 9113 §5.2.2). Each has its own window.
const WINDOW_OF_ALL: u32 = (1 << 31) - 1;
/// The longest head of an answer, in bytes.
const HEAD: u32 = 64 * 1024;
/// How often a connection is looked at. One that nobody used for twice that is closed.
const LOOK: Duration = Duration::from_secs(20);
/// How long upstream may take to answer a ping.
const PONG: Duration = Duration::from_secs(10);

/// Those that are open. Clones share them.
#[derive(Clone, Default)]
pub(in crate::upstream) struct Connections(Arc<All>);

type All = Mutex<Vec<Open>>;

struct Open {
    sender: SendRequest<Bytes>,
    under_way: Arc<AtomicUsize>,
}

/// A place for one request on a connection.
pub(in crate::upstream) struct Place {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) under_way: UnderWay,
}

/// Counts for one, until it is dropped.
pub(super) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connections")
    }
}

impl Connections {
    /// A place on a connection that is there already. One that upstream takes no more requests on (RFC 9113 §6.8) is none.
    pub(in crate::upstream) fn take(&self) -> Option<Place> {
        let mut open = lock(&self.0);
        open.retain_mut(Open::is_good);
        open.iter().find(|one| one.has_room()).map(Open::place)
    }

    /// A place on a new connection, over this stream.
    ///
    /// # Errors
    /// Where upstream does not speak HTTP/2.
    pub(in crate::upstream) async fn open(&self, stream: impl Stream) -> Result<Place, h2::Error> {
        let mut builder = Builder::new();
        builder.enable_push(false).initial_window_size(WINDOW).initial_connection_window_size(WINDOW_OF_ALL);
        let (sender, connection) = builder.max_header_list_size(HEAD).handshake(stream).await?;
        let one = Open { sender, under_way: Arc::default() };
        let place = one.place();
        tokio::spawn(keep(connection, Arc::downgrade(&self.0), Arc::clone(&one.under_way)));
        lock(&self.0).push(one);
        Ok(place)
    }
}

impl Open {
    fn is_good(&mut self) -> bool {
        let ready = self.sender.poll_ready(&mut Context::from_waker(Waker::noop()));
        !matches!(ready, Poll::Ready(Err(_)))
    }

    fn has_room(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) < self.sender.current_max_send_streams().min(STREAMS)
    }

    fn place(&self) -> Place {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Place { sender: self.sender.clone(), under_way: UnderWay(Arc::clone(&self.under_way)) }
    }
}

fn lock(all: &All) -> MutexGuard<'_, Vec<Open>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads and writes a connection until it ends, or upstream answers no ping.
async fn keep(mut connection: Connection<impl Stream, Bytes>, all: Weak<All>, under_way: Arc<AtomicUsize>) {
    let pings = connection.ping_pong();
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the upstream server ended");
            }
        }
        () = watch(pings, &all, &under_way) => {
            tracing::warn!("the upstream server answers no ping; its connection is given up");
        }
    }
    let Some(all) = all.upgrade() else { return };
    lock(&all).retain(|one| !Arc::ptr_eq(&one.under_way, &under_way));
}

/// Ends where upstream is gone without a word. A connection that nobody uses leaves the list, and then ends by itself.
async fn watch(mut pings: Option<PingPong>, all: &Weak<All>, under_way: &Arc<AtomicUsize>) {
    let mut idle = false;
    loop {
        sleep(LOOK).await;
        let unused =
            |one: &Open| Arc::ptr_eq(&one.under_way, under_way) && one.under_way.load(Ordering::Relaxed) == 0;
        if under_way.load(Ordering::Relaxed) == 0 {
            // Places are taken under the same lock: nobody has one on a connection that is taken out.
            if let Some(all) = all.upgrade().filter(|_| idle) {
                lock(&all).retain(|one| !unused(one));
            }
            idle = true;
            continue;
        }
        idle = false;
        let Some(pings) = &mut pings else { continue };
        if !matches!(timeout(PONG, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return;
        }
    }
}
