//! Why the MCP server was not reached, in words that say where to look.

use std::{error::Error as StdError, io};

use crate::error::printable;

/// The server and the cause. Of the URL the origin: its path may hold a key. What a peer said is a stranger's words.
pub(crate) fn explain(error: &reqwest::Error) -> String {
    let server = error.url().map_or("the MCP server".to_owned(), |url| url.origin().ascii_serialization());
    format!("{server} could not be reached: {}", cause(error))
}

/// A query or a user name may hold what the caller would not like to see in a log.
pub(crate) fn safe_url(mut error: reqwest::Error) -> reqwest::Error {
    if let Some(url) = error.url_mut() {
        url.set_query(None);
        url.set_fragment(None);
        let _ = (url.set_username(""), url.set_password(None));
    }
    error
}

fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn StdError = error;
    let mut refused = false;
    let mut text = String::new();
    while let Some(next) = innermost.source() {
        refused |= next
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        text.push_str(&next.to_string().to_lowercase());
        innermost = next;
    }
    let detail = printable(&innermost.to_string());
    if error.is_timeout() {
        return "it did not answer in time. Check the address, a firewall or a proxy".into();
    }
    if refused {
        return "the connection was refused: nothing listens there. Check the port, and that the server runs"
            .into();
    }
    if text.contains("dns error") || text.contains("failed to lookup") {
        return format!(
            "its name leads nowhere (DNS: {detail}). Check the spelling, and this machine's network"
        );
    }
    // rustls says what it is about, and the layers above do not.
    if ["certificate", "tls", "corrupt message", "handshake"].iter().any(|word| text.contains(word)) {
        return format!(
            "no secure connection (TLS: {detail}). Check the certificate; a company's own authority is trusted by --ca-file"
        );
    }
    if innermost.is::<reqwest::Error>() { "the request failed".into() } else { detail }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use crate::error::Error;

    async fn failure(url: &str, limit: Duration) -> String {
        let client = reqwest::Client::builder().no_proxy().timeout(limit).build().unwrap();
        let error = client.get(url).send().await.unwrap_err();
        Error::from(error).to_string()
    }

    #[tokio::test]
    async fn each_cause_is_named_with_the_server() {
        let patience = Duration::from_secs(20);
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        let (silent_at, closed_at, plain_at) = (address(&silent), address(&closed), address(&plain));
        drop(closed);
        tokio::spawn(async move {
            let (mut stream, _) = plain.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        for (url, limit, words) in [
            (format!("http://{silent_at}/mcp"), Duration::from_millis(10), ["in time", &silent_at]),
            (format!("http://{closed_at}/mcp"), patience, ["refused", &closed_at]),
            (format!("https://{plain_at}/mcp"), patience, ["TLS", &plain_at]),
            ("http://nowhere.invalid/mcp".into(), patience, ["DNS", "nowhere.invalid"]),
        ] {
            let said = failure(&format!("{url}/s3cret?key=s3cret"), limit).await;
            for word in words {
                assert!(said.contains(word), "{word}: {said}");
            }
            assert!(said.contains(" could not be reached") && !said.contains("s3cret"), "{said}");
        }
    }
}
