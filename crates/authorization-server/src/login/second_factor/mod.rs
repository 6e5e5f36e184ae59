//! The second factor: one-time codes by time (RFC 6238), and recovery codes for whoever has lost the device.

mod attempt;
mod recovery;
mod totp;

pub(crate) use attempt::{HalfLogin, SecondFactorRefused, begin_half_login};
pub(crate) use recovery::{code_hash, new_codes};
pub(crate) use totp::{Enrolment, SEALED};
