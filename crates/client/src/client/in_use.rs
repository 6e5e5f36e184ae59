//! The login that requests are sent with.

use std::ops::Deref;

use hallpass_protocol::dpop;
use http::HeaderValue;

use super::attempt::field;
use crate::{error::Error, store::Account};

/// A login, with what every request needs of it made once.
pub(crate) struct InUse {
    account: Account,
    /// The token under its scheme; `None` for one that no field can hold, which is said when it is wanted.
    authorization: Option<HeaderValue>,
}

impl InUse {
    pub(super) fn new(account: Account) -> Self {
        Self { authorization: field(scheme(&account), &account.access_token).ok(), account }
    }

    /// The `Authorization` field.
    pub(super) fn authorization(&self) -> Result<HeaderValue, Error> {
        match &self.authorization {
            Some(field) => Ok(field.clone()),
            None => field(scheme(&self.account), &self.account.access_token),
        }
    }
}

/// RFC 6750 §2.1, RFC 9449 §7.1.
fn scheme(account: &Account) -> &'static str {
    if account.dpop_key.is_some() { dpop::SCHEME } else { "Bearer" }
}

impl Deref for InUse {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}
