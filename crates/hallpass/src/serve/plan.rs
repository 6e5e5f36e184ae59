//! What `serve` is going to do: command line and configuration file, made one and judged.

use std::path::{Path, PathBuf};

use hallpass_authorization_server::{StartError, TokenForm};
use hallpass_gateway::listen::Tls;
use hallpass_gateway::upstream::HttpUpstreamError;
use hallpass_gateway::{self as gateway, Listing};
use hallpass_resource_server::AtExpiry;
use url::Url;

use crate::cli;
use crate::config::{
    self, AccessTokens, Arrangement, Config, DatabaseFault, EndpointPath, ListenAddress, PublicUrl, Source,
    StreamsAtExpiry, TlsFault,
};
use crate::serve::authorization_server;
use crate::serve::credentials::{CredentialFault, CredentialPlan};
use crate::serve::delegation::Delegations;
use crate::serve::program::{self, ProgramError};
use crate::serve::scopes::{ScopeFault, ScopePlan};
use crate::serve::signed_metadata::Signer;

/// What `serve` is going to do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where to listen.
    pub(crate) listen: ListenAddress,
    /// Where it says how it is.
    pub(crate) monitoring: Option<ListenAddress>,
    /// TLS, where it ends here.
    pub(crate) tls: Option<Tls>,
    /// The files that it came from.
    pub(crate) tls_files: Option<config::Tls>,
    /// Whether the addresses of peers are those of people: they are not behind a proxy that ends TLS.
    pub(crate) sees_addresses: bool,
    /// What clients call this server; `None` is `localhost` with the port that is bound.
    pub(crate) public_url: Option<PublicUrl>,
    /// The endpoint's path.
    pub(crate) path: EndpointPath,
    /// The server's name on the page of consent; the public host where nobody gave one.
    pub(crate) name: Option<String>,
    /// The client that native applications may share.
    pub(crate) public_client_id: Option<String>,
    /// Who signs the protected resource metadata, if anybody does.
    pub(super) signer: Option<Signer>,
    /// What stands behind.
    pub(crate) upstream: Upstream,
    /// Origins of web pages that may call.
    pub(crate) allowed_origins: Vec<Url>,
    /// Scopes and who needs them.
    pub(crate) scopes: ScopePlan,
    /// Whose authorization server logs people in.
    pub(crate) arrangement: Arrangement,
    /// What hallpass's own access tokens are.
    pub(crate) access_tokens: TokenForm,
    /// What becomes of streams when the token that opened them expires.
    pub(crate) streams: AtExpiry,
    /// How callers may show who they are.
    pub(crate) credentials: CredentialPlan,
    /// What is done with lists of tools, prompts and resources.
    pub(crate) listing: Listing,
    /// Settings of the authorization server.
    pub(crate) authorization_server: crate::config::AuthorizationServer,
    /// Whose word, and which token, it exchanges for its own.
    pub(crate) delegations: Delegations,
    /// The data folder that the file names.
    pub(crate) data: Option<PathBuf>,
    /// The database, in words; `None` is a file in the data folder.
    pub(crate) database: Option<String>,
}

/// What stands behind the gateway.
#[derive(Debug)]
pub(crate) enum Upstream {
    /// The sample server in this process.
    Demo,
    /// A server that speaks streamable HTTP.
    Http(Url),
    /// A server that speaks stdio.
    Stdio {
        /// The program.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Variables beside hallpass's own environment.
        environment: Vec<(String, String)>,
        /// The folder it runs in.
        directory: Option<PathBuf>,
    },
}

