//! What can stand behind the gateway.

mod answer;
mod given;
pub mod headers;
mod http;
mod http2;
mod onward;
mod options;
mod sse;
mod tls;
pub mod told;
mod wire;

use std::convert::Infallible;
use std::sync::Arc;

use ::http::header::HOST;
use ::http::{HeaderValue, Method, Request};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::{Either, ready};
use hallpass_resource_server::{Caller, Permitted, Refusal};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};
use url::Url;

pub(crate) use self::answer::bad_gateway;
use self::given::Given;
use self::http::HttpUpstream;
pub use self::http::HttpUpstreamError;
use self::onward::Onward;
pub use self::options::{HttpOptions, HttpVersion, Transport};
use self::sse::SseUpstream;
pub use self::tls::{Shown, UpstreamTls, UpstreamTlsError};
use self::told::{Handed, NotHanded, Place, Told, Unlinked, linking};
use crate::edge::RequestId;
use crate::stdio::{Lent, Limits, StdioCommand, StdioServer};

type BoxedService = BoxCloneSyncService<Request<Body>, Response, Infallible>;

/// An MCP server that requests are carried to.
#[derive(Clone, Debug)]
pub struct Upstream {
    kind: Kind,
    given: Arc<Given>,
    told: Told,
}

#[derive(Clone, Debug)]
enum Kind {
    Http(Arc<HttpUpstream>),
    Sse(SseUpstream),
    Stdio(StdioServer),
    Service(BoxedService),
}

impl Upstream {
    /// A server that speaks streamable HTTP at this URL. Where the URL has a query, every request has
    /// it, and a client's own query is dropped: MCP endpoints take none.
    ///
    /// # Errors
    /// Where the URL is not http or https, or holds credentials, or the system has no certificates to
    /// trust.
    pub fn http(url: &Url) -> Result<Self, HttpUpstreamError> {
        Self::http_with(url, &HttpOptions::default())
    }

    /// A server at this URL that is spoken to as these say. With [`Transport::Sse`], the URL is that of the stream.
    ///
    /// # Errors
    /// As [`Self::http`], and where TLS is set and the URL is not https: it would be sent in the clear.
    pub fn http_with(url: &Url, options: &HttpOptions) -> Result<Self, HttpUpstreamError> {
        let http = HttpUpstream::new(url, options)?;
        Ok(Self::of(match options.transport {
            Transport::StreamableHttp => Kind::Http(Arc::new(http)),
            Transport::Sse => Kind::Sse(SseUpstream::new(http, url.clone())),
        }))
    }

    /// A server that speaks stdio: one process for each MCP session.
    #[must_use]
    pub fn stdio(command: StdioCommand, limits: Limits) -> Self {
        Self::of(Kind::Stdio(StdioServer::new(command, limits)))
    }

    /// A service in this process, such as rmcp's `StreamableHttpService` or an axum router. It sees
    /// `Host: localhost` and the [`Caller`](hallpass_resource_server::Caller) in the extensions.
    pub fn service<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        let service = service.map_response(IntoResponse::into_response);
        Self::of(Kind::Service(BoxCloneSyncService::new(service)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, given: Arc::default(), told: Told::default() }
    }

    /// The same server, which is told this.
    #[must_use]
    pub fn telling(self, told: Told) -> Self {
        Self { told, ..self }
    }

    /// The same server behind the protected one of that name, for the log.
    pub(crate) fn behind(mut self, server: &Arc<str>) -> Self {
        self.told.server = Arc::clone(server);
        self
    }

