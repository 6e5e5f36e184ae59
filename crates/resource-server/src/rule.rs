//! What each refusal is called where it is counted and logged. Names stay: people watch them.

use hallpass_protocol::jose::JoseError;

use crate::refusal::Refusal;

/// Among the extensions of an answer that refuses: [`Refusal::rule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenRule(pub &'static str);

macro_rules! rules {
    ($($(#[$doc:meta])* $refusal:pat => $name:literal,)*) => {
        /// Every name that [`Refusal::rule`] gives: there are only so many, whatever strangers send.
        pub const RULES: &[&str] = &[$($name),*];

        impl Refusal {
            /// The rule that was broken, as one word: the same for all that broke it, without anything that they sent.
            #[must_use]
            pub fn rule(&self) -> &'static str {
                match self { $($refusal => $name,)* }
            }
        }
    };
}

rules! {
    Refusal::AmbiguousHost => "ambiguous_host",
    Refusal::ForeignHost => "foreign_host",
    Refusal::ForeignOrigin => "foreign_origin",
    Refusal::NoCredential => "no_credential",
    Refusal::OtherScheme => "other_scheme",
    Refusal::SeveralCredentials => "several_credentials",
    Refusal::MalformedCredential => "malformed_credential",
    Refusal::TokenInQuery => "token_in_query",
    Refusal::Token(JoseError::Expired) => "token_expired",
    Refusal::Token(JoseError::NotYetValid | JoseError::IssuedInFuture) => "token_not_yet_valid",
    Refusal::Token(JoseError::BadSignature) => "token_signature",
    Refusal::Token(JoseError::UnknownKey(_) | JoseError::AmbiguousKey(_)) => "token_key",
    Refusal::Token(JoseError::WrongAudience | JoseError::MissingAudience) => "token_audience",
    Refusal::Token(_) => "token_malformed",
    Refusal::UntrustedIssuer => "untrusted_issuer",
    Refusal::UntrustedTenant => "untrusted_tenant",
    Refusal::Inactive => "token_inactive",
    Refusal::NotHandedOn => "token_not_handed_on",
    Refusal::UnknownBinding => "unknown_binding",
    Refusal::SentAsBearer => "bound_token_as_bearer",
    Refusal::NotBound => "token_not_bound",
    Refusal::BoundOnly => "bound_tokens_only",
    Refusal::NoProof => "no_dpop_proof",
    Refusal::Proof(_) => "dpop_proof",
    Refusal::OtherKey => "dpop_other_key",
    Refusal::NonceNeeded => "dpop_nonce",
    Refusal::ReplayedProof => "dpop_replayed",
    Refusal::OtherCertificate => "other_certificate",
    Refusal::MalformedCertificate => "malformed_certificate",
    Refusal::UnknownCertificate => "unknown_certificate",
    Refusal::UnknownKey => "unknown_api_key",
    Refusal::WrongPassword => "wrong_password",
    Refusal::TooManyGuesses { .. } => "too_many_guesses",
    Refusal::PlainPassword => "plain_password",
    Refusal::Digest(_) => "digest",
    Refusal::OtherTarget => "digest_other_url",
    Refusal::StaleNonce => "digest_stale_nonce",
    Refusal::IntrospectionUnavailable => "introspection_unavailable",
    Refusal::AccountsUnavailable => "accounts_unavailable",
    Refusal::ReplaysUnavailable => "replays_unavailable",
    Refusal::Busy => "busy",
    Refusal::Revoked => "token_revoked",
    Refusal::KeysUnavailable => "keys_unavailable",
    Refusal::RevocationsUnavailable => "revocations_unavailable",
    Refusal::InsufficientScope { .. } => "insufficient_scope",
    Refusal::BodyTooLarge { .. } => "body_too_large",
    Refusal::BodyUnreadable => "body_unreadable",
    Refusal::BodyEncoding => "body_encoding",
    Refusal::Body(_) => "body_json_rpc",
    Refusal::Nameless { .. } => "nameless",
    Refusal::Denied { .. } => "denied",
    Refusal::OutOfReach { .. } => "out_of_reach",
    Refusal::Unpermitted { .. } => "unpermitted",
    Refusal::NothingBehind => "nothing_behind",
    Refusal::NotLinked { .. } => "not_linked",
    Refusal::NotAgreed { .. } => "not_agreed",
    Refusal::ThirdPartyUnavailable { .. } => "third_party_unavailable",
    Refusal::LoginTooOld { .. } => "login_too_old",
    Refusal::HeaderMismatch { .. } => "header_mismatch",
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_rules_have_one_name() {
        let names: HashSet<_> = RULES.iter().collect();
        assert_eq!(names.len(), RULES.len());
        assert!(RULES.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }

    #[test]
    fn what_strangers_sent_is_in_no_name() {
        let denied = Refusal::Denied { what: "the tool canary".to_owned(), id: None };
        assert_eq!(denied.rule(), "denied");
        assert_eq!(Refusal::Token(JoseError::Decode("canary".to_owned())).rule(), "token_malformed");
        assert_eq!(Refusal::Token(JoseError::Expired).rule(), "token_expired");
    }
}
