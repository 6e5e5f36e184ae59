//! What is planned for one protected server: all that it shares with no other.

use std::sync::Arc;

use hallpass_authorization_server::TokenForm;
use hallpass_gateway::Listing;
use hallpass_gateway::upstream::HttpOptions;
use hallpass_protocol::ResourceIdentifier;
use hallpass_resource_server::AtExpiry;
use url::Url;

use super::credentials::CredentialPlan;
use super::delegated::DelegatedPlan;
use super::mark::Mark;
use super::plan_error::PlanError;
use super::proxied::ProxiedPlan;
use super::scopes::ScopePlan;
use super::signed_metadata::Signer;
use super::told::ToldPlan;
use super::upstream::Upstream;
use crate::cli;
use crate::config::{
    self, AccessTokens, Arrangement, EndpointPath, HostName, House, Protected, Section, Server, ServerName,
    StreamsAtExpiry,
};

/// What is planned for one protected server.
#[derive(Debug)]
pub(crate) struct ServerPlan {
    /// What the file calls it, where there may be several.
    pub(crate) key: Option<ServerName>,
    /// The table of the file that it is in.
    pub(crate) title: String,
    /// The host that it is at, if that is not the public URL's.
    pub(crate) host: Option<HostName>,
    /// The endpoint's path there.
    pub(crate) path: EndpointPath,
    /// The server's name on the page of consent; the public host where nobody gave one.
    pub(crate) name: Option<String>,
    /// The client that native applications may share.
    pub(crate) public_client_id: Option<String>,
    /// Who signs the protected resource metadata, if anybody does.
    pub(super) signer: Option<Signer>,
    /// What stands behind.
    pub(crate) upstream: Upstream,
    /// How it is spoken to.
    pub(super) options: HttpOptions,
    /// What that was read from.
    pub(super) options_mark: Arc<Mark>,
    /// What that is told.
    pub(super) told: ToldPlan,
    /// Origins of web pages that may call.
    pub(crate) allowed_origins: Vec<Url>,
    /// Scopes and who needs them.
    pub(crate) scopes: ScopePlan,
    /// Whose authorization server logs people in.
    pub(crate) arrangement: Arrangement,
    /// What it is at the provider whose tokens are handed on.
    pub(super) proxied: Option<ProxiedPlan>,
    /// At whom it acts for people.
    pub(super) delegated: Vec<DelegatedPlan>,
    /// What hallpass's own access tokens are.
    pub(crate) access_tokens: TokenForm,
    /// What becomes of streams when the token that opened them expires.
    pub(crate) streams: AtExpiry,
    /// How callers may show who they are.
    pub(crate) credentials: CredentialPlan,
    /// What is done with lists of tools, prompts and resources.
    pub(crate) listing: Listing,
    /// What all of this came from.
    pub(super) mark: Arc<Mark>,
    /// How much there is for each user, and for all.
    pub(crate) limits: hallpass_gateway::ServerLimits,
}

impl ServerPlan {
    /// What file and command line come to. `asks` is whether this process's own TLS asks for certificates.
    pub(super) fn of(
        house: &House<'_>,
        protected: &Protected<'_>,
        args: &cli::Serve,
        asks: bool,
    ) -> Result<Self, PlanError> {
        let Protected { server, section } = protected;
        // Its name counts, too: API keys are kept under it.
        let mark = Arc::new(Mark::of(&(section.title(), server), &server.files()));
        let tls = server.upstream_tls.as_ref();
        let files = tls.map(crate::config::UpstreamTls::files).unwrap_or_default();
        let said = (tls, server.upstream_transport, server.upstream_http);
        let options_mark = Arc::new(Mark::of(&said, &files));
        let credentials = CredentialPlan::of(server, *section)?.with_own_tls(asks);
        check_arrangement(server, *section, &credentials, args.demo)?;
        let (upstream, scopes, name) = if args.demo {
            (Upstream::Demo, ScopePlan::demo()?, Some("hallpass demo notebook".to_owned()))
        } else {
            let scopes = ScopePlan::of(server, *section)?;
            (Upstream::of(args, protected)?, scopes, server.name.clone())
        };
        // What is said about callers is signed with the authorization server's key, where there is one.
        let issues = server.arrangement != Arrangement::External;
        let proxied = ProxiedPlan::of(server, *section, &scopes)
            .map_err(|(place, fault)| PlanError::from(fault).at(place))?;
        let told = match args.demo {
            true => ToldPlan::default(),
            false => ToldPlan::of(server, *section, &upstream, issues)?,
        };
        let delegated = match args.demo {
            true => Vec::new(),
            false => DelegatedPlan::all(house, protected, &upstream, &scopes, &told)
                .map_err(|(place, fault)| PlanError::from(fault).at(place))?,
        };
        let signed = server.signed_metadata.as_ref();
        Ok(Self {
            key: section.name().cloned(),
            title: section.title(),
            host: server.host.as_ref().or(house.host()).cloned(),
            path: house.path_of(protected),
            name,
            public_client_id: server.public_client_id.clone(),
            signer: signed.map(|said| Signer::of(said, *section)).transpose()?,
            options_mark,
            options: if args.demo { HttpOptions::default() } else { upstream.options(protected)? },
            upstream,
            told,
            allowed_origins: server.allowed_origins.clone(),
            scopes,
            arrangement: server.arrangement,
            proxied,
            delegated,
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
            mark,
            limits: server.limits.into(),
        })
    }

    /// Whether hallpass itself issues its tokens.
    pub(crate) fn is_embedded(&self) -> bool {
        self.arrangement == Arrangement::Embedded
    }

    /// Whether its clients register and ask for tokens here, whoever issues those.
    pub(crate) fn is_fronted(&self) -> bool {
        self.arrangement != Arrangement::External
    }

    /// What people read on the page of consent. Never upstream's address, which is the operator's business. Servers of one
    /// origin are told apart by what the file calls them.
    pub(crate) fn shown_name(&self, resource: &ResourceIdentifier) -> String {
        let authority = resource.url().authority();
        match (&self.name, &self.key) {
            (Some(name), _) => name.clone(),
            (None, Some(key)) => format!("{key} at {authority}"),
            (None, None) => authority.to_owned(),
        }
    }
}

/// That somebody else's authorization server is named where it is to log people in.
fn check_arrangement(
    server: &Server,
    section: Section<'_>,
    credentials: &CredentialPlan,
    demo: bool,
) -> Result<(), PlanError> {
    let arrangement = match server.arrangement {
        Arrangement::Embedded => return Ok(()),
        Arrangement::External => "external",
        Arrangement::Proxied => "proxied",
    };
    let place = || section.place(&["arrangement"]);
    if demo {
        return Err(PlanError::ExternalDemo(place(), arrangement));
    }
    if credentials.first_issuer().is_none() {
        return Err(PlanError::NoIssuer(place(), section.title(), arrangement));
    }
    if server.access_tokens == AccessTokens::Opaque {
        return Err(PlanError::ExternalTokens(section.place(&["access_tokens"]), arrangement));
    }
    Ok(())
}
