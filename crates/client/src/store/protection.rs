//! What keeps stored tokens from being read by others.

use std::str::FromStr;

/// How a file of tokens is protected at rest. Whatever is chosen, the file has mode 0600 as well.
///
/// An encrypted file says where its key is, so every choice reads every file for which the key can be had;
/// the choice decides how the next write is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protection {
    /// As the file is already. For a new file: the passphrase if there is one, else the operating system's
    /// keyring if it answers in time and remembers, else a key file.
    #[default]
    Automatic,
    /// AES-256-GCM under a key in the operating system's keyring.
    Keyring,
    /// AES-256-GCM under a key that argon2id makes from a passphrase (RFC 9106).
    Passphrase,
    /// AES-256-GCM under a key in a file of its own, with mode 0600, made at the first start. Keeps tokens out of
    /// copies and backups of the token file alone, not from someone who reads the folder.
    KeyFile,
    /// Not encrypted.
    Plain,
}

impl Protection {
    const NAMES: [(&'static str, Self); 5] = [
        ("auto", Self::Automatic),
        ("keyring", Self::Keyring),
        ("passphrase", Self::Passphrase),
        ("key-file", Self::KeyFile),
        ("plain", Self::Plain),
    ];

    /// The names that [`FromStr`] understands.
    #[must_use]
    pub fn names() -> [&'static str; 5] {
        Self::NAMES.map(|(name, _)| name)
    }
}

/// The name is none of [`Protection::names`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to protect tokens; there are auto, keyring, passphrase, key-file and plain")]
pub struct UnknownProtection(String);

impl FromStr for Protection {
    type Err = UnknownProtection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, protection)| protection).ok_or_else(|| UnknownProtection(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_understood() {
        for name in Protection::names() {
            assert!(name.parse::<Protection>().is_ok(), "{name}");
        }
        assert!("none".parse::<Protection>().unwrap_err().to_string().contains("plain"));
    }
}
