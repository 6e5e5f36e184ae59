//! Sizes in the configuration: `"64KB"`, `"100MB"`, `"1GB"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many bytes, written as a number and one of `KB`, `MB`, `GB`: thousands, millions, thousands of millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]+(KB|MB|GB)$"))]
pub(crate) struct Size(pub(crate) u64);

const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size; write a number and one of KB, MB, GB, as in \"100MB\"");
        let found = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
        let (digits, bytes) = found.ok_or_else(wrong)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        match digits.parse::<u32>().map_err(|_| wrong())? {
            0 => Err(format!("`{text}` is nothing at all; give at least 1KB")),
            number => Ok(Self(u64::from(number) * bytes)),
        }
    }
}

/// As it could stand in the file.
impl std::fmt::Display for Size {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fits = |(_, bytes): &&(&str, u64)| self.0.is_multiple_of(*bytes);
        let (unit, bytes) = UNITS.iter().find(fits).unwrap_or(&("KB", 1_000));
        write!(formatter, "{}{unit}", self.0 / bytes)
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, bytes) in
            [("64KB", 64_000), ("100MB", 100_000_000), ("1GB", 1_000_000_000), ("1500KB", 1_500_000)]
        {
            let size = Size::try_from(text.to_owned()).unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, text));
        }
        for text in
            ["", "MB", "100", "100 MB", "-1MB", "+1MB", "1.5GB", "0KB", "99999999999GB", "10mb", "10é"]
        {
            assert!(Size::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
