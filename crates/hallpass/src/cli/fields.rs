//! What is sent beside the token.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use http::{HeaderName, HeaderValue};

/// Fields of requests to the MCP server.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Fields {
    /// Send this field to the server with every request; `${NAME}` is read from the environment
    #[arg(long, value_name = "NAME:VALUE")]
    pub(crate) header: Vec<Header>,

    /// Send the fields in this file, one a line; keeps secrets out of the process list
    #[arg(long, value_name = "FILE")]
    pub(crate) header_file: Vec<PathBuf>,
}

/// A field to send, with what the environment has put into it. Its value is nobody's to see.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: [secret]", self.name)
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("no colon: write NAME:VALUE")?;
        let name =
            HeaderName::try_from(name.trim()).map_err(|_| format!("`{name}` is not a field's name"))?;
        let value = filled(value.trim(), &|name| std::env::var(name).ok())?;
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| format!("the value of {name} holds characters that no field may hold"))?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

/// Puts variables in: `${NAME}`.
fn filled(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("${") {
        let (name, after) = from.split_once('}').ok_or("`${` without `}`")?;
        filled.push_str(before);
        filled.push_str(&environment(name).ok_or_else(|| format!("the variable {name} is not set"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_into_headers_and_missing_ones_are_named() {
        let environment = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
        assert_eq!(filled("a ${KEY} b ${KEY}", &environment).unwrap(), "a s3cret b s3cret");
        assert_eq!(filled("$KEY {KEY}", &environment).unwrap(), "$KEY {KEY}");
        assert!(filled("${NONE}", &environment).unwrap_err().contains("NONE"));
        assert!(filled("${KEY", &environment).is_err());
    }

    #[test]
    fn a_headers_value_is_not_shown() {
        let header: Header = "X-Key: s3cret:with:colons".parse().unwrap();
        assert_eq!((header.name.as_str(), header.value.to_str().unwrap()), ("x-key", "s3cret:with:colons"));
        assert!(!format!("{header:?} {:?}", header.value).contains("s3cret"));
        for bad in ["no colon", "a b: c", ": c", "x: a\nb"] {
            assert!(bad.parse::<Header>().is_err(), "{bad:?}");
        }
    }
}
