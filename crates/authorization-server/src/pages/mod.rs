//! What people see: plain HTML, each page a template in `templates/`. Only passkeys take a script.

mod account;
mod acts;
mod admin;
mod confirm;
mod headers;
mod problem;
mod stays;
mod text;
mod when;

use std::time::Duration;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

pub(crate) use account::{
    AccountPage, App, CodePage, EnrolPage, NewPasskeyPage, PasskeyLine, PasswordPage, ProviderLine,
    RecoveryCodesPage, SessionLine,
};
pub(crate) use acts::{ActsAt, ActsLine, ActsPage};
pub(crate) use admin::{
    AdminApps, AdminAudit, AdminClients, AdminKeys, AdminUsers, ClientLine, EventLine, KeyLine, LinkMadePage,
    UserLine,
};
pub(crate) use confirm::ConfirmPage;
pub(crate) use headers::FormTarget;
pub(crate) use problem::{Problem, ShownProblem};
pub(crate) use stays::Stays;
pub(crate) use text::{sentence, shown};
pub(crate) use when::ago;

/// The one stylesheet. It stands in each page, and its hash in each page's policy.
pub(crate) const STYLE: &str = include_str!("../../templates/style.css");

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    pub(crate) passkey: Option<PasskeyLogin>,
    /// Whether there is a form for a password.
    pub(crate) passwords: bool,
    pub(crate) through: Vec<Through>,
    /// The client and the resource, where a client waits for the login.
    pub(crate) asks: Option<(String, String)>,
    pub(crate) error: Option<String>,
    /// There is no user at all yet.
    pub(crate) nobody: bool,
    pub(crate) action: String,
    /// The hidden field that says where the login leads: its name and value.
    pub(crate) leads: (&'static str, String),
    pub(crate) csrf: String,
    pub(crate) username: String,
}

/// A provider to sign in through, by a link.
pub(crate) struct Through {
    pub(crate) shown: String,
    pub(crate) place: String,
}

/// The form by which a passkey logs in.
pub(crate) struct PasskeyLogin {
    pub(crate) action: String,
    pub(crate) csrf: String,
    pub(crate) challenge: String,
    pub(crate) party: String,
    pub(crate) script: String,
}

#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage {
    pub(crate) client: String,
    /// The domain that published the client's metadata document.
    pub(crate) domain: Option<String>,
    /// Where an app without a verified domain comes from, in words.
    pub(crate) origin: &'static str,
    pub(crate) redirect_host: String,
    /// The whole of it, where a provider is asked next.
    pub(crate) redirect_uri: Option<String>,
    /// All of the client's redirect URIs lead to the person's own machine.
    pub(crate) loopback_only: bool,
    /// The answer goes to an app by a scheme of its own.
    pub(crate) app_scheme: Option<String>,
    pub(crate) resource: String,
    pub(crate) resource_identifier: String,
    /// Where the server acts for the person with it.
    pub(crate) acts: Vec<ActsAt>,
    /// Stands for that in the form.
    pub(crate) shown: Option<String>,
    /// What is new.
    pub(crate) scopes: Vec<ScopeInWords>,
    /// What the person has allowed before.
    pub(crate) agreed: Vec<ScopeInWords>,
    /// What is asked for, and beyond what the person's groups allow.
    pub(crate) withheld: Vec<ScopeInWords>,
    pub(crate) stays: Stays,
    pub(crate) action: String,
    pub(crate) interaction: String,
    pub(crate) csrf: String,
    /// Who is logged in here, if people log in here.
    pub(crate) username: Option<String>,
    /// Where the person logs in next, if it is elsewhere.
    pub(crate) provider: Option<String>,
    /// What is asked for there beside what this app asks for, as it is called there.
    pub(crate) besides: Vec<String>,
}

/// Asks for the code that a device shows.
#[derive(Template)]
#[template(path = "device.html")]
pub(crate) struct DevicePage {
    pub(crate) error: Option<&'static str>,
    pub(crate) action: String,
}

