//! What a stream costs on which nothing happens.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Connection, Requests};
use crate::process;

/// How many are opened at once.
const AT_ONCE: usize = 50;
/// Until memory is looked at.
const AFTER: Duration = Duration::from_secs(3);

pub(crate) async fn run(requests: &Arc<Requests>, number: usize, pid: Option<u32>) -> Result<Value> {
    let memory = || pid.map_or(Ok(0), process::memory);
    let before = memory()?;
    let mut open = Vec::with_capacity(number);
    while open.len() < number {
        let mut opening = JoinSet::new();
        for _ in 0..AT_ONCE.min(number - open.len()) {
            let requests = Arc::clone(requests);
            opening.spawn(async move {
                let mut connection = Connection::open(&requests).await?;
                connection.listen(&requests, false).await?;
                anyhow::Ok(connection)
            });
        }
        while let Some(opened) = opening.join_next().await {
            open.push(opened??);
        }
    }
    sleep(AFTER).await;
    let after = memory()?;
    let each = after.saturating_sub(before) as f64 / number as f64;
    Ok(json!({ "streams": open.len(), "before": before, "after": after, "each": each }))
}
