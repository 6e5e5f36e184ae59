//! HTTP Digest access authentication (RFC 7616), from the server's side: `auth` only, with a client nonce.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, SHA512_256, digest};
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The authentication scheme.
pub const SCHEME: &str = "Digest";

/// The longest credentials that are looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// What is hashed with (RFC 7616 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512Trunc256,
    /// MD5: broken, and all that some old clients can.
    Md5,
}

impl DigestAlgorithm {
    /// All of them, the best known first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha512Trunc256, Self::Md5];

    /// The `algorithm` value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512Trunc256 => "SHA-512-256",
            Self::Md5 => "MD5",
        }
    }

    /// The algorithm of that name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// H(data), in hexadecimal (RFC 7616 §3.3).
    fn hash(self, data: &str) -> String {
        match self {
            Self::Sha256 => hex(digest(&SHA256, data.as_bytes()).as_ref()),
            Self::Sha512Trunc256 => hex(digest(&SHA512_256, data.as_bytes()).as_ref()),
            Self::Md5 => hex(&Md5::digest(data.as_bytes())),
        }
    }

    /// H(A1) (RFC 7616 §3.4.2): what a server keeps in place of the password. Whoever has it can log in to this
    /// realm, so it is a secret.
    #[must_use]
    pub fn ha1(self, username: &str, realm: &str, password: &Secret) -> Secret {
        Secret::new(self.hash(&format!("{username}:{realm}:{}", password.expose())))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The rule of RFC 7616 §3.4 that credentials broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// RFC 9110 §11.4: parameters with commas between, each once.
    #[error("the Digest credentials cannot be read")]
    Syntax,
    /// Of two values one program takes the first and the next one the last.
    #[error("the Digest credentials have {0} twice")]
    Twice(String),
    /// Required by RFC 7616 §3.4.
    #[error("the Digest credentials have no {0}, or one that cannot be")]
    Missing(&'static str),
    /// None named means MD5, which is not what was asked for.
    #[error("the Digest credentials name no algorithm that this server asked for")]
    Algorithm,
    /// RFC 7616 §3.4: only `auth` is offered.
    #[error("the Digest credentials have another qop than auth")]
    Qop,
    /// RFC 7616 §3.4.4: was not offered.
    #[error("the Digest credentials have a hashed user name, which was not asked for")]
    Userhash,
}

/// Credentials as they were sent: nothing about them is known to be true.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestCredentials {
    /// Who says to be calling.
    pub username: String,
    /// For which realm.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// The request target that was hashed; compare it with the request's own.
    pub uri: String,
    /// The algorithm.
    pub algorithm: DigestAlgorithm,
    /// How often the nonce was used, this time among them.
    pub count: u32,
    count_text: String,
    cnonce: String,
    response: String,
}

impl DigestCredentials {
    /// Reads what stands behind `Digest` in an `Authorization` field.
    ///
    /// # Errors
    /// One variant of [`DigestError`] for each rule.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let parameters = parameters(text)?;
        let get = |name: &'static str| {
            parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string())
        };
        let need = |name: &'static str| get(name).filter(|v| !v.is_empty()).ok_or(DigestError::Missing(name));
        if get("userhash").is_some_and(|said| !said.eq_ignore_ascii_case("false")) {
            return Err(DigestError::Userhash);
        }
        if need("qop")? != "auth" {
            return Err(DigestError::Qop);
        }
        let algorithm = match get("algorithm") {
            None => DigestAlgorithm::Md5,
            Some(name) => DigestAlgorithm::from_name(&name).ok_or(DigestError::Algorithm)?,
        };
        let count_text = need("nc")?;
        let eight = count_text.len() == 8 && count_text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let count = u32::from_str_radix(&count_text, 16).ok().filter(|count| eight && *count > 0);
        Ok(Self {
            username: need("username")?,
            realm: need("realm")?,
            nonce: need("nonce")?,
            uri: need("uri")?,
            algorithm,
            count: count.ok_or(DigestError::Missing("nc"))?,
            count_text,
            cnonce: need("cnonce")?,
            response: need("response")?,
        })
    }

    /// Whether the sender knew what [`DigestAlgorithm::ha1`] was made of (RFC 7616 §3.4.1). Takes the same time
    /// wherever the two begin to differ.
    #[must_use]
    pub fn fits(&self, ha1: &Secret, method: &http::Method) -> bool {
        let ha2 = self.algorithm.hash(&format!("{method}:{}", self.uri));
        let Self { nonce, count_text, cnonce, .. } = self;
        let data = format!("{}:{nonce}:{count_text}:{cnonce}:auth:{ha2}", ha1.expose());
        let expected = self.algorithm.hash(&data);
        let said = self.response.to_ascii_lowercase();
        bool::from(expected.as_bytes().ct_eq(said.as_bytes()))
    }
}

/// Shows nothing that could be used.
impl std::fmt::Debug for DigestCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DigestCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

type Parameter<'a> = (String, Cow<'a, str>);