/// Why `serve` can't start as it was told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// Nothing to protect.
    #[error(
        "no MCP server to protect: give --upstream URL, or -- COMMAND, or set server.upstream; or try --demo"
    )]
    NoUpstream,
    /// Two servers to protect.
    #[error("server.upstream and server.command are both set; keep the one that is meant")]
    TwoUpstreams,
    /// The command has no words.
    #[error(
        "server.command is empty; write it as in [\"npx\", \"-y\", \"@modelcontextprotocol/server-everything\"]"
    )]
    EmptyCommand,
    /// Upstream isn't reached over HTTP.
    #[error("the upstream {0} isn't an http or https URL; write it as in http://localhost:3000/mcp")]
    UpstreamScheme(Url),
    /// A public URL without TLS that others could reach.
    #[error(
        "the public URL {0} is plain http, so tokens and passwords could be read on the way; \
         use https, or say --tls-in-front (tls_in_front = true) if TLS ends at a proxy in front"
    )]
    PlainHttp(PublicUrl),
    /// A mistake of one of these kinds, where it stands in the file.
    #[error("{place}: {fault}")]
    At {
        /// File and line, or the setting's name.
        place: String,
        /// What is wrong.
        fault: Box<PlanError>,
    },
    /// An upstream that nothing can be sent to.
    #[error(transparent)]
    Upstream(#[from] HttpUpstreamError),
    /// The program of a stdio server.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Where users and grants are to be kept.
    #[error(transparent)]
    Database(#[from] DatabaseFault),
    /// The authorization server would not start.
    #[error(transparent)]
    AuthorizationServer(#[from] StartError),
    /// A trusted issuer, or an exchange, that can't be.
    #[error("{0}")]
    Delegation(String),
    /// A certificate or key that can't be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// Somebody else's authorization server, and nobody says whose.
    #[error(
        "{0}: the arrangement is external, and no issuer is named; add [[server.issuers]] with issuer = \"https://…\""
    )]
    NoIssuer(String),
    /// No token is issued that could be opaque.
    #[error(
        "{0}: the arrangement is external, so hallpass issues no access tokens; take out access_tokens = \"opaque\""
    )]
    ExternalTokens(String),
    /// The sample server logs its own user in.
    #[error(
        "{0}: the demo has an authorization server of its own; take out arrangement = \"external\", or --demo"
    )]
    ExternalDemo(String),
    /// A credential or issuer that can't be.
    #[error(transparent)]
    Credential(#[from] CredentialFault),
    /// A word that can't be a scope.
    #[error(transparent)]
    Scope(#[from] ScopeFault),
}

impl PlanError {
    fn at(self, source: &Source, keys: &[&str]) -> Self {
        Self::At { place: source.place(keys), fault: Box::new(self) }
    }
}

impl Plan {
    /// Makes command line and file one; the command line wins. What can be wrong without looking into the database shows
    /// here.
    pub(crate) fn new(args: cli::Serve, config: Config) -> Result<Self, PlanError> {
        let source = config.source.clone();
        let plan = Self::put_together(args, config)?;
        if plan.arrangement == Arrangement::Embedded {
            plan.credentials.check_own(&plan.origin(), &source)?;
        }
        plan.check_authorization_server(&source)?;
        Ok(plan)
    }

    fn put_together(args: cli::Serve, config: Config) -> Result<Self, PlanError> {
        let source = &config.source;
        let tls_in_front = args.tls_in_front || config.tls_in_front;
        let from_file = args.public_url.is_none();
        let public_url = args.public_url.or(config.public_url);
        let asks = config.tls.as_ref().is_some_and(config::Tls::asks);
        let tls = config.tls.as_ref().map(config::Tls::load).transpose()?;
        let public_url = match tls {
            Some(_) => public_url.map(|url| url.over_tls()),
            None => {
                let judged = public_url.map(|url| reachable_safely(url, tls_in_front)).transpose();
                judged.map_err(|fault| if from_file { fault.at(source, &["public_url"]) } else { fault })?
            }
        };
        let behind_tls = public_url.as_ref().is_some_and(PublicUrl::is_https);
        let server = config.server;
        let credentials = CredentialPlan::of(&server, source)?.with_own_tls(asks);
        let direct = if tls.is_some() { !tls_in_front } else { !behind_tls };
        let sees_addresses = direct && credentials.proxies().is_empty();
        if server.arrangement == Arrangement::External {
            let place = || source.place(&["server", "arrangement"]);
            if args.demo {
                return Err(PlanError::ExternalDemo(place()));
            }
            if credentials.first_issuer().is_none() {
                return Err(PlanError::NoIssuer(place()));
            }
            if server.access_tokens == AccessTokens::Opaque {
                return Err(PlanError::ExternalTokens(source.place(&["server", "access_tokens"])));
            }
        }
        let (upstream, scopes, name) = if args.demo {
            (Upstream::Demo, ScopePlan::demo()?, Some("hallpass demo notebook".to_owned()))
        } else {
            let scopes = ScopePlan::of(&server, source)?;
            let upstream = upstream(args.upstream, args.command, &server, source)?;
            (upstream, scopes, server.name.clone())
        };
        let signed = server.signed_metadata.as_ref();
        let signer = signed.map(|said| Signer::of(said, source)).transpose()?;
        let database = if args.demo { None } else { database(&config.database, source)? };
        let set = &config.authorization_server;
        let delegations = Delegations::of(set, &scopes).map_err(|(setting, why)| {
            PlanError::Delegation(why).at(source, &["authorization_server", setting])
        })?;
        Ok(Self {
            listen: args.listen.or(config.listen).unwrap_or_default(),
            monitoring: config.monitoring.listen,
            tls,
            tls_files: config.tls,
            sees_addresses,
            public_url,
            path: server.path,
            name,
            public_client_id: server.public_client_id,
            signer,
            upstream,
            allowed_origins: server.allowed_origins,
            scopes,
            arrangement: server.arrangement,
            access_tokens: match server.access_tokens {
                AccessTokens::Jwt => TokenForm::Jwt,
                AccessTokens::Opaque => TokenForm::Opaque,
            },
            streams: match server.streams_at_expiry {
                StreamsAtExpiry::EndListening => AtExpiry::EndListening,
                StreamsAtExpiry::EndAll => AtExpiry::EndAll,
                StreamsAtExpiry::GoOn => AtExpiry::GoOn,
            },
            credentials,
            listing: match server.listing {
                config::Listing::Annotate => Listing::Annotate,
                config::Listing::Hide => Listing::Hide,
                config::Listing::Leave => Listing::Leave,
            },
            authorization_server: config.authorization_server,
            delegations,
            data: config.data,
            database,
        })
    }

    /// The endpoint's URL, as far as it is known before a port is bound.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}{}", self.origin(), self.path.as_str())
    }

    fn origin(&self) -> String {
        match &self.public_url {
            Some(url) => url.to_string(),
            None => {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                format!("{scheme}://localhost:{}", self.listen.port())
            }
        }
    }

    fn check_authorization_server(&self, source: &Source) -> Result<(), PlanError> {
        if let Some(said) = &self.authorization_server.mutual_tls {
            said.load(self.credentials.proxies()).map_err(|fault| {
                PlanError::Delegation(fault.to_string()).at(source, &["authorization_server", "mutual_tls"])
            })?;
        }
        let Some(settings) = authorization_server::settings_ahead(self) else { return Ok(()) };
        settings.check().map_err(|fault| {
            let setting = match fault {
                StartError::LongAccessTokens => "access_token_lifetime",
                StartError::HastyRotation => "rotate_keys_every",
                _ => return fault.into(),
            };
            PlanError::from(fault).at(source, &["authorization_server", setting])
        })
    }
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Demo => f.write_str("the sample server"),
            // Path and query may hold keys: where it is, is enough.
            Self::Http(url) => f.write_str(&url.origin().ascii_serialization()),
            // Arguments may hold secrets, in forms that no list of suspicious words is complete for.
            Self::Stdio { program, .. } => {
                let name = Path::new(program).file_name().map(|name| name.to_string_lossy());
                f.write_str(&hallpass_protocol::for_terminal(name.as_deref().unwrap_or(program)))
            }
        }
    }
}

