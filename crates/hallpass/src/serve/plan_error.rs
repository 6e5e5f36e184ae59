//! Why `serve` can't start as it was told to.

use hallpass_authorization_server::StartError;
use hallpass_gateway::upstream::HttpUpstreamError;
use url::Url;

use super::account::AccountFault;
use super::acme::AcmeFault;
use super::credentials::CredentialFault;
use super::delegated::DelegatedFault;
use super::edge::EdgeFault;
use super::program::ProgramError;
use super::proxied::ProxiedFault;
use super::scopes::ScopeFault;
use crate::config::{
    DatabaseFault, ListenAddress, MasterKeyFault, PublicUrl, ServerName, TlsFault, UpstreamTlsFault,
};

/// Why `serve` can't start as it was told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// Nothing to protect.
    #[error(
        "no MCP server to protect: give --upstream URL, or -- COMMAND, or set server.upstream; or try --demo"
    )]
    NoUpstream,
    /// Two servers to protect.
    #[error("{0}.upstream and {0}.command are both set; keep the one that is meant")]
    TwoUpstreams(String),
    /// Nothing to protect under that name.
    #[error("nothing stands behind {0}: set upstream = \"http://…\", or command = [\"…\"]")]
    NothingBehind(ServerName),
    /// An option that means one server, and a file with several.
    #[error(
        "the file names servers of its own, so {0} does not say which is meant; take it out, or name no --config"
    )]
    WhichServer(&'static str),
    /// Two servers where one request would mean both.
    #[error("{other} is at {endpoint} as well; give one of them another path or host")]
    SamePlace {
        /// The other server's table.
        other: String,
        /// Where both are.
        endpoint: String,
    },
    /// Two listeners at one address.
    #[error("{0} is where hallpass listens itself; give monitoring another port")]
    OneListener(ListenAddress),
    /// A tenant without a server.
    #[error("{0} has no server: add [{0}.servers.NAME] with upstream = \"http://…\", or command = [\"…\"]")]
    EmptyHouse(String),
    /// A tenant in two places.
    #[error(
        "host and path are both there; a tenant has a host of its own, or a path of the public URL: keep one of them"
    )]
    TwoPlaces,
    /// Two tenants at one host, where a browser and a client would take them for one.
    #[error("{host} is a host of {other} as well; a tenant shares its host with nobody: give it another one")]
    SharedHost {
        /// The origin there.
        host: PublicUrl,
        /// Who is there already.
        other: String,
    },
    /// Something else below the path of a tenant.
    #[error(
        "{path} of {other} is below the path of this tenant, which is its own: give one of them another path"
    )]
    SharedPath {
        /// What is below it.
        path: String,
        /// Whose that is.
        other: String,
    },
    /// A tenant's tokens at another.
    #[error(
        "{issuer} is the issuer of {other}, whose tokens are good at its own servers alone; take the entry out"
    )]
    OtherTenant {
        /// Whose tokens they would be.
        issuer: String,
        /// Who that is.
        other: String,
    },
    /// Two tenants with one database.
    #[error(
        "another tenant, or [database], has this very database; each has one of its own: name another, or leave it out for a schema of its own"
    )]
    SharedDatabase,
    /// What says who calls would look like a token that opens something here.
    #[error(
        "the assertion's audience is a place of hallpass's own, whose tokens are signed with the same key; set assertion.audience to what the server behind is called"
    )]
    OwnAudience,
    /// Every request would come back.
    #[error(
        "{0} is this server's own endpoint, so every request would come back to hallpass: name where the server behind it is, or \
         have hallpass be elsewhere (listen, public_url)"
    )]
    OwnUpstream(Url),
    /// The command has no words.
    #[error(
        "{0}.command is empty; write it as in [\"npx\", \"-y\", \"@modelcontextprotocol/server-everything\"]"
    )]
    EmptyCommand(String),
    /// Upstream isn't reached over HTTP.
    #[error("the upstream {0} isn't an http or https URL; write it as in http://localhost:3000/mcp")]
    UpstreamScheme(Url),
    /// A pattern of upstreams that cannot be.
    #[error("{0}")]
    Pattern(String),
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
    /// Lists come on a stream, apart from the request that asks for them.
    #[error(
        "over HTTP+SSE nothing is left out of lists; take out listing = \"hide\", or upstream_transport = \"sse\""
    )]
    HidesNothing,
    /// HTTP towards what is not called.
    #[error("{0} is set, and no upstream is called over HTTP; take it out")]
    NoHttp(&'static str),
    /// TLS towards what is not called.
    #[error("upstream_tls is set, and no upstream is called over https; take it out")]
    TlsOfNothing,
    /// TLS towards it.
    #[error(transparent)]
    UpstreamTls(#[from] UpstreamTlsFault),
    /// The program of a stdio server.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The account that it runs under.
    #[error(transparent)]
    Account(#[from] AccountFault),
    /// Nobody's claims are everybody's.
    #[error(
        "a process that everybody shares is told no claim of one caller's token; set process = \"user\" or \"session\", or take the claim out"
    )]
    SharedClaim,
    /// A variable's value.
    #[error("{} can't be what a variable holds: {source}", .file.display())]
    VariableFile {
        /// The file that is named there.
        file: std::path::PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// Other systems have no such limit that could be set from outside.
    #[error("the memory of a process is limited on Linux only; take memory out")]
    NoMemoryLimit,
    /// Where users and grants are to be kept.
    #[error(transparent)]
    Database(#[from] DatabaseFault),
    /// Where the master key is.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyFault),
    /// The authorization server would not start.
    #[error(transparent)]
    AuthorizationServer(#[from] StartError),
    /// A trusted issuer, or an exchange, that can't be.
    #[error("{0}")]
    Delegation(String),
    /// A third party, or a way to sign in through one, that can't be.
    #[error("{0}")]
    Provider(String),
    /// Logs that can't be.
    #[error(transparent)]
    Edge(#[from] EdgeFault),
    /// A certificate or key that can't be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// A certificate that hallpass can't get by itself.
    #[error(transparent)]
    Acme(#[from] AcmeFault),
    /// Somebody else's authorization server, and nobody says whose.
    #[error(
        "{0}: the arrangement is {2}, and no issuer is named; add [[{1}.issuers]] with issuer = \"https://…\""
    )]
    NoIssuer(String, String, &'static str),
    /// No token is issued that could be opaque.
    #[error(
        "{0}: the arrangement is {1}, so hallpass issues no access tokens; take out access_tokens = \"opaque\""
    )]
    ExternalTokens(String, &'static str),
    /// The sample server logs its own user in.
    #[error(
        "{0}: the demo has an authorization server of its own; take out arrangement = \"{1}\", or --demo"
    )]
    ExternalDemo(String, &'static str),
    /// Tokens of a provider that cannot be handed on.
    #[error(transparent)]
    Proxied(#[from] ProxiedFault),
    /// A third party at which a server can't act.
    #[error(transparent)]
    Delegated(#[from] DelegatedFault),
    /// A credential or issuer that can't be.
    #[error(transparent)]
    Credential(#[from] CredentialFault),
    /// A word that can't be a scope.
    #[error(transparent)]
    Scope(#[from] ScopeFault),
}

impl PlanError {
    /// The same, with where in the file it is.
    pub(super) fn at(self, place: String) -> Self {
        // Some say it by themselves.
        if self.to_string().starts_with(&format!("{place}: ")) {
            return self;
        }
        Self::At { place, fault: Box::new(self) }
    }
}
