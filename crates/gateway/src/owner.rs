//! Whose something is that outlives a request.

use hallpass_resource_server::Caller;

/// A user through a client, as their issuer names them. Nobody else can use what is theirs, whatever
/// they know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    issuer: String,
    subject: String,
    client: String,
}

impl Owner {
    /// Whether it is the same user, through whatever client.
    pub(crate) fn is_same_user(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.subject == other.subject
    }
}

impl From<&Caller> for Owner {
    fn from(caller: &Caller) -> Self {
        Self {
            issuer: caller.issuer().to_owned(),
            subject: caller.subject().to_owned(),
            client: caller.client_id().to_owned(),
        }
    }
}

#[cfg(test)]
impl Owner {
    pub(crate) fn alice() -> Self {
        Self { issuer: "https://login.example.com".into(), subject: "alice".into(), client: "c".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two issuers may name two people alike.
    #[test]
    fn the_same_user_is_of_the_same_issuer() {
        let alice = Owner::alice();
        assert!(alice.is_same_user(&Owner { client: "other".into(), ..alice.clone() }));
        assert!(!alice.is_same_user(&Owner { issuer: "https://other.example".into(), ..alice.clone() }));
        assert!(!alice.is_same_user(&Owner { subject: "bob".into(), ..alice.clone() }));
    }
}
