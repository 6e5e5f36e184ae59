//! The pages of `/account`, and the second factor's page of `/login`.

use askama::Template;

use super::ActsLine;

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    pub(crate) username: String,
    pub(crate) is_admin: bool,
    /// Where this page is; the addresses of its forms begin with it.
    pub(crate) account: String,
    pub(crate) csrf: String,
    pub(crate) apps: Vec<App>,
    pub(crate) sessions: Vec<SessionLine>,
    pub(crate) passkeys: Vec<PasskeyLine>,
    pub(crate) offers_passkeys: bool,
    pub(crate) passwords: bool,
    /// A provider that is linked: nobody knows whether such a person ever had a password here.
    pub(crate) signs_in_with: Option<String>,
    pub(crate) providers: Vec<ProviderLine>,
    pub(crate) acts: Vec<ActsLine>,
    pub(crate) second_factor: bool,
    pub(crate) recovery_codes: i64,
    pub(crate) admin: String,
}

/// A connected app.
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) username: String,
    pub(crate) resource: String,
    /// Its scopes in words.
    pub(crate) may: Vec<String>,
    pub(crate) device: Option<String>,
    pub(crate) since: String,
    pub(crate) used: String,
}

/// A browser that is logged in.
pub(crate) struct SessionLine {
    pub(crate) id: String,
    pub(crate) device: String,
    pub(crate) since: String,
    /// The one that shows this page.
    pub(crate) is_this: bool,
}

/// A provider: linked, or to be linked.
pub(crate) struct ProviderLine {
    pub(crate) name: String,
    /// What is linked.
    pub(crate) id: Option<String>,
    pub(crate) since: String,
    pub(crate) used: Option<String>,
    /// Where it can be.
    pub(crate) connect: String,
}

pub(crate) struct PasskeyLine {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) since: String,
    pub(crate) used: Option<String>,
}

#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage {
    pub(crate) error: Option<String>,
    pub(crate) action: String,
    pub(crate) account: String,
    pub(crate) csrf: String,
    pub(crate) username: String,
}

#[derive(Template)]
#[template(path = "new_passkey.html")]
pub(crate) struct NewPasskeyPage {
    pub(crate) error: Option<String>,
    pub(crate) action: String,
    pub(crate) account: String,
    pub(crate) csrf: String,
    pub(crate) challenge: String,
    pub(crate) party: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    /// COSE numbers, best first.
    pub(crate) algorithms: String,
    /// The ids of those that the person has.
    pub(crate) known: String,
    pub(crate) name: String,
    pub(crate) script: String,
}

#[derive(Template)]
#[template(path = "enrol.html")]
pub(crate) struct EnrolPage {
    pub(crate) error: Option<String>,
    /// An SVG of this server's making.
    pub(crate) picture: String,
    pub(crate) typed: String,
    pub(crate) action: String,
    pub(crate) account: String,
    pub(crate) csrf: String,
    pub(crate) offer: String,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(crate) struct RecoveryCodesPage {
    pub(crate) codes: Vec<String>,
    pub(crate) account: String,
}

#[derive(Template)]
#[template(path = "code.html")]
pub(crate) struct CodePage {
    pub(crate) error: Option<String>,
    pub(crate) action: String,
    pub(crate) leads: (&'static str, String),
    pub(crate) csrf: String,
    pub(crate) username: String,
    /// The page of the password.
    pub(crate) again: String,
}
