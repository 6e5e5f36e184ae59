//! The pages of `/admin`.

use askama::Template;

use super::App;

#[derive(Template)]
#[template(path = "admin_users.html")]
pub(crate) struct AdminUsers {
    pub(crate) admin: String,
    pub(crate) account: String,
    pub(crate) csrf: String,
    pub(crate) username: String,
    pub(crate) error: Option<String>,
    pub(crate) users: Vec<UserLine>,
}

pub(crate) struct UserLine {
    pub(crate) name: String,
    pub(crate) since: String,
    pub(crate) is_admin: bool,
    pub(crate) disabled: bool,
    pub(crate) second_factor: bool,
    pub(crate) passkeys: u64,
    /// The person who looks at the page: nobody locks themselves out here.
    pub(crate) is_self: bool,
}

#[derive(Template)]
#[template(path = "link_made.html")]
pub(crate) struct LinkMadePage {
    pub(crate) admin: String,
    pub(crate) username: String,
    pub(crate) link: String,
}

#[derive(Template)]
#[template(path = "admin_clients.html")]
pub(crate) struct AdminClients {
    pub(crate) admin: String,
    pub(crate) account: String,
    pub(crate) csrf: String,
    pub(crate) username: String,
    pub(crate) clients: Vec<ClientLine>,
}

pub(crate) struct ClientLine {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) origin: &'static str,
    pub(crate) confidential: bool,
    pub(crate) disabled: bool,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) since: String,
}

#[derive(Template)]
#[template(path = "admin_apps.html")]
pub(crate) struct AdminApps {
    pub(crate) admin: String,
    pub(crate) account: String,
    pub(crate) csrf: String,
    pub(crate) username: String,
    pub(crate) apps: Vec<App>,
}

#[derive(Template)]
#[template(path = "admin_audit.html")]
pub(crate) struct AdminAudit {
    pub(crate) admin: String,
    pub(crate) account: String,
    pub(crate) username: String,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) reference: String,
    pub(crate) events: Vec<EventLine>,
    /// Where older ones are.
    pub(crate) older: Option<String>,
}

/// An event of the audit log.
pub(crate) struct EventLine {
    pub(crate) at: String,
    pub(crate) says: String,
    /// Name and value of what else is known.
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) detail: Option<String>,
}

#[derive(Template)]
#[template(path = "admin_keys.html")]
pub(crate) struct AdminKeys {
    pub(crate) admin: String,
    pub(crate) account: String,
    pub(crate) username: String,
    pub(crate) keys: Vec<KeyLine>,
}

/// A key that access tokens verify with.
pub(crate) struct KeyLine {
    pub(crate) id: String,
    pub(crate) algorithm: String,
    /// In one word: next, current, previous.
    pub(crate) state: &'static str,
    pub(crate) is_current: bool,
    /// What it does, since when or until when.
    pub(crate) says: String,
}
