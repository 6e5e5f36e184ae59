//! What the configuration file may say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use url::Url;

use super::lists;
use super::{
    Assertion, AuthorizationServer, Cedar, Credentials, Database, Delegated, EndpointPath, FieldName,
    HostName, Issuer, Limits, ListenAddress, Log, MasterKey, Monitoring, Otlp, OwnField, ProcessFor,
    ProcessLimits, ProxiedServer, Proxy, PublicUrl, Rules, ServerLimits, ServerName, SignedMetadata, Source,
    Tells, Tenant, TenantName, ThirdParty, Tls, UpstreamHttp, UpstreamTls, UpstreamToken, UpstreamTransport,
    UpstreamUrl, Variable,
};

/// The configuration of `hallpass serve`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where to listen: host and port. Default: `localhost:8080`, this machine only.
    pub(crate) listen: Option<ListenAddress>,
    /// What clients call this server; metadata, issuer and resource are built from it.
    /// Default: `http://localhost` with the port.
    pub(crate) public_url: Option<PublicUrl>,
    /// TLS ends in front of hallpass: take a public URL that is plain http for its https form.
    pub(crate) tls_in_front: bool,
    /// TLS that ends at hallpass itself. Without it, a proxy in front ends TLS, or nobody does.
    pub(crate) tls: Option<Tls>,
    /// The folder for keys, database and tokens.
    pub(crate) data: Option<PathBuf>,
    /// Where users, clients and grants are kept.
    pub(crate) database: Database,
    /// Where the key is that encrypts secrets in the database. Default: `master.key` in the data folder, which the first start makes.
    pub(crate) master_key: MasterKey,
    /// A listener of its own for load balancers and orchestrators.
    pub(crate) monitoring: Monitoring,
    /// Logs of lines, beside what is said on standard error.
    pub(crate) log: Log,
    /// Spans of requests, for a collector of OpenTelemetry. Default: none.
    pub(crate) otlp: Option<Otlp>,
    /// Who is believed about the client of a request.
    pub(crate) proxy: Proxy,
    /// How much there is for each network address.
    pub(crate) limits: Limits,
    /// The MCP server to protect, where it is the only one.
    pub(crate) server: Option<Server>,
    /// Several MCP servers to protect, each by its name and with settings of its own, in place of `[server]`.
    pub(crate) servers: BTreeMap<ServerName, Server>,
    /// The embedded authorization server.
    pub(crate) authorization_server: AuthorizationServer,
    /// Tenants, each by its name: an issuer, users, clients and servers of its own, of which nothing is anything at another.
    pub(crate) tenants: BTreeMap<TenantName, Tenant>,
    /// The file that this was read from.
    #[serde(skip)]
    pub(crate) source: Source,
    /// Authorization servers of others, of which hallpass is a client, each by its name.
    pub(crate) third_parties: BTreeMap<String, ThirdParty>,
    /// What identity providers do differently, for `third_parties` and for `connect`, `login`, `token` and `doctor`. The last
    /// whose `issuers` fit is taken, before those that hallpass knows.
    pub(crate) provider: Vec<hallpass_client::Profile>,
}