/// Asks what a device may have.
#[derive(Template)]
#[template(path = "device_consent.html")]
pub(crate) struct DeviceConsentPage {
    pub(crate) client: String,
    pub(crate) domain: Option<String>,
    pub(crate) is_configured: bool,
    pub(crate) resource: String,
    pub(crate) resource_identifier: String,
    /// Where the server acts for the person with it.
    pub(crate) acts: Vec<ActsAt>,
    /// Stands for that in the form.
    pub(crate) shown: Option<String>,
    pub(crate) scopes: Vec<ScopeInWords>,
    pub(crate) stays: Stays,
    pub(crate) action: String,
    pub(crate) code: String,
    pub(crate) csrf: String,
    pub(crate) username: String,
}

/// Says what was decided.
#[derive(Template)]
#[template(path = "device_done.html")]
pub(crate) struct DeviceDonePage {
    pub(crate) allowed: bool,
}

/// A scope and what it allows.
pub(crate) struct ScopeInWords {
    pub(crate) name: String,
    pub(crate) says: String,
}

#[derive(Template)]
#[template(path = "setup.html")]
pub(crate) struct SetupPage {
    pub(crate) error: Option<String>,
    pub(crate) action: String,
    pub(crate) token: String,
    pub(crate) csrf: String,
    pub(crate) username: String,
}

#[derive(Template)]
#[template(path = "setup_done.html")]
pub(crate) struct SetupDonePage {
    pub(crate) username: String,
    pub(crate) resources: Vec<String>,
}

#[derive(Template)]
#[template(path = "link.html")]
pub(crate) struct LinkPage {
    pub(crate) error: Option<String>,
    pub(crate) action: String,
    pub(crate) token: String,
    pub(crate) csrf: String,
    pub(crate) username: String,
}

#[derive(Template)]
#[template(path = "link_done.html")]
pub(crate) struct LinkDonePage {
    pub(crate) username: String,
    /// The account page.
    pub(crate) account: String,
}

/// A request that was refused, where the person decides whether its client hears of it.
#[derive(Template)]
#[template(path = "refused.html")]
pub(crate) struct RefusedPage<'a> {
    pub(crate) client: String,
    /// The error code. Descriptions may quote the request, so they stand in the log and in the link alone.
    pub(crate) error: &'a str,
    /// Where the link leads.
    pub(crate) receiver: String,
    pub(crate) back: String,
    /// Under it the audit log says why.
    pub(crate) reference: &'a str,
}

/// What stands beside this server's own pages.
#[derive(Template)]
#[template(path = "plain.html")]
struct PlainPage<'a> {
    title: &'a str,
    markup: &'a str,
}

/// A page in the looks of this server's own, for what stands beside it. The title is text; the rest is markup, in which
/// whatever a stranger may have chosen has to be escaped. It has no forms, and is kept by nobody.
#[must_use]
pub fn plain_page(status: StatusCode, title: &str, markup: &str) -> Response {
    answer(status, &PlainPage { title, markup }, &FormTarget::None)
}

/// Turns a page into an answer, with the headers that every page has.
pub(crate) fn answer(status: StatusCode, page: &impl Template, target: &FormTarget) -> Response {
    render(status, page, headers::of_a_page(target, false))
}

/// The same for a page that asks for a passkey, which takes a script.
pub(crate) fn answer_with_script(status: StatusCode, page: &impl Template, target: &FormTarget) -> Response {
    render(status, page, headers::of_a_page(target, true))
}

fn render(status: StatusCode, page: &impl Template, headers: http::HeaderMap) -> Response {
    match page.render() {
        Ok(html) => (status, headers, html).into_response(),
        Err(error) => {
            // Writing into a string cannot fail; a template that says so is a fault of the program.
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The one script, for passkeys.
pub(crate) const SCRIPT: &str = include_str!("../../templates/passkeys.js");

/// Adds `Retry-After` (RFC 9110 §10.2.3).
pub(crate) fn retry_after(mut response: Response, wait: Duration) -> Response {
    let seconds = wait.as_secs().max(1);
    response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
    response
}