/// Over plain http, tokens and passwords could be read on the way. Where TLS ends in front, what people
/// reach is the https URL: no client takes an issuer that is anything else (RFC 8414 §2).
fn reachable_safely(url: PublicUrl, tls_in_front: bool) -> Result<PublicUrl, PlanError> {
    match (url.is_https() || url.is_loopback(), tls_in_front) {
        (true, _) => Ok(url),
        (false, true) => Ok(url.over_tls()),
        (false, false) => Err(PlanError::PlainHttp(url)),
    }
}

/// Where it is, for people; a password is the file's, and stays there.
fn database(set: &config::Database, source: &Source) -> Result<Option<String>, PlanError> {
    let url = set.url().map_err(|fault| {
        let setting = fault.setting();
        PlanError::from(fault).at(source, &["database", setting])
    })?;
    let connections = set.connections.unwrap_or(hallpass_authorization_server::Store::CONNECTIONS);
    Ok(url.map(|url| format!("{url} ({connections} connections)")))
}

fn upstream(
    url: Option<Url>,
    command: Vec<String>,
    server: &crate::config::Server,
    source: &Source,
) -> Result<Upstream, PlanError> {
    let http = |url: Url| match url.scheme() {
        "http" | "https" => {
            gateway::Upstream::http(&url)?;
            Ok(Upstream::Http(url))
        }
        _ => Err(PlanError::UpstreamScheme(url)),
    };
    let stdio = |command: Vec<String>| match command.split_first() {
        Some((program, arguments)) if !program.is_empty() => {
            program::check(program, server.directory.as_deref())?;
            Ok(Upstream::Stdio {
                program: program.clone(),
                arguments: arguments.to_vec(),
                environment: server.environment.clone().into_iter().collect(),
                directory: server.directory.clone(),
            })
        }
        _ => Err(PlanError::EmptyCommand),
    };
    let in_file = |fault: PlanError, setting| fault.at(source, &["server", setting]);
    if let Some(url) = url {
        return http(url);
    }
    if !command.is_empty() {
        return stdio(command);
    }
    match (&server.upstream, &server.command) {
        (Some(_), Some(_)) => Err(in_file(PlanError::TwoUpstreams, "command")),
        (Some(url), None) => http(url.clone()).map_err(|fault| in_file(fault, "upstream")),
        (None, Some(command)) => stdio(command.clone()).map_err(|fault| in_file(fault, "command")),
        (None, None) => Err(PlanError::NoUpstream),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_command_the_programs_name_alone_is_shown() {
        let arguments = ["--header", "Authorization: Bearer s3cret", "-ps3cret", "s3cret"];
        for (program, shown) in [("/opt/s3cret/bin/npx", "npx"), ("npx", "npx"), ("np\u{1b}x", "npx")] {
            let upstream = Upstream::Stdio {
                program: program.into(),
                arguments: arguments.map(str::to_owned).into(),
                environment: vec![("KEY".into(), "s3cret".into())],
                directory: None,
            };
            assert_eq!(upstream.to_string(), shown);
        }
    }
}
