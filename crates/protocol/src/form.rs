//! Request parameters: `application/x-www-form-urlencoded`, in a body or a query
//! (RFC 6749 §3.1, §3.2 and appendix B).

use std::fmt;

/// The most parameters taken from one request.
pub const MAX_PARAMETERS: usize = 64;

/// The longest text that is looked at, in bytes.
pub const MAX_LEN: usize = 64 * 1024;

/// The one parameter that may be there more than once (RFC 8707 §2).
const REPEATABLE: &str = "resource";

/// The parameters of one request, each there once.
///
/// `Debug` prints names only: values hold codes, verifiers and passwords.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// A parameter is there twice (RFC 6749 §3.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameter {0:?} is there more than once; send it once")]
pub struct Duplicate(pub String);

/// Why a text holds no parameters that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Longer than [`MAX_LEN`].
    #[error("the parameters are longer than {MAX_LEN} bytes")]
    TooLong,
    /// More than [`MAX_PARAMETERS`].
    #[error("there are more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// RFC 6749 §3.1: no parameter more than once. Which of two would count is anybody's guess,
    /// and a guess that two programs make differently is a hole.
    #[error(transparent)]
    Duplicate(#[from] Duplicate),
    /// RFC 3986 §2.1: `%` and two hexadecimal digits.
    #[error("a '%' is not followed by two hexadecimal digits; encode it as %25")]
    PercentEncoding,
    /// RFC 6749 appendix A: no value has a use for control characters, and one database cannot store them.
    #[error("a parameter holds a control character")]
    ControlCharacter,
    /// RFC 6749 appendix B: UTF-8.
    #[error("the parameters are not UTF-8")]
    Utf8,
}

impl Parameters {
    /// Reads a query or a form.
    ///
    /// # Errors
    /// One variant of [`FormError`] for each rule.
    pub fn parse(text: &str) -> Result<Self, FormError> {
        let found = Self::parse_answer(text)?;
        let controls = |text: &str| text.chars().any(char::is_control);
        match found.0.iter().any(|(name, value)| controls(name) || controls(value)) {
            true => Err(FormError::ControlCharacter),
            false => Ok(found),
        }
    }

    /// Reads the answer of an authorization server, as a client gets it. Some put line ends into `error_description`
    /// (Entra ID does), against RFC 6749 §4.1.2.1, and the error is worth knowing all the same.
    ///
    /// # Errors
    /// As [`Parameters::parse`], control characters aside.
    pub fn parse_answer(text: &str) -> Result<Self, FormError> {
        if text.len() > MAX_LEN {
            return Err(FormError::TooLong);
        }
        let mut found = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if found.0.len() == MAX_PARAMETERS {
                return Err(FormError::TooMany);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if name != REPEATABLE && found.0.iter().any(|(known, _)| *known == name) {
                return Err(Duplicate(name).into());
            }
            found.0.push((name, value));
        }
        Ok(found)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// As [`Parameters::parse`].
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > MAX_LEN {
            return Err(FormError::TooLong);
        }
        Self::parse(std::str::from_utf8(bytes).map_err(|_| FormError::Utf8)?)
    }

    /// A parameter's value. One without a value counts as left out (RFC 6749 §3.1).
    ///
    /// # Errors
    /// [`Duplicate`], which only `resource` can yield here: all others were refused on reading.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Duplicate> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Duplicate(name.to_owned())),
            (value, None) => Ok(value),
        }
    }

    /// Each value of a parameter, empty ones left out. Meant for `resource`.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether a parameter is there at all, with or without a value.
    pub fn is_present(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// All pairs, in order, empty values among them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Decodes one name or value. The URL parser's own reader of forms lets a broken escape pass and
/// puts U+FFFD for what is not UTF-8; both are refused here.
fn decode(text: &str) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::Utf8)
}

fn hex(digit: Option<u8>) -> Result<u8, FormError> {
    let value = digit.and_then(|digit| char::from(digit).to_digit(16));
    value.and_then(|value| u8::try_from(value).ok()).ok_or(FormError::PercentEncoding)
}
