//! The usual way: the person's browser, and a loopback address that it comes back to (RFC 8252 §7.3).

use std::{
    fmt,
    io::{self, Write as _},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use url::Url;

use super::{AuthorizationRequest, Interaction, LaunchUrl, Login, callback, open_in_browser};
use crate::error::InteractionError;

type Launch = Arc<dyn Fn(&LaunchUrl) -> io::Result<()> + Send + Sync>;
type Announce = Arc<dyn Fn(&str) + Send + Sync>;

/// Opens a browser and listens on 127.0.0.1 for its answer.
#[derive(Clone)]
pub struct Browser {
    port: u16,
    path: String,
    patience: Duration,
    launch: Launch,
    announce: Announce,
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            port: 0,
            path: "/callback".into(),
            patience: Duration::from_secs(300),
            launch: Arc::new(open_in_browser),
            announce: Arc::new(|line| {
                // Without a terminal there is nobody to tell.
                let _ = writeln!(io::stderr(), "{line}");
            }),
        }
    }
}

impl Browser {
    /// The person's browser, a free port, the path `/callback`, five minutes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens on this port only; 0 takes the port of an earlier registration, or a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The redirect URI's path, beginning with a slash.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// How long to wait for the person.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Something else than [`open_in_browser`] to open a URL with.
    #[must_use]
    pub fn launcher(mut self, launch: impl Fn(&LaunchUrl) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.launch = Arc::new(launch);
        self
    }

    /// Where the line goes that tells a person what to do; standard error unless set.
    #[must_use]
    pub fn announcer(mut self, announce: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.announce = Arc::new(announce);
        self
    }

    async fn listen(&self, registered: &[String]) -> Result<TcpListener, InteractionError> {
        // A server that compares redirect URIs exactly knows the port of the registration only.
        if self.port == 0 {
            for port in registered.iter().filter_map(|uri| self.port_of(uri)) {
                if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                    return Ok(listener);
                }
            }
        }
        let address = (Ipv4Addr::LOCALHOST, self.port);
        TcpListener::bind(address).await.map_err(|error| InteractionError::Listen {
            address: format!("{}:{}", address.0, address.1),
            detail: error.to_string(),
        })
    }

    fn port_of(&self, uri: &str) -> Option<u16> {
        let uri = Url::parse(uri).ok()?;
        let ours = uri.scheme() == "http" && uri.host_str() == Some("127.0.0.1") && uri.path() == self.path;
        uri.port().filter(|_| ours)
    }
}

impl Interaction for Browser {
    fn begin<'a>(
        &'a self,
        registered: &'a [String],
    ) -> BoxFuture<'a, Result<Box<dyn Login>, InteractionError>> {
        Box::pin(async move {
            let listener = self.listen(registered).await?;
            let port = listener.local_addr().map(|address| address.port()).unwrap_or(self.port);
            let redirect_uri = format!("http://{}:{port}{}", Ipv4Addr::LOCALHOST, self.path);
            let login: Box<dyn Login> = Box::new(Listening { browser: self.clone(), listener, redirect_uri });
            Ok(login)
        })
    }
}

/// A callback address that is already listening.
struct Listening {
    browser: Browser,
    listener: TcpListener,
    redirect_uri: String,
}

impl Login for Listening {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn finish(
        self: Box<Self>,
        request: AuthorizationRequest,
    ) -> BoxFuture<'static, Result<String, InteractionError>> {
        Box::pin(async move {
            let Self { browser, listener, .. } = *self;
            let how = match (browser.launch)(&request.url) {
                Ok(()) => "Log in in the browser window that was opened, or open this address",
                Err(_) => "No browser could be opened here. To log in, open this address",
            };
            (browser.announce)(&format!("{how}: {}", request.url.as_str()));
            tokio::time::timeout(browser.patience, callback::receive(listener, &browser.path, &request.state))
                .await
                .map_err(|_| InteractionError::TimedOut(browser.patience))
        })
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("port", &self.port).field("path", &self.path).finish_non_exhaustive()
    }
}
