//! What a client says about itself, and what the server answers (RFC 7591).
//!
//! What is read reads back as it was after it was written, the server's way (no name twice) and the client's; the
//! answer's `Debug` tells no secret.

use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::{ClientInformation, ClientMetadata, Secret};

use crate::metadata::reads_back;

/// Takes one input.
pub fn check(data: &[u8]) {
    let metadata = reads_back::<ClientMetadata>(data);
    if let (Ok(value), Some(metadata)) = (from_slice_unique(data), metadata) {
        assert_eq!(serde_json::from_value::<ClientMetadata>(value).expect("the same"), metadata);
    }
    if let Some(information) = reads_back::<ClientInformation>(data) {
        let mut other = information.clone();
        for secret in [&mut other.client_secret, &mut other.registration_access_token] {
            *secret = secret.as_ref().map(|_| Secret::new("another"));
        }
        assert_eq!(format!("{information:?}"), format!("{other:?}"));
    }
}
