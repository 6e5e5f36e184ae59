//! What can be in the log.

use std::net::IpAddr;

use hallpass_protocol::time::Timestamp;

/// Longer details are cut.
const LONGEST_DETAIL: usize = 300;
/// Longer names are cut, in bytes: they are indexed, and PostgreSQL refuses a row whose index entry is longer than 2704.
const LONGEST_NAME: usize = 1024;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $says:literal;)*) => {
        /// What happened.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        pub enum AuditKind {
            $($(#[$doc])* $kind,)*
        }

        impl AuditKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name that is stored.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The same for people.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self { $(Self::$kind => $says,)* }
            }
        }
    };
}

kinds! {
    /// A person logged in, with every factor.
    LoggedIn = "login", "Logged in";
    /// A password or passkey was not right.
    LoginRefused = "login_refused", "Login refused";
    /// A one-time code was not right.
    SecondFactorRefused = "second_factor_refused", "One-time code refused";
    /// A session was ended by its person.
    LoggedOut = "logout", "Logged out";
    /// A password was set or changed.
    PasswordSet = "password_set", "Password set";
    /// One-time codes were set up.
    SecondFactorOn = "second_factor_on", "One-time codes set up";
    /// One-time codes were turned off.
    SecondFactorOff = "second_factor_off", "One-time codes turned off";
    /// A passkey was added.
    PasskeyAdded = "passkey_added", "Passkey added";
    /// A passkey was removed.
    PasskeyRemoved = "passkey_removed", "Passkey removed";
    /// Who a person is at another issuer was unlinked from their account.
    IdentityUnlinked = "identity_unlinked", "Provider account unlinked";
    /// A person has let servers act for them at a third party.
    ThirdPartyLinked = "third_party_linked", "Third party linked";
    /// Servers act for a person at a third party no more: unlinked, or ended there.
    ThirdPartyEnded = "third_party_ended", "Third party's session ended";
    /// A user was added.
    UserAdded = "user_added", "User added";
    /// An identity provider has changed what is known of a user.
    UserChanged = "user_changed", "User changed";
    /// A user was disabled.
    UserDisabled = "user_disabled", "User disabled";
    /// A user was enabled.
    UserEnabled = "user_enabled", "User enabled";
    /// A user was removed.
    UserRemoved = "user_removed", "User removed";
    /// An account was linked to a name at another issuer.
    IdentityLinked = "identity_linked", "Account linked to another issuer";
    /// A link to set a password was made.
    LinkMade = "link_made", "Password link made";
    /// A user runs this server from now on.
    AdminGiven = "admin_given", "Made an administrator";
    /// A user runs this server no longer.
    AdminTaken = "admin_taken", "No longer an administrator";
    /// A person has allowed an app.
    ConsentGiven = "consent_given", "Allowed an app";
    /// A person has denied an app.
    ConsentDenied = "consent_denied", "Denied an app";
    /// An access token was issued.
    TokenIssued = "token_issued", "Token issued";
    /// A token was given back by its client.
    TokenRevoked = "token_revoked", "Token revoked";
    /// An authorization code came a second time; its grant has ended.
    CodeReplayed = "code_replayed", "Code used twice";
    /// A refresh token came again after its time; its grant has ended.
    RefreshTokenReplayed = "refresh_token_replayed", "Refresh token used twice";
    /// A connected app was disconnected.
    AppDisconnected = "app_disconnected", "App disconnected";
    /// A client's request was refused.
    RequestRefused = "request_refused", "Request refused";
    /// A person saw an error page.
    ErrorPage = "error_page", "Error page shown";
    /// A client registered itself.
    ClientRegistered = "client_registered", "Client registered";
    /// A client changed its registration.
    ClientChanged = "client_changed", "Client changed";
    /// A client was added by hand.
    ClientAdded = "client_added", "Client added";
    /// A client was removed, by hand or by itself.
    ClientRemoved = "client_removed", "Client removed";
    /// A client was switched off.
    ClientDisabled = "client_disabled", "Client switched off";
    /// A client was switched on.
    ClientEnabled = "client_enabled", "Client switched on";
    /// A token to register with was issued.
    InitialTokenIssued = "initial_token_issued", "Registration token issued";
    /// A token to register with was revoked.
    InitialTokenRevoked = "initial_token_revoked", "Registration token revoked";
    /// A token to provision people with was issued.
    ProvisioningTokenIssued = "provisioning_token_issued", "Provisioning token issued";
    /// A token to provision people with was revoked.
    ProvisioningTokenRevoked = "provisioning_token_revoked", "Provisioning token revoked";
    /// A trusted issuer was switched off.
    IssuerDisabled = "issuer_disabled", "Issuer switched off";
    /// A trusted issuer was switched on.
    IssuerEnabled = "issuer_enabled", "Issuer switched on";
    /// A signing key was published, or brought forward.
    KeyPublished = "key_published", "Signing key published";
    /// A signing key is gone.
    KeyRemoved = "key_removed", "Signing key removed";
    /// An API key or a password of a machine was added.
    AccountAdded = "account_added", "API key or password added";
    /// An API key or a password of a machine was revoked.
    AccountRevoked = "account_revoked", "API key or password revoked";
    /// A copy of the database was made.
    BackupMade = "backup_made", "Backup made";
    /// A copy took the place of the database.
    Restored = "restored", "Database restored";
    /// What was sealed was sealed under a new master key.
    MasterKeyRotated = "master_key_rotated", "Master key rotated";
    /// Former master keys were dropped.
    MasterKeysForgotten = "master_keys_forgotten", "Former master keys forgotten";
    /// There was more than the log takes.
    LeftOut = "left_out", "Events left out";
}

