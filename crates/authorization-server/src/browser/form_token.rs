//! The token in each form: only the page that this server showed to this browser has it.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Browser;

/// Makes and checks the tokens of one browser and one login. Nothing is stored: a token is a keyed hash
/// under the browser's secret cookies, over what the form is for.
pub(crate) struct FormToken {
    key: hmac::Key,
}

impl FormToken {
    /// A login or logout changes the session, and with it every token.
    pub(crate) fn new(browser: &Browser, session: Option<&str>) -> Self {
        let secret = format!("{}.{}", browser.token, session.unwrap_or_default());
        Self { key: hmac::Key::new(HMAC_SHA256, secret.as_bytes()) }
    }

    /// The token of a form for this purpose and this subject (an interaction, a link).
    pub(crate) fn issue(&self, purpose: &str, subject: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, message(purpose, subject).as_bytes()))
    }

    /// Whether the form's token is the one that was issued. Takes the same time wherever it differs.
    pub(crate) fn fits(&self, purpose: &str, subject: &str, token: Option<&str>) -> bool {
        let tag = token.and_then(|token| URL_SAFE_NO_PAD.decode(token).ok());
        let message = message(purpose, subject);
        tag.is_some_and(|tag| hmac::verify(&self.key, message.as_bytes(), &tag).is_ok())
    }
}

/// Purposes hold no NUL, so no two pairs run together.
fn message(purpose: &str, subject: &str) -> String {
    format!("{purpose}\0{subject}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_one_browser_one_login_one_purpose_one_subject() {
        let browser = |token: &str| Browser { token: token.to_owned(), is_new: false };
        let tokens = FormToken::new(&browser("a"), Some("s"));
        let token = tokens.issue("consent", "1");
        assert!(tokens.fits("consent", "1", Some(&token)));
        assert!(!tokens.fits("login", "1", Some(&token)));
        assert!(!tokens.fits("consent", "2", Some(&token)));
        assert!(!tokens.fits("consent", "1", Some("")));
        assert!(!tokens.fits("consent", "1", None));
        assert!(!FormToken::new(&browser("b"), Some("s")).fits("consent", "1", Some(&token)));
        assert!(!FormToken::new(&browser("a"), None).fits("consent", "1", Some(&token)));
    }
}
