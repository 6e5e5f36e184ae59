//! Whose something is that outlives a request.

use hallpass_resource_server::Caller;

use crate::stdio::Links;

/// A user through a client. Nobody else can use what is theirs, whatever
/// they know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// [`Caller::principal`].
    principal: String,
    client: String,
    /// Which tokens of third parties are in it: the same user without the right to them is somebody else, and so are they with
    /// another account there.
    lent: Links,
}

impl Owner {
    /// What is theirs has these tokens of third parties in it.
    pub(crate) fn with(self, lent: Links) -> Self {
        Self { lent, ..self }
    }

    /// Whether it is the same user through the same client, with the same right to tokens, of whatever accounts.
    pub(crate) fn may_end(&self, other: &Self) -> bool {
        let names = |owner: &'_ Self| owner.lent.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        self.principal == other.principal && self.client == other.client && names(self) == names(other)
    }

    /// Whether a token of another link is in it than is in what is this one's.
    pub(crate) fn has_other_links(&self, links: &Links) -> bool {
        have_others(&self.lent, links)
    }

    /// Whether there are tokens of third parties in it.
    pub(crate) fn has_tokens(&self) -> bool {
        !self.lent.is_empty()
    }

    /// Whether it is theirs who call.
    pub(crate) fn is(&self, caller: &Caller) -> bool {
        self.principal == caller.principal() && self.client == caller.client_id()
    }

    /// Whether it is the same user, through whatever client.
    pub(crate) fn is_same_user(&self, other: &Self) -> bool {
        self.principal == other.principal
    }
}

/// Whether a variable of these has a token of another link in those.
pub(crate) fn have_others(these: &Links, those: &Links) -> bool {
    let of = |wanted| those.iter().find(|(name, _)| name == wanted).and_then(|(_, link)| link.as_ref());
    these.iter().any(|(name, link)| of(name).is_some_and(|other| link.as_ref() != Some(other)))
}

impl From<&Caller> for Owner {
    fn from(caller: &Caller) -> Self {
        Self {
            principal: caller.principal().to_owned(),
            client: caller.client_id().to_owned(),
            lent: Vec::new(),
        }
    }
}

#[cfg(test)]
impl Owner {
    pub(crate) fn alice() -> Self {
        Self::named("alice")
    }

    pub(crate) fn named(user: &str) -> Self {
        Self { principal: user.into(), client: "c".into(), lent: Vec::new() }
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
        let other = Owner { principal: "https://other.example#alice".into(), ..alice.clone() };
        assert!(!alice.is_same_user(&other));
    }
}
