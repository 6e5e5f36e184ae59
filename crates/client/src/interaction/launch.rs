//! From a URL that a stranger chose to a process that is started with it: the one place where that
//! happens, and the checks before it.

use std::{
    env, fmt, io,
    process::{Command, Stdio},
};

use url::Url;

use super::surroundings;
use crate::error::Rule;

/// An authorization URL that is safe to hand to a browser. The checks of [`LaunchUrl::check`] are the
/// only way to one.
#[derive(Clone, PartialEq, Eq)]
pub struct LaunchUrl(Url);

/// A check of an authorization endpoint, as the metadata spelled it.
type Check = fn(&str, &Url) -> Result<(), Rule>;

/// Everything that must hold before a browser is started.
const CHECKS: &[Check] = &[scheme_is_web, host_is_present, no_user_information, no_shell_characters];

impl LaunchUrl {
    /// Checks an authorization endpoint as published. CVE-2025-6514: mcp-remote handed one to a shell.
    ///
    /// # Errors
    /// When it is not a plain web address; then nothing may be launched.
    pub fn check(endpoint: &str) -> Result<Self, Rule> {
        let url = Url::parse(endpoint).map_err(|_| Rule::Unlaunchable("it is not an absolute URL"))?;
        CHECKS.iter().try_for_each(|check| check(endpoint, &url))?;
        Ok(Self(url))
    }

    /// Adds query parameters; their values are percent-encoded, so the checks still hold.
    pub(crate) fn with_query<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.0.query_pairs_mut().extend_pairs(pairs);
        self.0.set_fragment(None);
        self
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The URL's text, which begins with `http`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for LaunchUrl {
    /// Without the query, which holds the state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaunchUrl({}{})", self.0.origin().ascii_serialization(), self.0.path())
    }
}

/// `file:`, `javascript:` and private schemes start programs. Plain http is for one's own machine.
fn scheme_is_web(_: &str, url: &Url) -> Result<(), Rule> {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err(Rule::Unlaunchable("it is plain http and not on this machine")),
        _ => Err(Rule::Unlaunchable("its scheme is not https")),
    }
}

fn host_is_present(_: &str, url: &Url) -> Result<(), Rule> {
    url.host().map(drop).ok_or(Rule::Unlaunchable("it names no host"))
}

/// `https://bank.example@evil.example/` reads like the bank.
fn no_user_information(_: &str, url: &Url) -> Result<(), Rule> {
    let plain = url.username().is_empty() && url.password().is_none();
    plain.then_some(()).ok_or(Rule::Unlaunchable("it holds a user name or password"))
}

/// No shell is ever used here. But `BROWSER` may name a script, and what it does is not ours to know; no
/// honest endpoint contains these.
fn no_shell_characters(endpoint: &str, _: &Url) -> Result<(), Rule> {
    const HARMLESS: &str = "-._~:/?#[]@!&*+,;=%";
    let harmless = endpoint.chars().all(|c| c.is_ascii_alphanumeric() || HARMLESS.contains(c));
    harmless.then_some(()).ok_or(Rule::Unlaunchable("it contains characters that have a meaning to a shell"))
}

/// Starts the person's browser. `BROWSER` (a list separated by `:`, each a command with an optional `%s`)
/// comes first, then the desktop's own opener. Never through a shell: the URL is one argument. Over SSH and
/// without a display nothing is started but what `BROWSER` names.
///
/// # Errors
/// When nothing could be started.
pub fn open_in_browser(url: &LaunchUrl) -> io::Result<()> {
    surroundings::here().map_err(io::Error::other)?;
    let configured = env::var("BROWSER").unwrap_or_default();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no browser is known on this machine");
    for mut command in commands(&configured, url) {
        // stdout belongs to the caller: with `connect`, MCP messages travel there.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(mut child) => {
                // Reaps the child when it ends; the browser itself may live on.
                std::thread::spawn(move || child.wait());
                return Ok(());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn commands(configured: &str, url: &LaunchUrl) -> Vec<Command> {
    let separator = if cfg!(windows) { ';' } else { ':' };
    let chosen = configured.split(separator).filter_map(|line| {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next()?);
        let words: Vec<_> = words.collect();
        command.args(words.iter().map(|word| word.replace("%s", url.as_str())));
        if !words.iter().any(|word| word.contains("%s")) {
            command.arg(url.as_str());
        }
        Some(command)
    });
    let opener: &[&str] = if cfg!(target_os = "macos") {
        &["open"]
    } else if cfg!(windows) {
        &["rundll32", "url.dll,FileProtocolHandler"]
    } else {
        &["xdg-open"]
    };
    let mut own = Command::new(opener[0]);
    own.args(&opener[1..]).arg(url.as_str());
    chosen.chain([own]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_web_address_is_launched() {
        for endpoint in [
            "https://as.example/authorize",
            "https://login.example:8443/tenant/oauth2/v2.0/authorize?p=B2C_1",
            "http://127.0.0.1:9000/authorize",
            "http://localhost:9000/authorize",
            "http://[::1]:9000/authorize",
        ] {
            assert!(LaunchUrl::check(endpoint).is_ok(), "{endpoint}");
        }
    }

    #[test]
    fn the_url_is_one_argument_of_a_process_and_no_shell_is_named() {
        let url =
            LaunchUrl::check("https://as.example/authorize").unwrap().with_query([("state", "a b&c;$(d)")]);
        let all = commands("firefox --new-tab %s:w3m", &url);
        let arguments: Vec<Vec<_>> =
            all.iter().map(|c| c.get_args().map(|a| a.to_str().unwrap().to_owned()).collect()).collect();
        assert_eq!(arguments[0], ["--new-tab", url.as_str()]);
        assert_eq!(arguments[1], [url.as_str()]);
        assert_eq!(all.len(), 3, "the desktop's opener comes last");
        assert!(!url.as_str().contains("$("), "parameters are percent-encoded");
        for command in &all {
            assert!(!["sh", "bash", "cmd"].contains(&command.get_program().to_str().unwrap()));
        }
    }

    #[test]
    fn debug_hides_the_state() {
        let url = LaunchUrl::check("https://as.example/authorize").unwrap().with_query([("state", "canary")]);
        assert!(!format!("{url:?}").contains("canary"));
    }
}
