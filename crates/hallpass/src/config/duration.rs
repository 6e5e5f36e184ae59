//! Spans of time in the configuration: `"90s"`, `"10m"`, `"12h"`, `"30d"`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A span of time, written as a number and one of `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]+[smhd]$"))]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    pub(crate) const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(minutes * 60))
    }

    pub(crate) const fn days(days: u64) -> Self {
        Self::minutes(days * 24 * 60)
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no span of time; write a number and one of s, m, h, d, as in \"10m\"");
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        let digits = text.strip_suffix(unit).unwrap_or_default();
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u32 = digits.parse().map_err(|_| wrong())?;
        match number {
            0 => Err(format!("`{text}` is no time at all; give at least 1s")),
            _ => Ok(Self(Duration::from_secs(u64::from(number) * seconds))),
        }
    }
}

// By hand, so that a number without a unit is told what is missing.
impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl Visitor<'_> for Shape {
            type Value = Span;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a span of time in quotes: a number and one of s, m, h, d, as in \"10m\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

/// As it could stand in the file: `10m`, `30d`.
impl std::fmt::Display for Span {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
        let (number, unit) = units
            .into_iter()
            .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit))
            .map_or((seconds, 's'), |(unit, letter)| (seconds / unit, letter));
        write!(formatter, "{number}{unit}")
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        format!("{}s", span.0.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("12h", 43_200), ("30d", 2_592_000)] {
            let span = Span::try_from(text.to_owned()).unwrap();
            assert_eq!(span.0.as_secs(), seconds, "{text}");
            let again: Span = span.to_string().parse().unwrap();
            assert_eq!(again, span, "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "s", "10", "10 m", "-1s", "+1s", "1.5h", "0s", "99999999999s", "10é"] {
            assert!(Span::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
