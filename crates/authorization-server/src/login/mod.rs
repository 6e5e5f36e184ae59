//! People: their names, passwords, passkeys and second factors, and the browsers that they are logged in with.

mod admin;
mod attempt;
mod authenticated;
mod device;
pub(crate) mod passkeys;
mod password;
pub(crate) mod second_factor;
mod session;
mod sign_in;
mod user_name;

pub use admin::{AddUserError, LinkError, SetPasswordError, Users};
pub(crate) use attempt::{LoginRefused, PasswordLogin, log_in, network};
pub(crate) use authenticated::Authenticated;
pub(crate) use device::device;
pub use password::WeakPassword;
pub(crate) use password::{Busy, Passwords, Verdict, check_strength, unknown_password};
pub(crate) use session::{begin_session, current_session};
pub use sign_in::{GroupRules, SignIn, WhoEnters};
pub(crate) use sign_in::{NotAdmitted, log_in_through};
pub(crate) use user_name::UserName;
pub use user_name::UserNameError;
