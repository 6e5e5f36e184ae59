//! Writing a challenge. Whatever the parts hold, what comes out is a valid header field.

use std::fmt;

use http::HeaderValue;

use super::{Challenge, Content, is_token_byte};

impl Challenge {
    /// The value of a `WWW-Authenticate` field.
    pub fn to_header_value(&self) -> HeaderValue {
        // Display yields visible ASCII and spaces alone, so the other branch is never taken.
        HeaderValue::from_str(&self.to_string()).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }
}

/// Each value is a quoted-string. What a header cannot carry becomes `?`; a scheme loses what is
/// no token character, and a parameter whose name is no token is left out.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme: String = self.scheme.chars().filter(|c| is_token_char(*c)).collect();
        f.write_str(if scheme.is_empty() { "Unknown" } else { &scheme })?;
        match &self.content {
            Content::Token68(value) => write!(f, " {value}"),
            Content::Params(params) => {
                let mut separator = " ";
                for (name, value) in params.iter().filter(|(name, _)| is_token(name)) {
                    write!(f, "{separator}{name}=\"")?;
                    value.chars().try_for_each(|c| quote(c, f))?;
                    f.write_str("\"")?;
                    separator = ", ";
                }
                Ok(())
            }
        }
    }
}

/// One character inside a quoted-string (RFC 9110 §5.6.4).
fn quote(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '"' | '\\' => write!(f, "\\{c}"),
        ' '..='~' => write!(f, "{c}"),
        _ => f.write_str("?"),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

fn is_token_char(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_token_byte)
}
