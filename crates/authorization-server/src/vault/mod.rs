//! The vault: tokens of third parties, with which servers act for people. A server's own clients never see them.
//!
//! A person links their account at a third party once; what comes of it is one row, sealed. Its access token is renewed in time,
//! by one replica at a time; and when the third party ends the session, so ends what was granted here in its name.
//!
//! | room | what is in it |
//! |---|---|
//! | `third_party` | who it is, and which servers act there |
//! | `token` | an access token that is good at this moment |
//! | `waiting` | many who wait for one renewal |
//! | `renewal` | the next one: asked for once, written before anybody has it |
//! | `session` | begins, is looked for, ends |
//! | `kept` | what is sealed |
//! | `agreed` | which apps have one |
//! | `acting` | what people were told of it when they agreed to something |

mod acting;
mod agreed;
mod kept;
mod renewal;
mod session;
mod third_party;
mod token;
mod waiting;

pub(crate) use acting::Acting;
pub(crate) use agreed::Agreed;
pub(crate) use session::{first_missing, keep, unlink};
pub(crate) use third_party::acts_at;
pub use third_party::{ActsFor, ThirdParty};
pub(crate) use token::Remembered;
pub use token::{NoToken, Vault};
