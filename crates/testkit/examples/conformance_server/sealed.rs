//! State that a client carries and cannot change.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rmcp::ErrorData;
use serde_json::Value;

/// A key that lives as long as this program.
pub(crate) struct Seal(Key);

impl Default for Seal {
    fn default() -> Self {
        Self(Key::new(HMAC_SHA256, &rand::random::<[u8; 32]>()))
    }
}

impl Seal {
    pub(crate) fn close(&self, state: &Value) -> String {
        let state = state.to_string();
        let tag = sign(&self.0, state.as_bytes());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(state), URL_SAFE_NO_PAD.encode(tag))
    }

    pub(crate) fn open(&self, sealed: &str) -> Result<Value, ErrorData> {
        let opened = || {
            let (state, tag) = sealed.split_once('.')?;
            let (state, tag) = (URL_SAFE_NO_PAD.decode(state).ok()?, URL_SAFE_NO_PAD.decode(tag).ok()?);
            verify(&self.0, &state, &tag).ok()?;
            serde_json::from_slice(&state).ok()
        };
        opened()
            .ok_or_else(|| ErrorData::invalid_params("requestState is not what this server gave out", None))
    }
}
