//! What stands behind a protected server.

use std::collections::BTreeMap;
use std::path::Path;

use hallpass_gateway::upstream::{HttpOptions, HttpVersion, Transport};
use hallpass_gateway::{self as gateway, Variable};
use url::Url;

use super::command::Command;
use super::plan_error::PlanError;
use crate::cli;
use crate::config::{Listing, Protected, Section, UpstreamHttp, UpstreamTransport, UpstreamUrl, is_value};

/// The most servers that one pattern makes.
const MOST: usize = 200;

/// What stands behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// The sample server in this process.
    Demo,
    /// A server that speaks streamable HTTP.
    Http(Url),
    /// One of several, by what the caller's verified claims say.
    Chosen {
        /// Where they are.
        pattern: String,
        /// What chooses, and what it may be.
        variables: Vec<Variable>,
        /// One for each combination.
        urls: Vec<Url>,
    },
    /// A server that speaks stdio.
    Stdio(Box<Command>),
}

impl Upstream {
    /// What the command line says; where it says nothing, the file.
    pub(super) fn of(args: &cli::Serve, protected: &Protected<'_>) -> Result<Self, PlanError> {
        let Protected { server, section } = protected;
        let stdio =
            |words: &[String]| Command::of(words, protected).map(|command| Self::Stdio(Box::new(command)));
        let in_file = |fault: PlanError, setting| match fault {
            // It says where already.
            fault @ PlanError::At { .. } => fault,
            fault => fault.at(section.place(&[setting])),
        };
        if let Some(url) = &args.upstream {
            return http(url);
        }
        if !args.command.is_empty() {
            return stdio(&args.command);
        }
        match (&server.upstream, &server.command) {
            (Some(_), Some(_)) => Err(in_file(PlanError::TwoUpstreams(section.title()), "command")),
            (Some(url), None) => by_url(url, &server.upstream_values, *section),
            (None, Some(command)) => stdio(command).map_err(|fault| in_file(fault, "command")),
            (None, None) => Err(match section.name() {
                None => PlanError::NoUpstream,
                Some(name) => PlanError::NothingBehind(name.clone()).at(section.place(&[])),
            }),
        }
    }
}

/// One URL, or one for each combination of what the claims may be.
fn by_url(
    pattern: &UpstreamUrl,
    values: &BTreeMap<String, Vec<String>>,
    section: Section<'_>,
) -> Result<Upstream, PlanError> {
    let wrong = |setting: &[&str], why: String| PlanError::Pattern(why).at(section.place(setting));
    let at_url = |why| wrong(&["upstream"], why);
    let names = pattern.variables();
    if let Some(unused) = values.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(wrong(
            &["upstream_values", unused],
            format!("upstream has no {{{unused}}}; take it out"),
        ));
    }
    let mut variables: Vec<Variable> = Vec::new();
    for name in names {
        let listed = values.get(name).filter(|listed| !listed.is_empty()).ok_or_else(|| {
            at_url(format!(
                "nobody says what {{{name}}} may be: list it, as in upstream_values = {{ {name} = [\"acme\"] }}"
            ))
        })?;
        if let Some(value) = listed.iter().find(|value| !is_value(value)) {
            let why = format!(
                "`{value}` can't be in a URL as it is; take letters, digits, - _ and . within, 63 at most"
            );
            return Err(wrong(&["upstream_values", name], why));
        }
        variables.push(Variable { claim: name.to_owned(), values: listed.clone() });
    }
    let combinations = combinations(&variables);
    if combinations.len() > MOST {
        return Err(at_url(format!(
            "that makes more than {MOST} servers, which is too many for one pattern"
        )));
    }
    let urls = combinations.iter().map(|values| pattern.with(values).map_err(at_url));
    let urls: Vec<Url> = urls.collect::<Result<_, _>>()?;
    for url in &urls {
        http(url).map_err(|fault| fault.at(section.place(&["upstream"])))?;
    }
    match (variables.is_empty(), urls.first()) {
        (true, Some(url)) => Ok(Upstream::Http(url.clone())),
        _ => Ok(Upstream::Chosen { pattern: pattern.to_string(), variables, urls }),
    }
}