/// An MCP server to protect.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Its name, as people see it when they consent.
    pub(crate) name: Option<String>,
    /// The path of its endpoint below the public URL. Default: `/mcp`; of one among several, `/NAME/mcp`.
    pub(crate) path: Option<EndpointPath>,
    /// A host of its own, in place of the public URL's: its endpoint and its metadata are there, and its web pages come from
    /// there. Default: the public URL's.
    pub(crate) host: Option<HostName>,
    /// Its MCP endpoint, for a server that speaks streamable HTTP. `{NAME}` in it, as in `https://{tenant}.internal/mcp`, is what
    /// the caller's verified claim of that name says; `tenant` is the caller's tenant, whatever the claim is called.
    pub(crate) upstream: Option<UpstreamUrl>,
    /// What each such claim may be: `{ tenant = ["acme", "globex"] }`. Who has another one is refused.
    pub(crate) upstream_values: BTreeMap<String, Vec<String>>,
    /// What it is told about who is calling: `fields` (`X-Hallpass-Subject`, `-Issuer`, `-Client`, `-Scope`, and `-Email` where
    /// that is verified), `assertion` (a short signed JWT), `token` (one that is made for it, in exchange for the caller's)
    /// or `nothing`. Never the caller's own token. Default: `fields`.
    pub(crate) tells: Tells,
    /// What the assertion is like.
    pub(crate) assertion: Option<Assertion>,
    /// Where a token for it is had in exchange for the caller's own.
    pub(crate) upstream_token: Option<UpstreamToken>,
    /// Fields with which hallpass shows it who hallpass is: a credential of hallpass's own, whoever is calling. What clients
    /// say in them does not arrive.
    pub(crate) upstream_fields: BTreeMap<FieldName, OwnField>,
    /// What carries messages to `upstream`: `streamable-http`, or `sse` (HTTP+SSE of 2024-11-05, for clients that speak it too;
    /// `upstream` is the URL of the stream). Default: `streamable-http`.
    pub(crate) upstream_transport: UpstreamTransport,
    /// Which HTTP `upstream` is spoken to: `1.1`, or `2` (over https where the server takes it, else 1.1; over http in any
    /// case). Default: `1.1`.
    pub(crate) upstream_http: UpstreamHttp,
    /// Whom hallpass trusts when it calls `upstream` over https, and what it shows.
    pub(crate) upstream_tls: Option<UpstreamTls>,
    /// The command that starts it, for a server that speaks stdio.
    pub(crate) command: Option<Vec<String>>,
    /// For whom there is one process of that command: `session`, `user` (one for each, through all clients) or `shared` (one for
    /// everybody). Default: `session`.
    pub(crate) process: ProcessFor,
    /// How much the processes of that command may use.
    pub(crate) process_limits: ProcessLimits,
    /// Environment variables for that command: a text, `{ claim = "NAME" }` of the caller's token, `{ file = "PATH" }` for what is
    /// in that file when a process starts, or `{ inherit = true }` for hallpass's own of that name. Of hallpass's other variables
    /// it gets `PATH`, `HOME` and their like only.
    pub(crate) environment: BTreeMap<String, Variable>,
    /// The folder that the command runs in.
    pub(crate) directory: Option<PathBuf>,
    /// The user of the system that the command runs as, by name or number. Another than hallpass's own needs root.
    pub(crate) user: Option<String>,
    /// Its group, by name or number. Default: that user's own.
    pub(crate) group: Option<String>,
    /// A public client that native applications may share where they cannot register themselves: its id is published in
    /// the server's metadata. Added by `hallpass client add --id ID --redirect-uri http://127.0.0.1/callback`.
    pub(crate) public_client_id: Option<String>,
    /// Sign the protected resource metadata (RFC 9728 §2.2). Default: it is not signed.
    pub(crate) signed_metadata: Option<SignedMetadata>,
    /// Origins of web pages that may call the server, beside its own.
    pub(crate) allowed_origins: Vec<Url>,
    /// How callers may show who they are, beside Bearer tokens.
    pub(crate) credentials: Credentials,
    /// Whose authorization server logs people in: `embedded` (hallpass itself), `external` (the first of `issuers`; hallpass
    /// issues no tokens and has no pages for people), or `proxied` (the same, and hallpass stands before it: clients register
    /// and ask here, and get its tokens). Default: `embedded`.
    pub(crate) arrangement: Arrangement,
    /// What it is at the provider whose tokens are handed on, where the arrangement is `proxied`.
    pub(crate) proxied: Option<ProxiedServer>,
    /// Third parties at which it acts for whoever calls, each by its name. Default: none.
    pub(crate) delegated: BTreeMap<String, Delegated>,
    /// Authorization servers whose tokens are taken, beside the embedded one's if there is one.
    pub(crate) issuers: Vec<Issuer>,
    /// What hallpass's own access tokens for this server are: `jwt` (signed, RFC 9068), or `opaque` (random; they say nothing to
    /// anybody but hallpass, which is asked by RFC 7662). Default: `jwt`.
    pub(crate) access_tokens: AccessTokens,
    /// What becomes of a stream of events when the token that opened it expires: `end-listening` (the stream of a GET ends, the
    /// answer to a POST goes on), `end-all` or `go-on`. Revocation ends every stream. Default: `end-listening`.
    pub(crate) streams_at_expiry: StreamsAtExpiry,
    /// What the server's scopes are called.
    pub(crate) scopes: Scopes,
    /// What a tool asks for, by name; each `*` stands for any run of characters. All rules that match
    /// count, and "deny" wins. A tool without a rule asks for the default scopes.
    pub(crate) tools: Rules,
    /// The same for prompts, by name.
    pub(crate) prompts: Rules,
    /// The same for resources, by URI.
    pub(crate) resources: Rules,
    /// The same for JSON-RPC methods.
    pub(crate) methods: Rules,
    /// What holds for a tool, prompt or resource that no rule names: `login` (the default scopes) or `deny`, which closes
    /// kinds without a single rule as well. Default: `login`.
    pub(crate) without_rule: WithoutRule,
    /// Policies in Cedar, beside the rules. Default: none.
    pub(crate) cedar: Option<Cedar>,
    /// The tenants that may call at all. Default: any.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) tenants: Vec<String>,
    /// What is done with the lists of tools, prompts and resources that the server answers: `annotate` (say
    /// which scopes each needs), `hide` (the same, without those that the caller could not even log in for)
    /// or `leave`. Default: `annotate`.
    pub(crate) listing: Listing,
    /// How much there is for each user, and for all together. Default: no limit.
    pub(crate) limits: ServerLimits,
}

