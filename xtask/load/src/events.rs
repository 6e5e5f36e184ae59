//! How long an event is on its way: it says when it was sent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::{Connection, Requests};
use crate::paced::percentile;
use crate::upstream::{EVENTS, now};

pub(crate) async fn run(requests: &Arc<Requests>, streams: usize) -> Result<Value> {
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for _ in 0..streams {
        let mut connection = Connection::open(requests).await?;
        let mut text = connection.listen(requests, true).await?;
        let mut seen = 0;
        while seen < EVENTS {
            text.extend_from_slice(connection.read().await?);
            let here = now();
            for sent in sent(&text).skip(seen) {
                let took = Duration::from_nanos(here.saturating_sub(sent));
                if seen == 0 {
                    first.push(took)
                } else {
                    later.push(took)
                }
                seen += 1;
            }
        }
    }
    Ok(json!({
        "first_p50_us": percentile(&mut first, 0.5),
        "first_p99_us": percentile(&mut first, 0.99),
        "later_p50_us": percentile(&mut later, 0.5),
        "later_p99_us": percentile(&mut later, 0.99),
    }))
}

/// When each of the events was sent that are there whole.
fn sent(text: &[u8]) -> impl Iterator<Item = u64> {
    let text = String::from_utf8_lossy(text).into_owned();
    let times: Vec<u64> = text
        .split("data: ")
        .skip(1)
        .filter_map(|event| event.split_once("\n\n"))
        .filter_map(|(time, _)| time.parse().ok())
        .collect();
    times.into_iter()
}