    /// Carries a permitted request to the server, and its answer back. A session id leads only whom it
    /// was given to.
    ///
    /// # Errors
    /// Where the server needs a third party's token of the caller's, and there is none: [`Refusal::NotLinked`],
    /// [`Refusal::NotAgreed`] and [`Refusal::ThirdPartyUnavailable`].
    pub fn forward(
        &self,
        permitted: Permitted<Request<Body>>,
    ) -> impl Future<Output = Result<Response, Refusal>> + Send + '_ {
        let (request, caller) = permitted.into_parts();
        // What is not done for nearly every request is in a box: all that waits in here is handed on with each.
        match self.known(&request, &caller) {
            Some(handed) => Either::Left(self.carry_with(request, caller, None, handed, false).map(Ok)),
            None => Either::Right(Box::pin(self.ask_and_carry(request, caller))),
        }
    }

    /// What third parties give, where nobody has to be waited for with this request: nearly always it is in memory.
    fn known(&self, request: &Request<Body>, caller: &Caller) -> Option<Handed> {
        if !self.told.asks_for_each() {
            return Some(Handed::default());
        }
        if self.told.makes_for_each() || linking::may_introduce(request) {
            return None;
        }
        self.told.hand_known(caller, |place| self.is_place(place, request.method()))
    }

    async fn ask_and_carry(&self, mut request: Request<Body>, caller: Caller) -> Result<Response, Refusal> {
        let mut can_be_led = false;
        if self.told.works_at_third_parties() {
            (request, can_be_led) = linking::introduces(request).await?;
        }
        let method = request.method().clone();
        let handed = match self.told.hand(&caller, |place| self.is_place(place, &method)).await {
            Ok(handed) => handed,
            Err(NotHanded::Unavailable(party)) => return Err(Refusal::ThirdPartyUnavailable { party }),
            Err(NotHanded::NotAgreed(party)) => return Err(Refusal::NotAgreed { party }),
            Err(NotHanded::Unlinked(unlinked)) => return self.lead(request, &caller, &unlinked).await,
        };
        let made = match self.told.made(request.headers(), &caller).await {
            Ok(made) => made,
            Err(error) => {
                tracing::warn!(server = &*self.told.server, %error, "a request was not carried on");
                return Ok(bad_gateway(error.told()));
            }
        };
        Ok(self.carry_with(request, caller, made, handed, can_be_led).await)
    }

    /// Whether a token there reaches the server with such a request. The end of a session over stdio needs none.
    fn is_place(&self, place: &Place, method: &Method) -> bool {
        match (&self.kind, place) {
            (Kind::Stdio(stdio), Place::Variable(_)) => !stdio.is_everybodys() && method != Method::DELETE,
            (Kind::Stdio(_), Place::Field(_)) | (_, Place::Variable(_)) => false,
            (_, Place::Field(_)) => true,
        }
    }

    /// Leads the caller to where accounts are linked, where their client can be led; else whoever logs in again links them.
    async fn lead(
        &self,
        request: Request<Body>,
        caller: &Caller,
        unlinked: &[Unlinked],
    ) -> Result<Response, Refusal> {
        if let Kind::Stdio(stdio) = &self.kind {
            // What a process has of an account that is not there any more is of no use, and nothing to keep.
            stdio.take_back(caller);
        }
        let refusal = Unlinked::refusal(unlinked, caller);
        let can_be_led = self.given.can_be_led(request.headers(), caller);
        linking::lead(request, unlinked, can_be_led, &refusal).await.ok_or(refusal)
    }

    fn carry_with(
        &self,
        request: Request<Body>,
        caller: Caller,
        made: Option<HeaderValue>,
        handed: Handed,
        can_be_led: bool,
    ) -> impl Future<Output = Response> + Send + '_ {
        let Some(http) = self.http1() else {
            return Either::Right(Box::pin(self.carry(request, caller, made, handed, can_be_led)));
        };
        Either::Left(match self.write(http, request, &caller, made, handed) {
            Err(refused) => Either::Right(ready(*refused)),
            Ok((began, answer)) => Either::Left(async move {
                let response = answer.await;
                self.given.note(began, can_be_led, &response, &caller);
                response
            }),
        })
    }

    /// What nearly every request goes to.
    fn http1(&self) -> Option<&HttpUpstream> {
        match &self.kind {
            Kind::Http(http) if http.speaks_http1_alone() => Some(http),
            _ => None,
        }
    }

    /// Writes a request; who waits for its answer keeps nothing of it. Says whether it is to begin a session.
    fn write<'h>(
        &self,
        http: &'h HttpUpstream,
        mut request: Request<Body>,
        caller: &Caller,
        made: Option<HeaderValue>,
        handed: Handed,
    ) -> Result<(bool, impl Future<Output = Response> + Send + use<'h>), Box<Response>> {
        let id = request.extensions().get::<RequestId>().copied();
        let said = self
            .told
            .say(caller, id.as_ref(), made, handed.fields)
            .map_err(|error| Box::new(self.unsaid(&error)))?;
        let fields = Onward::new(std::mem::take(request.headers_mut()), said);
        let began = self.given.check(&fields, caller)?;
        Ok((began, http.write(request, fields)))
    }

    /// The same to a server of any kind.
    async fn carry(
        &self,
        mut request: Request<Body>,
        caller: Caller,
        made: Option<HeaderValue>,
        handed: Handed,
        can_be_led: bool,
    ) -> Response {
        let id = request.extensions().get::<RequestId>().copied();
        let Handed { fields: handed, variables } = handed;
        let said = match self.told.say(&caller, id.as_ref(), made, handed) {
            Ok(said) => said,
            Err(error) => return self.unsaid(&error),
        };
        let fields = Onward::new(std::mem::take(request.headers_mut()), said);
        if let Kind::Stdio(stdio) = &self.kind {
            *request.headers_mut() = fields.into_map();
            let lent = Lent { names: self.told.variables_of(&caller), values: variables };
            let response = stdio.forward(request, &caller, &lent).await;
            if can_be_led {
                self.given.note(true, true, &response, &caller);
            }
            return response;
        }
        let began = match self.given.check(&fields, &caller) {
            Ok(began) => began,
            Err(refused) => return *refused,
        };
        let response = match &self.kind {
            Kind::Http(http) => http.forward(request, fields).await,
            Kind::Sse(sse) => sse.forward(request, fields, &caller).await,
            Kind::Stdio(stdio) => stdio.forward(request, &caller, &Lent::default()).await,
            Kind::Service(service) => ask(service, request, fields).await,
        };
        self.given.note(began, can_be_led, &response, &caller);
        response
    }

    fn unsaid(&self, error: &told::Unsigned) -> Response {
        tracing::error!(server = &*self.told.server, %error, "a request was not carried on");
        bad_gateway(
            "the gateway cannot say to the MCP server behind it who is calling; its operator has to mend that",
        )
    }

    /// Ends what this upstream runs.
    pub(crate) async fn close(&self) {
        if let Kind::Stdio(stdio) = &self.kind {
            stdio.close().await;
        }
    }
}

/// A service in this process.
async fn ask(service: &BoxedService, mut request: Request<Body>, fields: Onward<'_>) -> Response {
    *request.headers_mut() = fields.into_map();
    request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    match service.clone().oneshot(request).await {
        Ok(response) => answer::clean(response),
        Err(never) => match never {},
    }
}
