//! How a person takes part in a login.

mod browser;
mod callback;
mod device;
mod launch;
mod listen;
mod paste;
mod start;
mod surroundings;

pub use browser::Browser;
pub use device::{DeviceOffer, DevicePrompt};
pub use launch::{LaunchUrl, open_in_browser};
pub use listen::CallbackHost;
pub use paste::Lines;

use futures_util::future::BoxFuture;
use hallpass_protocol::secret::Secret;

use crate::error::InteractionError;

/// A way to ask a person to log in.
///
/// A login has two parts, because the redirect URI has to be known before the client can be
/// registered: [`begin`](Interaction::begin) makes the place where the answer will arrive, and
/// [`Login::finish`] sends the person to the authorization server and waits there.
///
/// One of one's own, for a program whose web server receives the answer:
///
/// ```
/// use std::{future::Future, pin::Pin};
///
/// use hallpass_client::{
///     Client, InteractionError,
///     interaction::{AuthorizationRequest, Interaction, Login},
/// };
///
/// type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
///
/// struct Website;
/// struct OnePage;
///
/// impl Interaction for Website {
///     fn begin<'a>(&'a self, _: &'a [String]) -> Soon<'a, Result<Box<dyn Login>, InteractionError>> {
///         Box::pin(async { Ok(Box::new(OnePage) as Box<dyn Login>) })
///     }
/// }
///
/// impl Login for OnePage {
///     fn redirect_uri(&self) -> &str {
///         "https://app.example.com/callback"
///     }
///
///     fn finish(self: Box<Self>, request: AuthorizationRequest) -> Soon<'static, Result<String, InteractionError>> {
///         Box::pin(async move {
///             // Show `request.url` to the person; then wait for the query at `/callback` that carries `request.state`.
///             Err(InteractionError::Other(format!("nobody came back from {}", request.url.as_str())))
///         })
///     }
/// }
///
/// Client::builder("https://mcp.example.com/mcp")?.interaction(Website).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Interaction: Send + Sync + 'static {
    /// Whether there is a person who may be asked. Where not, nothing else here is ever called.
    fn attended(&self) -> bool {
        true
    }

    /// Whether a code that is typed on another device (RFC 8628) is offered beside the redirect, where the
    /// authorization server can. Whichever comes first wins.
    fn offers_device(&self) -> bool {
        false
    }

    /// Whether nothing but such a code will do: then [`Login::finish`] is not called.
    fn device_only(&self) -> bool {
        false
    }

    /// Shows the person such a code, while [`Login::finish`] is waiting.
    fn show_device(&self, _: &DevicePrompt) {}

    /// Tells the person that another process is logging in to `server`, and that this login waits for it.
    fn show_waiting(&self, _server: &str) {}

    /// Gets ready to receive the answer. `registered` are the redirect URIs of a registration kept from
    /// before: using one of them again saves a new registration.
    fn begin<'a>(
        &'a self,
        registered: &'a [String],
    ) -> BoxFuture<'a, Result<Box<dyn Login>, InteractionError>>;
}

/// A login that is ready to receive its answer.
pub trait Login: Send {
    /// Where the authorization server is to send the browser back to.
    fn redirect_uri(&self) -> &str;

    /// Sends the person to the authorization server, and returns the query of the answer, as it came.
    /// An answer whose `state` is not that of `request` must be passed over.
    fn finish(
        self: Box<Self>,
        request: AuthorizationRequest,
    ) -> BoxFuture<'static, Result<String, InteractionError>>;
}

/// Where to send the person, and how to recognise the answer.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// The authorization endpoint with all parameters; checked, see [`LaunchUrl`].
    pub url: LaunchUrl,
    /// The `state` that the answer must carry (RFC 6749 §10.12).
    pub state: Secret,
}

/// Nobody is asked: for background requests, which must never open a browser.
#[derive(Clone, Copy, Debug, Default)]
pub struct Never;

impl Interaction for Never {
    fn attended(&self) -> bool {
        false
    }

    fn begin<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<Box<dyn Login>, InteractionError>> {
        Box::pin(async { Err(InteractionError::Other("nobody may be asked here".into())) })
    }
}