impl AuditKind {
    /// Whether strangers cause it: then it is kept for a week.
    #[must_use]
    pub fn is_fleeting(self) -> bool {
        use AuditKind::{ErrorPage, LeftOut, LoginRefused, RequestRefused, SecondFactorRefused};
        matches!(self, LoginRefused | SecondFactorRefused | RequestRefused | ErrorPage | LeftOut)
    }

    /// Whether strangers cause it as often as they like: then there is a bound. One-time codes come after a password, and
    /// waits bound how many are tried.
    pub(super) fn is_rationed(self) -> bool {
        self.is_fleeting() && self != Self::SecondFactorRefused
    }
}

/// Who did it, where that is not the person it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Whoever has the command line, or the program that this server is a part of.
    Operator,
    /// An administrator, by id.
    Admin(String),
    /// An issuer that the operator trusts, by its identifier.
    Issuer(String),
    /// An identity provider that provisions people: SCIM, with note and id of its token.
    Provisioning(String),
}

impl By {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Operator => "command line",
            Self::Admin(name) | Self::Issuer(name) | Self::Provisioning(name) => name,
        }
    }
}

/// An event to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewEvent {
    pub(crate) kind: AuditKind,
    pub(crate) user: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) grant: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) detail: Option<String>,
}

impl NewEvent {
    pub(crate) fn new(kind: AuditKind) -> Self {
        Self {
            kind,
            user: None,
            actor: None,
            client: None,
            grant: None,
            address: None,
            reference: None,
            detail: None,
        }
    }

    pub(crate) fn user(self, id: &str) -> Self {
        Self { user: Some(logged_name(id)), ..self }
    }

    pub(crate) fn by(self, by: &By) -> Self {
        Self { actor: Some(logged_name(by.name())), ..self }
    }

    pub(crate) fn client(self, id: &str) -> Self {
        Self { client: Some(logged_name(id)), ..self }
    }

    pub(crate) fn grant(self, id: &str) -> Self {
        Self { grant: Some(logged_name(id)), ..self }
    }

    pub(crate) fn address(self, address: Option<IpAddr>) -> Self {
        Self { address: address.map(|address| address.to_canonical().to_string()), ..self }
    }

    pub(crate) fn reference(self, reference: &str) -> Self {
        Self { reference: Some(logged_name(reference)), ..self }
    }

    /// In words. What a stranger chose may be among them, so it is made fit to be shown.
    pub(crate) fn detail(self, detail: impl AsRef<str>) -> Self {
        Self { detail: Some(plain(detail.as_ref()).take(LONGEST_DETAIL).collect()), ..self }
    }
}

/// A name or an id as it stands in the log, and as it is looked for there.
pub(crate) fn logged_name(text: &str) -> String {
    let mut name: String = plain(text).collect();
    name.truncate(name.floor_char_boundary(LONGEST_NAME));
    name
}

/// Without what no database could store, or what would turn a line around where it is shown.
fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_control() && !hallpass_protocol::is_deceptive(*c))
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id; ids are in order of time.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: the name of an [`AuditKind`], perhaps of another version.
    pub event: String,
    /// The person it is about, by id: the `sub` of tokens.
    pub user_id: Option<String>,
    /// That person's name today.
    pub user_name: Option<String>,
    /// Who did it, where that is another: `command line`, or an administrator's name or id.
    pub actor: Option<String>,
    /// The client.
    pub client_id: Option<String>,
    /// The grant: one installation of the client.
    pub grant_id: Option<String>,
    /// The network address it came from.
    pub address: Option<String>,
    /// The reference that an error page has shown.
    pub reference: Option<String>,
    /// More, in words.
    pub detail: Option<String>,
}

impl AuditEvent {
    /// What happened, for people.
    #[must_use]
    pub fn says(&self) -> &str {
        let known = AuditKind::ALL.iter().find(|kind| kind.name() == self.event);
        known.map_or(&self.event, |kind| kind.says())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_kinds_have_one_name() {
        let names: HashSet<_> = AuditKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), AuditKind::ALL.len());
    }

    #[test]
    fn what_a_stranger_chose_is_made_fit_to_be_shown() {
        let event =
            NewEvent::new(AuditKind::RequestRefused).client("a\u{0}b\u{202e}c").detail("x\n".repeat(1000));
        assert_eq!(event.client.as_deref(), Some("abc"));
        assert_eq!(event.detail.unwrap(), "x".repeat(LONGEST_DETAIL));
    }

    #[test]
    fn no_name_is_longer_in_bytes_than_an_index_takes() {
        let long = "€".repeat(2048);
        let event = NewEvent::new(AuditKind::RequestRefused).user(&long).by(&By::Admin(long.clone()));
        let event = event.client(&long).grant(&long).reference(&long);
        for name in [event.user, event.actor, event.client, event.grant, event.reference] {
            assert_eq!(name.unwrap(), "€".repeat(LONGEST_NAME / 3));
        }
        assert_eq!(logged_name(&"x".repeat(LONGEST_NAME)).len(), LONGEST_NAME, "not cut");
    }
}
