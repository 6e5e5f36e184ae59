//! What a person sees of a device authorization (RFC 8628 §3.3).

use std::time::Duration;

use super::LaunchUrl;

/// Where to go, on any device, and what to type there.
#[derive(Clone, Debug)]
pub struct DevicePrompt {
    /// The page; checked, see [`LaunchUrl`].
    pub verification_uri: LaunchUrl,
    /// The page with the code filled in, if the server has one.
    pub verification_uri_complete: Option<LaunchUrl>,
    /// The code to type.
    pub user_code: String,
    /// How long the code is good.
    pub expires_in: Duration,
}

/// When a person is offered a code to type on another device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceOffer {
    /// Where no browser can be opened here.
    #[default]
    WithoutBrowser,
    /// Always, beside the browser.
    Always,
    /// Always, and no browser.
    Only,
    /// Not at all.
    Never,
}
