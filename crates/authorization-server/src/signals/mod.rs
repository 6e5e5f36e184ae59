//! Others say that somebody's logins have ended: at the issuer of assertions, or at the provider that people sign in through.
//!
//! | room | what is in it |
//! |---|---|
//! | `teller` | whose word counts, and how it is verified |
//! | `session_revoked` | shared signals: a session was revoked (OpenID CAEP 1.0) |
//!
//! Word of a logout (OpenID Connect Back-Channel Logout 1.0) is in [`crate::logout`].

mod session_revoked;
mod teller;

use std::time::Duration;

pub(crate) use session_revoked::{SignalRefused, signalled};
pub(crate) use teller::{NotTold, Teller, Told};

/// How far another's clock may be apart.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);
