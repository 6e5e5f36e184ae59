//! A new certificate without a restart: the files of `[tls]` are read again when one of them changes, and at SIGHUP.
//! Connections that are there go on; what cannot serve changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hallpass_gateway::listen::Tls;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::seen::{Seen, seen_all};
use crate::config;
use crate::say::note;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The files, as they were when they were read last, and what is served of them.
pub(super) struct Renewal {
    files: config::Tls,
    seen: Vec<Seen>,
    serves: Tls,
}

/// What a look at the files has led to.
#[derive(Debug)]
pub(super) enum Looked {
    /// They are what they were.
    Same,
    /// What they hold is served from now on.
    Renewed,
    /// They cannot be served; what was before goes on.
    Kept(config::TlsFault),
}

impl Renewal {
    /// Of files that were read a moment ago.
    pub(super) fn new(files: config::Tls, serves: Tls) -> Self {
        Self { seen: seen(&files), files, serves }
    }

    /// Reads the files where one has changed, or where somebody asks for it. A fault is told once for each change: while a
    /// certificate is there and its key is not yet, the next look sees the key.
    pub(super) fn look(&mut self, asked: bool) -> Looked {
        let now = seen(&self.files);
        if now == self.seen && !asked {
            return Looked::Same;
        }
        self.seen = now;
        match self.files.load() {
            Ok(new) => {
                self.serves.renew(&new);
                Looked::Renewed
            }
            Err(fault) => Looked::Kept(fault),
        }
    }

    /// Looks again and again, and at once when somebody asks, until `stop`.
    pub(super) async fn follow(mut self, asked: Arc<Notify>, stop: CancellationToken) {
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => false,
                () = asked.notified() => true,
            };
            match self.look(asked) {
                Looked::Same => {}
                Looked::Renewed => {
                    let certificate =
                        self.files.certificate.as_deref().unwrap_or(Path::new("[tls]")).display();
                    note(format_args!("New connections get the certificate that is in {certificate} now."));
                }
                Looked::Kept(fault) => {
                    tracing::error!(%fault, "the certificate cannot be renewed; the former one is served on");
                }
            }
        }
    }
}

fn seen(files: &config::Tls) -> Vec<Seen> {
    seen_all(&files.files())
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::tls::{Authority, Issued};

    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn write(&self, name: &str, content: &str) {
            // Another file in its place, as those do who renew certificates.
            let new = self.0.path().join("new");
            std::fs::write(&new, content).unwrap();
            std::fs::rename(&new, self.0.path().join(name)).unwrap();
        }

        fn put(&self, issued: &Issued) {
            self.write("server.pem", &issued.chain);
            self.write("server.key", &issued.key);
        }

        fn renewal(&self) -> Renewal {
            let at = |name| self.0.path().join(name).display().to_string();
            let said = format!("certificate = {:?}\nkey = {:?}", at("server.pem"), at("server.key"));
            let files: config::Tls = toml::from_str(&said).unwrap();
            let serves = files.load().unwrap();
            Renewal::new(files, serves)
        }
    }

    #[test]
    fn files_are_read_when_they_change_or_somebody_asks() {
        let authority = Authority::new();
        let files = Files(tempfile::tempdir().unwrap());
        files.put(&authority.issue(&["localhost"]));
        let mut renewal = files.renewal();
        assert!(matches!(renewal.look(false), Looked::Same));
        assert!(matches!(renewal.look(true), Looked::Renewed));
        files.put(&authority.issue(&["localhost"]));
        assert!(matches!(renewal.look(false), Looked::Renewed));
        assert!(matches!(renewal.look(false), Looked::Same));
    }

    #[test]
    fn what_cannot_serve_changes_nothing_and_is_told_once() {
        let authority = Authority::new();
        let files = Files(tempfile::tempdir().unwrap());
        files.put(&authority.issue(&["localhost"]));
        let mut renewal = files.renewal();
        let next = authority.issue(&["localhost"]);
        files.write("server.pem", &next.chain);
        let Looked::Kept(fault) = renewal.look(false) else { panic!("a certificate without its key") };
        assert!(fault.to_string().contains("cannot be used together"), "{fault}");
        assert!(matches!(renewal.look(false), Looked::Same), "told once");
        files.write("server.key", &next.key);
        assert!(matches!(renewal.look(false), Looked::Renewed));
        std::fs::remove_file(files.0.path().join("server.key")).unwrap();
        let Looked::Kept(fault) = renewal.look(false) else { panic!("without a key") };
        assert!(fault.to_string().contains("tls.key: can't read"), "{fault}");
    }
}
