//! As many requests as go through: a client on each connection, the next request when the answer is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Connection, Requests};
use crate::process;

/// What is not counted: each token is new once, buffers grow, pools fill.
const BEFORE: Duration = Duration::from_millis(500);

pub(crate) async fn run(
    requests: &Arc<Requests>,
    connections: usize,
    lasting: Duration,
    pid: Option<u32>,
) -> Result<Value> {
    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (requests, answered) = (Arc::clone(requests), Arc::clone(&answered));
        clients.spawn(async move {
            let mut connection = Connection::open(&requests).await?;
            loop {
                connection.call(&requests).await?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let measure = async {
        while answered.load(Ordering::Relaxed) < requests.round() as u64 {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(BEFORE).await;
        let cpu = || pid.map_or(Ok(0.0), process::cpu);
        let (start, before, used) = (Instant::now(), answered.load(Ordering::Relaxed), cpu()?);
        sleep(lasting).await;
        let number = (answered.load(Ordering::Relaxed) - before) as f64;
        let (seconds, used) = (start.elapsed().as_secs_f64(), cpu()? - used);
        anyhow::Ok(
            json!({ "per_second": number / seconds, "cpu_us": used * 1e6 / number, "busy": used / seconds }),
        )
    };
    tokio::select! {
        measured = measure => measured,
        Some(ended) = clients.join_next() => {
            let ended: Result<()> = ended?;
            bail!("a client ended: {ended:?}")
        }
    }
}
