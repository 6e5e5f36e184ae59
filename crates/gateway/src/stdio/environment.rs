//! What a process finds in its environment: what is named, and nothing else.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use hallpass_protocol::linked_token::LinkedToken;
use hallpass_resource_server::Caller;
use serde_json::Value;

use super::refused::Refused;
use super::{ProcessFor, StdioCommand};
use crate::owner::Owner;

/// What programs need to be run at all, and what says who the account is and which words it reads. The same as the official
/// SDKs hand on to stdio servers, and the words.
#[cfg(not(windows))]
const ANYWAY: [&str; 11] =
    ["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"];
#[cfg(windows)]
const ANYWAY: [&str; 16] = [
    "APPDATA",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATH",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
];
/// Of these, what is another account's where the program runs under one.
const OF_THE_ACCOUNT: [&str; 4] = ["HOME", "LOGNAME", "SHELL", "USER"];

/// Where the value of a variable comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Variable {
    /// From the configuration.
    Text(OsString),
    /// From a file, as [`secret_in`] reads it, each time that a process starts. Without it, none does.
    File(PathBuf),
    /// From hallpass's own environment, under the same name; without it, the variable is not there.
    Inherited,
    /// From a claim of the token that was verified, by its name or by a path with dots. A string is taken as it is, all else
    /// as JSON. Whose token has no such claim gets no process.
    Claim(String),
}

impl From<&str> for Variable {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Tokens of third parties for the caller. Who has other ones, or none, or those of another account, has no process in common with
/// them; a new token of the same link in place of an old one changes nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lent {
    /// The variables that they are in.
    pub(crate) names: Vec<OsString>,
    /// All of them, where a process may have to be started.
    pub(crate) values: Vec<(OsString, LinkedToken)>,
}

/// Which tokens of third parties are in something: the variables, and the link that each is of. Whoever only ends something has
/// not been asked about links.
pub(crate) type Links = Vec<(OsString, Option<Box<str>>)>;

impl Lent {
    /// Whose what is made with these is.
    pub(super) fn owner(&self, caller: &Caller) -> Owner {
        Owner::from(caller).with(self.links())
    }

    /// Of which links they are.
    pub(super) fn links(&self) -> Links {
        let link = |name: &OsString| {
            let value = self.values.iter().find(|(other, _)| other == name);
            value.map(|(_, token)| token.link().into())
        };
        self.names.iter().map(|name| (name.clone(), link(name))).collect()
    }

    /// Takes those over that came later. Requests may overtake each other: what was renewed does not become the old one again.
    pub(super) fn take_newer(&mut self, other: &Self) {
        for (name, token) in &other.values {
            match self.values.iter_mut().find(|(known, _)| known == name) {
                None => self.values.push((name.clone(), token.clone())),
                Some((_, known)) if known.link() != token.link() || known.version() < token.version() => {
                    *known = token.clone();
                }
                Some(_) => {}
            }
        }
        self.names.clone_from(&other.names);
    }

    /// Whether these are the same tokens.
    pub(super) fn are_those_of(&self, other: &Self) -> bool {
        let same = |(one, token): &(OsString, LinkedToken)| {
            let value = other.values.iter().find(|(name, _)| name == one);
            value.is_some_and(|(_, other)| (token.link(), token.version()) == (other.link(), other.version()))
        };
        self.values.len() == other.values.len() && self.values.iter().all(same)
    }
}

/// Variables with their values.
pub(super) type Variables = Vec<(OsString, OsString)>;

/// What a process hears of whose it is. Two who would hear different things have no process in common.
pub(super) fn of_caller(command: &StdioCommand, caller: &Caller) -> Result<Variables, Refused> {
    let mut told = Vec::new();
    let mut tell = |name: &str, value: &str| told.push((name.into(), printable(value).into()));
    if command.process != ProcessFor::Shared {
        tell("HALLPASS_SUBJECT", caller.principal());
        tell("HALLPASS_ISSUER", caller.issuer());
    }
    if command.process == ProcessFor::Session {
        tell("HALLPASS_CLIENT", caller.client_id());
    }
    for (name, variable) in &command.environment {
        let Variable::Claim(claim) = variable else { continue };
        // What is one user's is no other's.
        let value = caller.claim(claim).filter(|_| command.process != ProcessFor::Shared);
        let value = match value {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => return Err(Refused::NoClaim(claim.clone())),
            Some(other) => other.to_string(),
        };
        told.push((name.clone(), printable(&value).into()));
    }
    Ok(told)
}

/// What a variable holds whose value is in a file: all of it but the end of its last line.
///
/// # Errors
/// Where the file can't be read, is no UTF-8, or holds what no variable can.
pub fn secret_in(file: &Path) -> io::Result<OsString> {
    let mut text = std::fs::read_to_string(file)?;
    if text.ends_with('\n') {
        text.pop();
        text.truncate(text.strip_suffix('\r').map_or(text.len(), str::len));
    }
    match text.contains('\0') {
        // The operating system ends a variable there.
        true => Err(io::Error::new(io::ErrorKind::InvalidData, "it holds a NUL")),
        false => Ok(text.into()),
    }
}

/// All that is in the environment.
///
/// # Errors
/// Where a file can't be read.
pub(super) fn whole(command: &StdioCommand, told: &Variables, lent: &Lent) -> io::Result<Variables> {
    let own = |name: &OsStr| std::env::var_os(name).map(|value| (name.to_owned(), value));
    let anyway = ANYWAY.iter().filter(|name| command.account.is_none() || !OF_THE_ACCOUNT.contains(name));
    let mut all: Variables = anyway.filter_map(|name| own(OsStr::new(name))).collect();
    for (name, variable) in &command.environment {
        match variable {
            Variable::Text(text) => all.push((name.clone(), text.clone())),
            Variable::File(file) => {
                let said =
                    |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
                all.push((name.clone(), secret_in(file).map_err(said)?));
            }
            Variable::Inherited => all.extend(own(name)),
            // Among what is told.
            Variable::Claim(_) => {}
        }
    }
    all.extend(told.iter().cloned());
    all.extend(lent.values.iter().map(|(name, secret)| (name.clone(), secret.expose().into())));
    Ok(all)
}

/// The operating system ends a variable at a NUL.
fn printable(text: &str) -> String {
    text.replace('\0', "%00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_but_for_its_last_line_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, value) in [
            ("s", "s"),
            ("s\n", "s"),
            ("s\r\n", "s"),
            ("a\nb\n\n", "a\nb\n"),
            ("s\r", "s\r"),
            ("", ""),
            (" s ", " s "),
        ] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(secret_in(file.path()).unwrap(), value, "{text:?}");
        }
        for bytes in [&b"a\0b"[..], b"\xff"] {
            std::fs::write(file.path(), bytes).unwrap();
            assert_eq!(secret_in(file.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        assert_eq!(secret_in(Path::new("/nowhere/at/all")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