/// Whose authorization server logs people in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arrangement {
    /// hallpass itself.
    #[default]
    Embedded,
    /// Somebody else's, the first of `issuers`.
    External,
    /// The same, with hallpass before it.
    Proxied,
}

/// What access tokens are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccessTokens {
    /// Signed: they say in themselves what they are good for.
    #[default]
    Jwt,
    /// Random: hallpass alone knows.
    Opaque,
}

/// What becomes of streams when the token that opened them expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StreamsAtExpiry {
    /// The stream of a GET ends; the answer to a POST goes on.
    #[default]
    EndListening,
    /// Every stream ends.
    EndAll,
    /// Every stream goes on.
    GoOn,
}

/// What is done with lists of tools, prompts and resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Listing {
    /// Say which scopes each needs.
    #[default]
    Annotate,
    /// Annotate, and leave out what the caller could not even log in for.
    Hide,
    /// As the server answers.
    Leave,
}

/// What holds where no rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WithoutRule {
    /// The default scopes are needed.
    #[default]
    Login,
    /// It is denied.
    Deny,
}

/// Scopes: `default` is what a login asks for, every other member describes one scope.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Scopes {
    /// The scopes that a login asks for. Default: every scope that is described, or `mcp` where none is.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) default: Vec<String>,
    /// One scope.
    #[serde(flatten)]
    pub(crate) described: BTreeMap<String, Scope>,
}

// By hand: what is flattened by serde has lost the lines that it stood in.
impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Scopes;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a table of scopes, as in [server.scopes]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Scopes, A::Error> {
                let mut scopes = Scopes::default();
                while let Some(name) = members.next_key::<String>()? {
                    if name == "default" {
                        scopes.default = members.next_value::<Named>()?.0;
                    } else {
                        scopes.described.insert(name, members.next_value()?);
                    }
                }
                Ok(scopes)
            }
        }
        deserializer.deserialize_map(Shape)
    }
}

#[derive(Deserialize)]
struct Named(#[serde(deserialize_with = "lists::some")] Vec<String>);

/// One scope.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scope {
    /// What it allows, in words, for the page of consent. Default: its name.
    #[serde(deserialize_with = "lists::words")]
    pub(crate) says: Option<String>,
    /// Scopes that it brings with it.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) implies: Vec<String>,
}
