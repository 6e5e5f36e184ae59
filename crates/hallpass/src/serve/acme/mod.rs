//! Certificates that hallpass gets by itself (ACME, RFC 8555), where this program was built with that.
//!
//! | room | what is in it |
//! |---|---|
//! | `plan` | from whom, and for which names |
//! | `follow` | one after the other, while the program runs |
//! | `due` | when it is time |
//! | `order` | one certificate |
//! | `peer` | HTTP to the authority, and to nobody else |
//! | `kept` | account and certificate in the data folder |

#[cfg(feature = "acme")]
mod due;
#[cfg(feature = "acme")]
mod follow;
#[cfg(feature = "acme")]
mod kept;
#[cfg(not(feature = "acme"))]
mod not_built;
#[cfg(feature = "acme")]
mod order;
#[cfg(feature = "acme")]
mod peer;
#[cfg(feature = "acme")]
mod plan;
#[cfg(test)]
#[cfg(feature = "acme")]
mod tests;

#[cfg(feature = "acme")]
pub(super) use follow::Acme;
#[cfg(not(feature = "acme"))]
pub(super) use not_built::{Acme, AcmePlan};
#[cfg(feature = "acme")]
pub(super) use plan::AcmePlan;

/// A mistake in `[tls.acme]`, or in what it names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcmeFault {
    /// There would never be a certificate.
    #[cfg(not(feature = "acme"))]
    #[error(
        "{place}: this hallpass was built without ACME, so it gets no certificate; build it with --features acme"
    )]
    NotBuilt {
        /// File and line.
        place: String,
    },
    /// A value that can't be.
    #[cfg(feature = "acme")]
    #[error("{place}: {what}")]
    Value {
        /// File and line.
        place: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The file of authorities.
    #[cfg(feature = "acme")]
    #[error(transparent)]
    Authorities(#[from] crate::config::TlsFault),
}
