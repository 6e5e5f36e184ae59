//! The keys of the house: the operator's master key, what it seals, and what signs tokens.

mod master_key;
mod rotation;
mod sealing;
mod signing;

pub use master_key::{MasterKey, MasterKeyError};
pub use rotation::{KeyState, PublishedKey, Rotation, SigningKeys};
pub(crate) use sealing::{SealingKey, Unsealable};
pub use signing::KeyHandle;
pub(crate) use signing::KeyRing;
