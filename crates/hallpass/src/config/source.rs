//! Where in the file something stands, for mistakes that show only when all of it is looked at.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A configuration file as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    pub(crate) fn new(path: &Path, text: String) -> Self {
        Self { path: path.to_owned(), text }
    }

    /// All of it; empty where there is no file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// `hallpass.toml:7`, for the setting at that path of keys; the keys themselves where there is no file.
    pub(crate) fn place(&self, keys: &[&str]) -> String {
        match self.line(keys) {
            Some(line) => format!("{}:{line}", self.path.display()),
            None => keys.join("."),
        }
    }

    /// The line of a setting, counted from 1; of the nearest one around it where it stands nowhere.
    pub(super) fn line(&self, keys: &[&str]) -> Option<usize> {
        self.position(keys).map(|(line, _)| line)
    }

    /// Line and column, each counted from 1.
    pub(super) fn position(&self, keys: &[&str]) -> Option<(usize, usize)> {
        let document = DeTable::parse(&self.text).ok()?;
        let before = self.text.get(..deepest(document.get_ref(), keys)?)?;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
        Some((before.matches('\n').count() + 1, column + 1))
    }
}

/// Where the key stands that leads furthest down.
fn deepest(table: &DeTable<'_>, keys: &[&str]) -> Option<usize> {
    let (first, rest) = keys.split_first()?;
    let (key, value): (_, &Spanned<DeValue<'_>>) =
        table.iter().find(|(key, _)| key.get_ref().as_ref() == *first)?;
    let below = match value.get_ref() {
        DeValue::Table(table) => deepest(table, rest),
        _ => None,
    };
    Some(below.unwrap_or(key.span().start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_found_however_it_is_written() {
        let text = "listen = \"a:1\"\n[server]\nname = \"x\"\n[server.tools]\n\"write_*\" = { scopes = [\n \"a b\" ] }\n\
                    scopes.default = []\n[server.scopes.\"n:r\"]\nsays = \"x\"\n";
        let source = Source::new(Path::new("h.toml"), text.to_owned());
        for (keys, place) in [
            (&["listen"][..], "h.toml:1"),
            (&["server", "name"], "h.toml:3"),
            (&["server", "tools", "write_*"], "h.toml:5"),
            (&["server", "tools", "write_*", "scopes"], "h.toml:5"),
            (&["server", "scopes", "n:r", "says"], "h.toml:9"),
            (&["server", "nowhere"], "h.toml:2"),
            (&["nowhere", "x"], "nowhere.x"),
        ] {
            assert_eq!(source.place(keys), place);
        }
        assert_eq!(Source::default().place(&["server", "name"]), "server.name");
    }
}
