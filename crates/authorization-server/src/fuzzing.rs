//! What the fuzz targets reach of this crate. No part of its interface.

use hallpass_protocol::issuer::Issuer;
use http::HeaderMap;

pub use crate::clients::fuzzing::{Description, client_credentials, client_document, is_document_url};
pub use crate::login::passkeys::fuzzing::{client_data, credential_id, sign_count, verifies};
pub use crate::scim::fuzzing::{scim_filter, scim_patch, scim_path};

use crate::browser::Cookies;

/// The session that a request carries.
pub fn session(headers: &HeaderMap, issuer: &Issuer) -> Option<String> {
    Cookies::new(issuer).session(headers)
}
