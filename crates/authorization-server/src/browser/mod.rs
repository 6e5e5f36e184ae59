//! What ties a person's requests to one browser: cookies, form tokens, and where a form came from.

mod cookies;
mod form_token;
mod same_origin;

pub(crate) use cookies::{Browser, Cookies};
pub(crate) use form_token::FormToken;
pub(crate) use same_origin::came_from_here;
