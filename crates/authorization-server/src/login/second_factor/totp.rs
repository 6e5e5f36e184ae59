//! One-time codes by time: SHA-1, six digits, thirty seconds, which is what every authenticator app speaks.

use hallpass_protocol::time::Timestamp;
use totp_rs::{Builder, Totp};

use crate::keys::MasterKey;
use crate::store::StoreError;

/// What the secret is sealed for; the context is its user.
pub(crate) const SEALED: &str = "totp";
/// What a secret that is not in use yet is sealed for, on the page that shows it.
const OFFERED: &str = "totp offer";

/// A secret that is shown to its user, and not in use before the user has proven to have it.
pub(crate) struct Enrolment {
    totp: Totp,
    secret: Vec<u8>,
}

impl Enrolment {
    /// RFC 4226 §4: 160 random bits.
    pub(crate) fn new(issuer: &str, account: &str) -> Result<Self, StoreError> {
        Self::of(rand::random::<[u8; 20]>().to_vec(), issuer, account)
    }

    fn of(secret: Vec<u8>, issuer: &str, account: &str) -> Result<Self, StoreError> {
        // A colon parts issuer and account in what the app shows.
        let plain = |text: &str| text.replace(':', " ");
        let totp = Builder::new()
            .with_secret(secret.clone())
            .with_issuer(Some(plain(issuer)))
            .with_account_name(plain(account))
            .build()
            .map_err(|_| unreadable())?;
        Ok(Self { totp, secret })
    }

    /// What the page carries: it opens for this user alone.
    pub(crate) fn offer(&self, key: &MasterKey, user_id: &str) -> Result<String, StoreError> {
        Ok(key.sealing(OFFERED).seal(user_id, &self.secret)?)
    }

    /// What the page brought back.
    pub(crate) fn offered(
        key: &MasterKey,
        user_id: &str,
        sealed: &str,
        issuer: &str,
        account: &str,
    ) -> Option<Self> {
        let secret = key.sealing(OFFERED).open(user_id, sealed).ok()?;
        Self::of(secret, issuer, account).ok()
    }

    /// What is stored.
    pub(crate) fn seal(&self, key: &MasterKey, user_id: &str) -> Result<String, StoreError> {
        Ok(key.sealing(SEALED).seal(user_id, &self.secret)?)
    }

    /// For the app, as a link and as a picture of it.
    pub(crate) fn url(&self) -> String {
        self.totp.to_url().unwrap_or_default()
    }

    /// For typing, in groups of four.
    pub(crate) fn typed(&self) -> String {
        let text: Vec<char> = self.totp.secret().to_base32().chars().collect();
        text.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
    }

    /// The time step that the code is for, if it is for now or for the step before or after.
    pub(crate) fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        step_of(&self.totp, code, now)
    }
}

/// The time step that the code is for, under the secret as it is stored.
pub(super) fn step_of_sealed(
    key: &MasterKey,
    user_id: &str,
    sealed: &str,
    code: &str,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let secret = key.sealing(SEALED).open(user_id, sealed)?;
    let totp = Builder::new().with_secret(secret).build().map_err(|_| unreadable())?;
    Ok(step_of(&totp, code, now))
}

fn step_of(totp: &Totp, code: &str, now: Timestamp) -> Option<i64> {
    let now = u64::try_from(now.unix()).ok()?;
    totp.check(code, now).and_then(|step| i64::try_from(step).ok())
}

fn unreadable() -> StoreError {
    StoreError::Unreadable { what: "second factor" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolment() -> Enrolment {
        Enrolment::of(b"12345678901234567890".to_vec(), "auth.example", "Ada: the first").unwrap()
    }

    /// RFC 6238 appendix B, its last six digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            let now = Timestamp::from_unix(at);
            assert_eq!(enrolment().step_of(code, now), Some(at / 30), "{at}");
            assert_eq!(enrolment().step_of(code, Timestamp::from_unix(at + 30)), Some(at / 30));
            assert_eq!(enrolment().step_of(code, Timestamp::from_unix(at + 60)), None, "two steps late");
        }
    }

    #[test]
    fn only_six_digits_are_a_code() {
        let now = Timestamp::from_unix(59);
        for text in
            ["", "28708", "2870820", "287082x", "28708²", "-87082", "28 70 82 ", "\u{663}\u{664}287082"]
        {
            assert_eq!(enrolment().step_of(text, now), None, "{text:?}");
        }
    }

    #[test]
    fn an_offer_opens_for_its_user_alone_and_is_not_what_is_stored() {
        let key = MasterKey::from_bytes([1; 32]);
        let offer = enrolment().offer(&key, "ada").unwrap();
        let back = |user: &str, text: &str| Enrolment::offered(&key, user, text, "i", "a").is_some();
        assert!(back("ada", &offer));
        assert!(!back("bob", &offer));
        assert!(!back("ada", &enrolment().seal(&key, "ada").unwrap()));
        assert!(!back("ada", ""));
    }

    #[test]
    fn an_app_is_told_who_and_where() {
        let url = enrolment().url();
        assert!(url.starts_with("otpauth://totp/"), "{url}");
        assert!(url.contains("issuer=auth.example") && url.contains("Ada%20%20the%20first"), "{url}");
        assert_eq!(enrolment().typed(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }
}