/// Every combination; the last variable's values change fastest. One more than the most is enough to know.
fn combinations(variables: &[Variable]) -> Vec<Vec<(&str, &str)>> {
    let mut all: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
    for Variable { claim, values } in variables {
        let mut longer = Vec::new();
        for known in &all {
            for value in values.iter().take(MOST + 1 - longer.len().min(MOST + 1)) {
                longer.push([known.as_slice(), &[(claim.as_str(), value.as_str())]].concat());
            }
        }
        all = longer;
    }
    all
}

impl Upstream {
    /// Where it is, of one that is called over HTTP.
    pub(super) fn urls(&self) -> &[Url] {
        match self {
            Self::Http(url) => std::slice::from_ref(url),
            Self::Chosen { urls, .. } => urls,
            Self::Demo | Self::Stdio(_) => &[],
        }
    }

    /// How it is spoken to, as far as the file of settings says.
    pub(super) fn options(&self, protected: &Protected<'_>) -> Result<HttpOptions, PlanError> {
        let Protected { server, section } = protected;
        let at = |setting, fault: PlanError| fault.at(section.place(&[setting]));
        let urls = self.urls();
        let transport = match server.upstream_transport {
            UpstreamTransport::StreamableHttp => Transport::StreamableHttp,
            UpstreamTransport::Sse => Transport::Sse,
        };
        let version = match server.upstream_http {
            UpstreamHttp::Http1 => HttpVersion::Http1,
            UpstreamHttp::Http2 => HttpVersion::Http2,
        };
        let of_nothing = |setting| Err(at(setting, PlanError::NoHttp(setting)));
        match urls {
            [] if transport != Transport::default() => return of_nothing("upstream_transport"),
            [] if version != HttpVersion::default() => return of_nothing("upstream_http"),
            _ => {}
        }
        if transport == Transport::Sse && server.listing == Listing::Hide {
            return Err(at("listing", PlanError::HidesNothing));
        }
        let mut options = HttpOptions { tls: None, transport, version };
        if let Some(said) = &server.upstream_tls {
            let at = |fault| at("upstream_tls", fault);
            options.tls = Some(said.load().map_err(|fault| at(fault.into()))?);
            if urls.is_empty() {
                return Err(at(PlanError::TlsOfNothing));
            }
            for url in urls {
                gateway::Upstream::http_with(url, &options).map_err(|fault| at(fault.into()))?;
            }
        }
        Ok(options)
    }
}

fn http(url: &Url) -> Result<Upstream, PlanError> {
    match url.scheme() {
        "http" | "https" => {
            gateway::Upstream::http(url)?;
            Ok(Upstream::Http(url.clone()))
        }
        _ => Err(PlanError::UpstreamScheme(url.clone())),
    }
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Demo => f.write_str("the sample server"),
            // Path and query may hold keys: where it is, is enough.
            Self::Http(url) => f.write_str(&url.origin().ascii_serialization()),
            Self::Chosen { pattern, .. } => {
                let (scheme, rest) = pattern.split_once("://").unwrap_or(("", pattern));
                write!(f, "{scheme}://{}", rest.split(['/', '?']).next().unwrap_or_default())
            }
            // Arguments may hold secrets, in forms that no list of suspicious words is complete for.
            Self::Stdio(command) => {
                let program = &command.program;
                let name = Path::new(program).file_name().map(|name| name.to_string_lossy());
                f.write_str(&hallpass_protocol::for_terminal(name.as_deref().unwrap_or(program)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::Run;
    use super::*;
    use crate::config;

    #[test]
    fn of_a_command_the_programs_name_alone_is_shown() {
        let arguments = ["--header", "Authorization: Bearer s3cret", "-ps3cret", "s3cret"];
        for (program, shown) in [("/opt/s3cret/bin/npx", "npx"), ("npx", "npx"), ("np\u{1b}x", "npx")] {
            let command = Command {
                program: program.into(),
                arguments: arguments.map(str::to_owned).into(),
                environment: vec![("KEY".into(), config::Variable::Text("s3cret".into()))],
                directory: None,
                process: config::ProcessFor::Session,
                run: Run::default(),
                limits: config::ProcessLimits::default(),
            };
            let upstream = Upstream::Stdio(Box::new(command));
            assert_eq!(upstream.to_string(), shown);
        }
    }
}
