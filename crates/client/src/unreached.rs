//! Why the MCP server was not reached, in words that say where to look.

use std::{error::Error as StdError, fmt, io};

use crate::error::printable;

/// The server and the cause. Of the URL the origin: its path may hold a key. What a peer said is a stranger's words.
pub(crate) fn explain(error: &reqwest::Error) -> String {
    format!("{} could not be reached: {}", server(error), Cause::of(error))
}

/// The same behind a proxy, which then is what was not reached, or what did not lead on.
pub(crate) fn through(error: &reqwest::Error, proxy: &str) -> String {
    let (server, cause) = (server(error), Cause::of(error));
    match cause.kind {
        Kind::Refused | Kind::Name => format!(
            "the proxy {proxy}, through which {server} is reached, could not be reached itself: {}. Check --proxy and \
             HTTPS_PROXY, or go without it (--no-proxy)",
            cause.what
        ),
        Kind::Tunnel => format!(
            "the proxy {proxy} does not lead to {server}: {}. Check what it allows, and its user name and password",
            cause.what
        ),
        Kind::Timeout | Kind::Tls | Kind::Authority | Kind::NoTls | Kind::NoHttp | Kind::Other => {
            format!("{server} could not be reached through the proxy {proxy}: {cause}")
        }
    }
}

fn server(error: &reqwest::Error) -> String {
    error.url().map_or("the MCP server".to_owned(), |url| url.origin().ascii_serialization())
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

/// What happened, and what to do.
struct Cause {
    kind: Kind,
    what: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Timeout,
    Refused,
    Name,
    /// What a proxy says in place of a connection.
    Tunnel,
    /// What answers speaks no TLS.
    NoTls,
    /// What answers speaks no HTTP.
    NoHttp,
    Tls,
    /// The server shows a certificate of those that sign others.
    Authority,
    Other,
}

/// What the layers below say, in small letters, and what it means; the first that fits.
const SIGNS: [(&str, Kind); 10] = [
    // RFC 5280 §4.2.1.9, in the words of rustls-webpki.
    ("causedasendentity", Kind::Authority),
    ("dns error", Kind::Name),
    ("failed to lookup", Kind::Name),
    ("tunnel error", Kind::Tunnel),
    // rustls says what it is about, and the layers above do not.
    ("invalidcontenttype", Kind::NoTls),
    ("certificate", Kind::Tls),
    ("tls", Kind::Tls),
    ("corrupt message", Kind::Tls),
    ("handshake", Kind::Tls),
    ("invalid http version parsed", Kind::NoHttp),
];

impl Cause {
    fn of(error: &reqwest::Error) -> Self {
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
        let sign = SIGNS.iter().find(|(sign, _)| text.contains(sign)).map_or(Kind::Other, |(_, kind)| *kind);
        let kind = match sign {
            _ if error.is_timeout() => Kind::Timeout,
            _ if refused => Kind::Refused,
            sign => sign,
        };
        let what = match kind {
            Kind::Timeout => "it did not answer in time".into(),
            Kind::Refused => "the connection was refused: nothing listens there".into(),
            Kind::Name => format!("its name leads nowhere (DNS: {detail})"),
            Kind::NoTls => format!("what answers there speaks plain http (TLS: {detail})"),
            Kind::NoHttp => format!("what answers there speaks no plain http ({detail})"),
            Kind::Tls => format!("no secure connection (TLS: {detail})"),
            Kind::Authority => {
                "the certificate that the server shows is one for signing others (CA:TRUE), and no server's"
                    .into()
            }
            Kind::Tunnel => detail,
            Kind::Other if innermost.is::<reqwest::Error>() => "the request failed".into(),
            Kind::Other => detail,
        };
        Self { kind, what }
    }

    fn advice(&self) -> &'static str {
        match self.kind {
            Kind::Timeout => "Check the address, a firewall or a proxy",
            Kind::Refused => "Check the port, and that the server runs",
            Kind::Name => "Check the spelling, and this machine's network",
            Kind::NoTls => {
                "Check the port; a server on this machine may be meant by http:// in place of https://"
            }
            Kind::NoHttp => "Check the port; if it is one for TLS, write https://",
            Kind::Tls => "Check the certificate; a company's own authority is trusted by --ca-file",
            Kind::Authority => {
                "Have the server show a certificate of its own (CA:FALSE), signed with that one, and give that one by --ca-file"
            }
            Kind::Tunnel | Kind::Other => "",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match self.advice() {
            "" => Ok(()),
            advice => write!(f, ". {advice}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::dns::{Name, Resolve, Resolving};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use crate::error::Error;

    /// What a peer says is a stranger's words.
    #[tokio::test]
    async fn no_cause_writes_to_the_terminal_by_itself() {
        struct Rude;
        impl Resolve for Rude {
            fn resolve(&self, _: Name) -> Resolving {
                Box::pin(async { Err("\u{1b}[2Jgone\u{202e}".into()) })
            }
        }
        let client = reqwest::Client::builder().no_proxy().dns_resolver(std::sync::Arc::new(Rude)).build();
        let error = client.unwrap().get("http://rude.example/mcp").send().await.unwrap_err();
        let said = Error::from(error).to_string();
        assert!(said.contains("gone") && !said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }

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
        let tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (silent_at, closed_at, plain_at) = (address(&silent), address(&closed), address(&plain));
        let tls_at = address(&tls);
        drop(closed);
        // What rustls answers to a request in plain http: an alert (RFC 8446 §6), and the end.
        tokio::spawn(async move {
            let (mut stream, _) = tls.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x32]).await.unwrap();
            stream.shutdown().await.unwrap();
            drop(stream.read_to_end(&mut Vec::new()).await);
        });
        tokio::spawn(async move {
            let (mut stream, _) = plain.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        for (url, limit, words) in [
            (format!("http://{silent_at}/mcp"), Duration::from_millis(10), ["in time", &silent_at]),
            (format!("http://{closed_at}/mcp"), patience, ["refused", &closed_at]),
            (format!("https://{plain_at}/mcp"), patience, ["plain http", &plain_at]),
            (format!("http://{tls_at}/mcp"), patience, ["write https://", &tls_at]),
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
