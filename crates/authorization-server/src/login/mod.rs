//! People: their names, passwords, and the browsers that they are logged in with.

mod admin;
mod attempt;
mod password;
mod session;
mod user_name;

pub use admin::{AddUserError, Users};
pub(crate) use attempt::{LoginRefused, log_in, network};
pub use password::WeakPassword;
pub(crate) use password::{Busy, Passwords, check_strength, hash};
pub(crate) use session::current_session;
pub(crate) use user_name::UserName;
pub use user_name::UserNameError;
