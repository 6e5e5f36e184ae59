//! The usual way: the person's browser, and a loopback address that it comes back to (RFC 8252 §7.3).

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{net::TcpListener, sync::mpsc};

use super::{
    AuthorizationRequest, CallbackHost, DeviceOffer, DevicePrompt, Interaction, LaunchUrl, Lines, Login,
    callback, listen::Callback, open_in_browser, paste, start::Start, surroundings,
};
use crate::error::{InteractionError, printable};

type Launch = Arc<dyn Fn(&LaunchUrl) -> io::Result<()> + Send + Sync>;
type Announce = Arc<dyn Fn(&str) + Send + Sync>;
type Typed = Arc<dyn Fn() -> Lines + Send + Sync>;

/// Opens a browser and listens on this machine for its answer. Where no browser can be opened, it says where to
/// go instead. An answer may also be pasted, and a code typed on another device, if the caller allows that.
#[derive(Clone)]
pub struct Browser {
    callback: Callback,
    patience: Duration,
    launch: Launch,
    /// Whether the launcher is a program of its own, whose arguments others can read.
    is_program: bool,
    announce: Announce,
    typed: Option<Typed>,
    device: DeviceOffer,
    at_hand: bool,
    /// Whether the person may sit at another machine.
    is_remote: bool,
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            callback: Callback::default(),
            patience: Duration::from_secs(300),
            launch: Arc::new(open_in_browser),
            is_program: true,
            announce: Arc::new(|line| {
                // Without a terminal there is nobody to tell.
                let _ = writeln!(io::stderr(), "{line}");
            }),
            typed: None,
            device: DeviceOffer::WithoutBrowser,
            at_hand: surroundings::here().is_ok(),
            is_remote: surroundings::is_remote(),
        }
    }
}

impl Browser {
    /// The person's browser, 127.0.0.1, a free port, the path `/callback`, five minutes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens on this port only; 0 takes the port of an earlier registration, or a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.callback.port = port;
        self
    }

    /// How the redirect URI names this machine.
    #[must_use]
    pub fn host(mut self, host: CallbackHost) -> Self {
        self.callback.host = host;
        self
    }

    /// The redirect URI's path, beginning with a slash.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.callback.path = path.into();
        self
    }

    /// Host, port and path of a redirect URI that cannot be chosen, since it is fixed at the server.
    ///
    /// # Errors
    /// When it is not an http URL of this machine.
    pub fn redirect_uri(mut self, uri: &str) -> Result<Self, InteractionError> {
        self.callback = Callback::parse(uri)?;
        Ok(self)
    }

    /// How long to wait for the person.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Something else than [`open_in_browser`] to open a URL with. It gets the whole authorization URL, which holds the
    /// login's `state`; `open_in_browser` gets an address on this machine that leads there, since everyone here can read
    /// the arguments of a program.
    #[must_use]
    pub fn launcher(mut self, launch: impl Fn(&LaunchUrl) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.launch = Arc::new(launch);
        self.is_program = false;
        self.at_hand = true;
        self
    }

    /// Where the line goes that tells a person what to do; standard error unless set.
    #[must_use]
    pub fn announcer(mut self, announce: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.announce = Arc::new(announce);
        self
    }

    /// Takes the redirect URL also from standard input, where that is a terminal. Not for a program that is
    /// spoken to there.
    #[must_use]
    pub fn paste_from_terminal(self) -> Self {
        if io::stdin().is_terminal() { self.paste_from(paste::terminal) } else { self }
    }

    /// Takes the redirect URL also from lines that come from elsewhere. Called once for each login.
    #[must_use]
    pub fn paste_from(mut self, lines: impl Fn() -> Lines + Send + Sync + 'static) -> Self {
        self.typed = Some(Arc::new(lines));
        self
    }

    /// When to offer a code that is typed on another device; [`DeviceOffer::WithoutBrowser`] unless set.
    #[must_use]
    pub fn device(mut self, offer: DeviceOffer) -> Self {
        self.device = offer;
        self
    }

    fn send(&self, request: &AuthorizationRequest, handed: &LaunchUrl) {
        let outcome = (self.launch)(handed);
        let is_elsewhere = self.is_remote && self.is_program && outcome.is_ok();
        let how = match outcome {
            Ok(()) => "Log in in the browser window that was opened, or open this address".to_owned(),
            Err(error) => format!("No browser was opened ({error}). To log in, open this address"),
        };
        (self.announce)(&format!("{how}: {}", request.url.as_str()));
        if is_elsewhere {
            let (here, port) = (handed.url(), handed.url().port_or_known_default().unwrap_or_default());
            (self.announce)(&format!(
                "This is an SSH session. What BROWSER names was given {}: a browser on another machine gets there \
                 only if port {port} is forwarded. If it is not, open the address above there",
                here.origin().ascii_serialization()
            ));
        }
        if self.typed.is_some() {
            (self.announce)(
                "If that browser is on another machine, paste the address that it ends at here, and press Enter",
            );
        }
    }
}

