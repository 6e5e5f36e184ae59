//! `hallpass health`: what a container's health check asks.

use std::io;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Place;
use crate::cli;
use crate::config::ListenAddress;
use crate::exit::Failure;
use crate::say::say;

/// The longest answer, in bytes.
const LONGEST: u64 = 4096;

/// What came of asking.
struct Answer {
    ready: bool,
    says: String,
}

/// Asks `/readyz` of the monitoring listener; where there is none, whether anybody takes connections.
pub(crate) async fn run(health: cli::Health, place: &Place) -> Result<(), Failure> {
    let (address, monitoring) = match health.address {
        Some(address) => (address, true),
        None => {
            let config = place.config()?;
            match config.monitoring.listen {
                Some(address) => (address, true),
                None => (config.listen.unwrap_or_default(), false),
            }
        }
    };
    let asked = match timeout(health.timeout.0, ask(&address, monitoring)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer { ready: false, says: error.to_string() },
        Err(_) => Answer { ready: false, says: format!("no answer within {}", health.timeout) },
    };
    let Answer { ready, says } = asked;
    if health.json {
        let asked = if monitoring { format!("http://{address}/readyz") } else { address.to_string() };
        say!("{}", json!({ "ready": ready, "says": says, "asked": asked }));
    }
    match ready {
        true if health.json => Ok(()),
        true => Ok(say!("{says}")),
        false => Err(anyhow::anyhow!("{address}: {says}").into()),
    }
}

async fn ask(address: &ListenAddress, monitoring: bool) -> io::Result<Answer> {
    let mut stream = TcpStream::connect((reached(address.host()), address.port())).await?;
    if !monitoring {
        return Ok(Answer {
            ready: true,
            says: "connections are taken; set [monitoring] to know more".to_owned(),
        });
    }
    let port = address.port();
    let request = format!("GET /readyz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    read(&answer).ok_or_else(|| io::Error::other("it is not the monitoring listener of a hallpass"))
}

/// What is listened to everywhere is here, too.
fn reached(host: &str) -> &str {
    match host {
        "0.0.0.0" | "::" => "localhost",
        host => host,
    }
}

/// The status, and what the body says in its one line.
fn read(answer: &[u8]) -> Option<Answer> {
    let (head, body) = std::str::from_utf8(answer).ok()?.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let says = body.lines().next().filter(|line| matches!(status, "200" | "503") && !line.is_empty())?;
    Some(Answer { ready: status == "200", says: says.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_word_of_readiness_is_none() {
        let ready = |answer: &str| read(answer.as_bytes()).map(|answer| (answer.ready, answer.says));
        assert_eq!(ready("HTTP/1.1 200 OK\r\na: b\r\n\r\nready\n"), Some((true, "ready".to_owned())));
        assert_eq!(ready("HTTP/1.1 503 No\r\n\r\ndraining\n"), Some((false, "draining".to_owned())));
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 404 No\r\n\r\nx",
            "HTTP/1.1 302 No\r\n\r\nx",
            "SSH-2.0\r\n\r\nx",
            "HTTP/1.1 é\r\n\r\nx",
        ] {
            assert_eq!(ready(answer), None, "{answer}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_read(answer: Vec<u8>) {
            read(&answer);
        }
    }
}
