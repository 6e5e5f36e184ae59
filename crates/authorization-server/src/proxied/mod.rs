//! The arrangement `proxied`: the users and the tokens are a provider's, which lacks what MCP clients need. This server fronts
//! its endpoints, with one client of its own there, and asks every person about each client before the provider is asked
//! (MCP "Confused Deputy Problem").
//!
//! | room | what is in it |
//! |---|---|
//! | `settings` | whose users and tokens they are, and what each resource is called there |
//! | `request` | what else has to be right about an authorization request |
//! | `asked` | what the provider is asked for |
//! | `leave` | from the page of consent to the provider |
//! | `callback` | what comes back becomes a code of this server's |
//! | `person` | whose tokens they are |
//! | `given` | what the provider gave: judged, and sealed under what its client gets |
//! | `introspect` | what an opaque access token is |
//! | `handed_on` | what was agreed to for each access token that a client has |
//! | `behind` | the provider's refresh token, sealed under the one that its client has |
//! | `redeem` | the code for the provider's access token |
//! | `refresh` | the same for a refresh token, with one refresh at the provider |
//! | `revoke` | what is given back here ends at the provider |
//!
//! The client gets the provider's access token, and a code and refresh tokens of this server's. What the provider gave is
//! stored sealed under keys that only those yield: whoever has the database finds nothing to use.

mod asked;
mod behind;
mod callback;
mod given;
mod handed_on;
mod introspect;
mod leave;
mod person;
mod redeem;
mod refresh;
mod request;
mod revoke;
mod settings;

pub(crate) use callback::PATH as CALLBACK_PATH;
pub(crate) use callback::get as callback;
pub(crate) use given::{Given, NotGiven};
pub use handed_on::{Agreement, HandedOn};
pub use introspect::{Introspect, NotTaken};
pub(crate) use leave::leave;
pub(crate) use redeem::redeem;
pub(crate) use refresh::{Next, refresh};
pub(crate) use request::check;
pub(crate) use revoke::{end_at_provider, revoke_access_token};
pub use settings::{Proxied, ProxiedResource};

/// Whose legs of the way these are, among all that begin here.
const LEG: &str = "proxied";