impl Interaction for Browser {
    fn offers_device(&self) -> bool {
        match self.device {
            DeviceOffer::Always | DeviceOffer::Only => true,
            DeviceOffer::WithoutBrowser => !self.at_hand,
            DeviceOffer::Never => false,
        }
    }

    fn device_only(&self) -> bool {
        self.device == DeviceOffer::Only
    }

    fn show_device(&self, prompt: &DevicePrompt) {
        let code = printable(&prompt.user_code);
        let begin = if self.device_only() { "To log in, open" } else { "Or open" };
        (self.announce)(&format!(
            "{begin} {} on any device and type the code {code}",
            prompt.verification_uri.as_str()
        ));
        if let Some(complete) = &prompt.verification_uri_complete {
            (self.announce)(&format!("With the code filled in: {} (compare it: {code})", complete.as_str()));
        }
    }

    fn show_waiting(&self, server: &str) {
        (self.announce)(&format!(
            "Another process is logging in to {} just now. This one waits for it, takes its tokens, and begins by itself \
             if there are none",
            printable(server)
        ));
    }

    fn begin<'a>(
        &'a self,
        registered: &'a [String],
    ) -> BoxFuture<'a, Result<Box<dyn Login>, InteractionError>> {
        Box::pin(async move {
            let (listeners, redirect_uri) = self.callback.listen(registered).await?;
            let login: Box<dyn Login> =
                Box::new(Listening { browser: self.clone(), listeners, redirect_uri });
            Ok(login)
        })
    }
}

/// A callback address that is already listening.
struct Listening {
    browser: Browser,
    listeners: Vec<TcpListener>,
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
            let Self { browser, listeners, redirect_uri } = *self;
            let start = browser.is_program.then(|| Start::new(request.url.clone()));
            let handed = start.as_ref().and_then(|start| start.url(&redirect_uri));
            browser.send(&request, handed.as_ref().unwrap_or(&request.url));
            // A channel that nobody writes to: without paste, only the browser answers.
            let lines = browser.typed.as_ref().map_or_else(|| mpsc::unbounded_channel().1, |typed| typed());
            tokio::select! {
                answer = callback::receive(listeners, &browser.callback.path, &request.state, start) => answer,
                query = paste::receive(lines, &request.state, &*browser.announce) => Ok(query),
                () = tokio::time::sleep(browser.patience) => Err(InteractionError::TimedOut(browser.patience)),
            }
        })
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("callback", &self.callback).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hallpass_protocol::secret::Secret;

    use super::*;

    fn announced(is_remote: bool, is_program: bool) -> String {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let browser = Browser::new().launcher(|_| Ok(())).announcer(move |line| {
            heard.lock().unwrap().push_str(line);
        });
        let url = LaunchUrl::check("https://as.example/authorize").unwrap();
        let request = AuthorizationRequest { url, state: Secret::new("s") };
        let handed = LaunchUrl::check("http://127.0.0.1:4711/login/canary").unwrap();
        Browser { is_remote, is_program, ..browser }.send(&request, &handed);
        said.lock().unwrap().clone()
    }

    /// A loopback address leads a browser elsewhere nowhere.
    #[test]
    fn over_ssh_it_says_what_a_browser_elsewhere_needs() {
        let said = announced(true, true);
        assert!(said.contains("only if port 4711 is forwarded") && !said.contains("canary"), "{said}");
        for (is_remote, is_program) in [(false, true), (true, false)] {
            let said = announced(is_remote, is_program);
            assert!(said.contains("https://as.example/authorize") && !said.contains("SSH"), "{said}");
        }
    }
}
