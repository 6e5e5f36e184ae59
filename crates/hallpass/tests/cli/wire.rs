//! A wire that is listened to: whatever goes over it between programs, in the clear, and the secrets in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Shorter values are found by chance.
const SHORTEST: usize = 12;
/// Fields whose values are secret, of headers, forms and JSON.
const HEADERS: [&str; 6] = ["authorization", "x-api-key", "dpop", "cookie", "set-cookie", "dpop-nonce"];
const FORMS: [&str; 9] = [
    "code",
    "code_verifier",
    "refresh_token",
    "client_secret",
    "client_assertion",
    "password",
    "token",
    "csrf",
    "device_code",
];
const MEMBERS: [&str; 5] =
    ["access_token", "refresh_token", "client_secret", "registration_access_token", "device_code"];

/// What went over one direction of one connection.
type Bytes = Arc<Mutex<Vec<u8>>>;
type Heard = Arc<Mutex<Vec<Bytes>>>;

/// Stands in front of a server, at a port of its own.
pub(crate) struct Wire {
    pub(crate) port: u16,
    heard: Heard,
}

impl Wire {
    /// Listens; where it leads is said once it is known.
    pub(crate) async fn listen() -> (Self, tokio::sync::oneshot::Sender<u16>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (leads, to) = tokio::sync::oneshot::channel();
        let heard = Heard::default();
        tokio::spawn(carry(listener, to, Arc::clone(&heard)));
        (Self { port, heard }, leads)
    }

    /// Every secret that went over it, and what it is.
    pub(crate) fn secrets(&self) -> BTreeMap<String, String> {
        let mut secrets = BTreeMap::new();
        for heard in self.heard.lock().unwrap().iter() {
            let text = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
            find(&text, &mut secrets);
        }
        secrets
    }
}

async fn carry(listener: TcpListener, to: tokio::sync::oneshot::Receiver<u16>, heard: Heard) {
    let Ok(to) = to.await else { return };
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
        let (client, server) = (client.into_split(), server.into_split());
        for (from, into) in [(client.0, server.1), (server.0, client.1)] {
            let one = Arc::new(Mutex::new(Vec::new()));
            heard.lock().unwrap().push(Arc::clone(&one));
            tokio::spawn(copy(from, into, one));
        }
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut into: tokio::net::tcp::OwnedWriteHalf,
    heard: Bytes,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        heard.lock().unwrap().extend_from_slice(&bytes[..count]);
        if into.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    drop(into.shutdown().await);
}

fn find(text: &str, secrets: &mut BTreeMap<String, String>) {
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = name.to_ascii_lowercase();
        if HEADERS.contains(&name.as_str()) {
            // A scheme, a cookie's name and its attributes are none.
            for part in value.split([' ', ';', '=', '"', ',']).filter(|part| part.len() >= SHORTEST) {
                secrets.insert(part.to_owned(), name.clone());
            }
        }
    }
    for (opens, names, ends) in
        [("", &FORMS[..], &['&', ' ', '\r', '\n', '"', '<'][..]), ("\"", &MEMBERS[..], &['"'][..])]
    {
        for name in names {
            let begins = if opens.is_empty() { format!("{name}=") } else { format!("\"{name}\":\"") };
            for (at, _) in text.match_indices(&begins) {
                let whole = at == 0 || !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
                let value = text[at + begins.len()..].split(ends).next().unwrap_or_default();
                if whole && value.len() >= SHORTEST {
                    secrets.insert(value.to_owned(), (*name).to_owned());
                }
            }
        }
    }
}
