//! So many requests a second, whether or not the ones before are answered. How long one took is counted from the
//! moment at which it was due: waiting for a place counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::{JoinSet, yield_now};

use crate::client::{Connection, Requests};

const CONNECTIONS: usize = 64;
/// What is not counted.
const BEFORE: Duration = Duration::from_millis(500);

pub(crate) async fn run(requests: &Arc<Requests>, rate: f64, lasting: Duration) -> Result<Value> {
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(requests).await?;
        // So that each token was there before.
        for _ in 0..requests.round().div_ceil(CONNECTIONS) {
            connection.call(requests).await?;
        }
        idle.push(connection);
    }
    let idle = Arc::new(Mutex::new(idle));
    let mut under_way = JoinSet::new();
    let mut took = Vec::new();
    let start = Instant::now();
    let mut sent = 0u32;
    loop {
        let due = start + Duration::from_secs_f64(f64::from(sent) / rate);
        if due > start + BEFORE + lasting {
            break;
        }
        // The clock of the runtime ticks in milliseconds, which is too coarse here.
        let mut connection = None;
        while connection.is_none() {
            if Instant::now() >= due {
                connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            }
            if connection.is_none() {
                yield_now().await;
            }
        }
        let Some(mut connection) = connection else { continue };
        let (requests, idle) = (Arc::clone(requests), Arc::clone(&idle));
        let counted = due > start + BEFORE;
        under_way.spawn(async move {
            connection.call(&requests).await?;
            let took = due.elapsed();
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            anyhow::Ok(counted.then_some(took))
        });
        sent += 1;
        while let Some(ended) = under_way.try_join_next() {
            took.extend(ended??);
        }
    }
    while let Some(ended) = under_way.join_next().await {
        took.extend(ended??);
    }
    Ok(
        json!({ "p50_us": percentile(&mut took, 0.5), "p99_us": percentile(&mut took, 0.99), "requests": took.len() }),
    )
}

/// In microseconds: what this share of them does not exceed.
pub(crate) fn percentile(took: &mut [Duration], share: f64) -> f64 {
    took.sort_unstable();
    let at = ((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1));
    took.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
}