/// `auth-param`s (RFC 9110 §11.2): names in lower case, each once.
fn parameters(text: &str) -> Result<Vec<Parameter<'_>>, DigestError> {
    if text.len() > LONGEST {
        return Err(DigestError::Syntax);
    }
    let mut found: Vec<Parameter<'_>> = Vec::new();
    let mut rest = text.trim_matches([' ', '\t']);
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(DigestError::Syntax)?;
        let name = name.trim_matches([' ', '\t']).to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(DigestError::Syntax);
        }
        let (value, after) = value(after.trim_start_matches([' ', '\t']))?;
        if found.iter().any(|(known, _)| *known == name) {
            return Err(DigestError::Twice(name));
        }
        found.push((name, value));
        let after = after.trim_start_matches([' ', '\t']);
        rest = match after.strip_prefix(',') {
            Some(more) => more.trim_start_matches([' ', '\t', ',']),
            None if after.is_empty() => after,
            None => return Err(DigestError::Syntax),
        };
    }
    Ok(found)
}

/// A token or a quoted-string (RFC 9110 §5.6), and what comes behind it.
fn value(text: &str) -> Result<(Cow<'_, str>, &str), DigestError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end).ok_or(DigestError::Syntax)?;
        return if token.is_empty() { Err(DigestError::Syntax) } else { Ok((Cow::Borrowed(token), rest)) };
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Cow::Owned(value), quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(visible(chars.next())?),
            c => value.push(visible(Some((at, c)))?),
        }
    }
    Err(DigestError::Syntax)
}

/// A control character is none, also behind a backslash.
fn visible(c: Option<(usize, char)>) -> Result<char, DigestError> {
    c.map(|(_, c)| c).filter(|c| !c.is_control()).ok_or(DigestError::Syntax)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use proptest::prelude::*;

    /// RFC 7616 §3.9.1.
    const RFC: &str = r#"username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",
 algorithm=ALGORITHM, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
 cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="RESPONSE",
 opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

    fn rfc(algorithm: &str, response: &str) -> String {
        RFC.replace("ALGORITHM", algorithm).replace("RESPONSE", response).replace('\n', "")
    }

    #[test]
    fn the_examples_of_the_rfc() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let credentials = DigestCredentials::parse(&rfc(algorithm, response)).unwrap();
            let password = Secret::new("Circle of Life");
            let ha1 = credentials.algorithm.ha1("Mufasa", "http-auth@example.org", &password);
            assert!(credentials.fits(&ha1, &Method::GET), "{algorithm}");
            assert!(!credentials.fits(&ha1, &Method::POST));
            let wrong = credentials.algorithm.ha1("Mufasa", "http-auth@example.org", &Secret::new("x"));
            assert!(!credentials.fits(&wrong, &Method::GET));
            assert_eq!((credentials.count, credentials.uri.as_str()), (1, "/dir/index.html"));
        }
    }

    #[test]
    fn each_rule_is_one() {
        let good = rfc("SHA-256", "00");
        for (from, to, error) in [
            ("qop=auth", "qop=auth-int", DigestError::Qop),
            ("qop=auth", "x=y", DigestError::Missing("qop")),
            ("nc=00000001", "nc=1", DigestError::Missing("nc")),
            ("nc=00000001", "nc=00000000", DigestError::Missing("nc")),
            ("nc=00000001", "nc=+0000001", DigestError::Missing("nc")),
            ("SHA-256", "SHA-256-sess", DigestError::Algorithm),
            ("SHA-256", "SHA-1", DigestError::Algorithm),
            ("username=\"Mufasa\"", "username*=UTF-8''x", DigestError::Missing("username")),
            ("nc=", "userhash=true, nc=", DigestError::Userhash),
            ("nc=", "realm=\"other\", nc=", DigestError::Twice("realm".to_owned())),
            ("nc=", "Realm=\"other\", nc=", DigestError::Twice("realm".to_owned())),
            ("cnonce=\"f2", "cnonce=\"\", x=\"f2", DigestError::Missing("cnonce")),
            ("qop=auth,", "qop=auth", DigestError::Syntax),
        ] {
            let text = good.replacen(from, to, 1);
            assert_eq!(DigestCredentials::parse(&text).unwrap_err(), error, "{text}");
        }
        for text in ["", "x", "=x", "a=\"", "a=\"\\", "a=b c", "a=\"\u{7}\"", "a=\"\\\u{85}\""] {
            assert!(DigestCredentials::parse(text).is_err(), "{text:?}");
        }
    }

    /// No algorithm named means MD5 (RFC 7616 §3.4), for the server to refuse.
    #[test]
    fn without_a_name_it_is_md5() {
        let text = rfc("SHA-256", "00").replacen("algorithm=SHA-256,", "", 1);
        assert_eq!(DigestCredentials::parse(&text).unwrap().algorithm, DigestAlgorithm::Md5);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*|(username|nc|realm|=|\"|\\\\|,| |a|é)*") {
            let _ = DigestCredentials::parse(&text);
        }

        #[test]
        fn a_quoted_value_comes_back(name in "[^\\p{C}]{1,20}") {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            let text = rfc("SHA-256", "00").replacen("Mufasa", &quoted, 1);
            prop_assert_eq!(DigestCredentials::parse(&text).unwrap().username, name);
        }
    }
}
