//! Reading the configuration file.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{Config, House, Source, near};

/// Why a configuration file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("can't read {}: {source}; check that it is there and that you may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file says something that isn't TOML, or that hallpass doesn't know. The text has line and column.
    #[error("{}: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        problem: String,
    },
}

/// Reads and judges the file.
pub(crate) fn read(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let wrong = |problem| ConfigError::Wrong { path: path.to_owned(), problem };
    parse(path, text).map_err(wrong)
}

impl Config {
    /// Whether it says nothing but what clients need: what providers do differently, and where tokens are.
    pub(crate) fn is_for_clients(&self) -> bool {
        let Ok(document) = DeTable::parse(self.source.text()) else { return false };
        let is_for_clients = |name: &str| matches!(name, "provider" | "data");
        !self.provider.is_empty() && document.get_ref().keys().all(|name| is_for_clients(name.get_ref()))
    }
}

/// Judges the text of a file; the problem names line and column.
fn parse(path: &Path, text: String) -> Result<Config, String> {
    let read: Result<Config, _> = toml::from_str(&text);
    let mut config = read.map_err(|error| {
        let problem = error.to_string().trim_end().to_owned();
        match one_of_several(&text, &problem).or_else(|| meant(&problem)) {
            Some(hint) => format!("{problem}\n{hint}"),
            None => problem,
        }
    })?;
    config.source = Source::new(path, text);
    config.seen_from(path.parent().unwrap_or(Path::new("")));
    config.houses().iter().try_for_each(House::check_one_or_several)?;
    Ok(config)
}

fn table<'a, 'd>(of: &'a DeTable<'d>, key: &str) -> Option<&'a DeTable<'d>> {
    let (_, value) = of.iter().find(|(known, _)| known.get_ref().as_ref() == key)?;
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The known word that is nearest to one that is not known, where any is near: serde lists those that fit at that place.
fn meant(problem: &str) -> Option<String> {
    let unknown =
        problem.split_once("unknown field `").or_else(|| problem.split_once("unknown variant `"))?.1;
    let (word, rest) = unknown.split_once('`')?;
    let known = rest.split_once("expected")?.1.split('`').skip(1).step_by(2);
    near(word, known).map(|known| format!("did you mean `{known}`?"))
}

/// `[server.notes]` is a slip of the pen for `[servers.notes]`, where it says what stands behind.
fn one_of_several(text: &str, problem: &str) -> Option<String> {
    let name = problem.split("unknown field `").nth(1)?.split('`').next()?;
    let document = DeTable::parse(text).ok()?;
    let document = document.get_ref();
    let is_server = |around: &DeTable<'_>| {
        let inner = table(around, "server").and_then(|server| table(server, name));
        inner.is_some_and(|inner| {
            inner.iter().any(|(key, _)| matches!(key.get_ref().as_ref(), "upstream" | "command"))
        })
    };
    if is_server(document) {
        return Some(format!("[server.{name}] looks like one server among several: write [servers.{name}]"));
    }
    let tenants = table(document, "tenants")?;
    let (tenant, _) =
        tenants.iter().find(|(tenant, _)| table(tenants, tenant.get_ref()).is_some_and(is_server))?;
    let tenant = tenant.get_ref();
    Some(format!(
        "[tenants.{tenant}.server.{name}] looks like one server among several: write [tenants.{tenant}.servers.{name}]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        super::parse("h.toml".as_ref(), text.to_owned())
    }

    #[test]
    fn an_empty_file_is_the_default() {
        let config = parse("").unwrap();
        assert_eq!(config.protected()[0].path().as_str(), "/mcp");
        assert_eq!(config.listen, None);
    }

    #[test]
    fn a_whole_file() {
        let config = parse(
            r#"
            listen = "0.0.0.0:8080"
            public_url = "https://mcp.example.com"
            [server]
            name = "Notes"
            upstream = "http://localhost:3000/mcp"
            [server.scopes]
            default = ["notes:read"]
            "notes:read" = { says = "Read your notes" }
            "notes:write" = { says = "Write notes" }
            [server.tools]
            "write_*" = { scopes = ["notes:write"] }
            [authorization_server]
            access_token_lifetime = "5m"
            registration = "off"
            "#,
        )
        .unwrap();
        let server = config.protected()[0].server;
        assert_eq!(server.scopes.default, ["notes:read"]);
        assert_eq!(server.scopes.described.len(), 2);
        let crate::config::Rule::Ask(write) = &server.tools["write_*"] else { panic!() };
        assert_eq!(write.scopes, ["notes:write"]);
    }

    #[test]
    fn several_servers_keep_the_order_of_the_file() {
        let config = parse(
            "[servers.notes]\nupstream = \"http://localhost:3000/mcp\"\n[servers.notes.scopes]\n\"read\" = {}\n\
             [servers.mail]\npath = \"/post\"\nhost = \"mail.example.com\"\n",
        )
        .unwrap();
        let said: Vec<_> = config
            .protected()
            .iter()
            .map(|one| (one.section.title(), one.path().as_str().to_owned()))
            .collect();
        let expected = [("servers.notes", "/notes/mcp"), ("servers.mail", "/post")];
        assert_eq!(said, expected.map(|(title, path)| (title.to_owned(), path.to_owned())));
        assert!(config.houses()[0].named("mail").is_some() && config.houses()[0].named("server").is_none());
    }

    /// What is a slip of the pen is named by what was meant; what is no word of ours is not guessed at.
    #[test]
    fn an_unknown_word_is_told_by_its_neighbour() {
        for (text, meant) in [
            ("listne = \"a:1\"", Some("listen")),
            ("[server]\nupstrem = 1", Some("upstream")),
            ("[server]\narrangement = \"embeded\"", Some("embedded")),
            ("[server]\narrangment = \"embedded\"", Some("arrangement")),
            ("[third_parties.a]\nclient = \"b\"", Some("client_id")),
            ("[authorization_server]\nregistrations = \"open\"", Some("registration")),
            ("[server]\nxyzzy = 1", None),
        ] {
            let problem = parse(text).unwrap_err();
            let told = meant.map(|meant| format!("did you mean `{meant}`?"));
            assert_eq!(problem.contains("did you mean"), told.is_some(), "{problem}");
            assert!(told.is_none_or(|told| problem.contains(&told)), "{text}: {problem}");
        }
    }

    /// Broken syntax, an unknown member and a wrong value each name the line and column.
    #[test]
    fn a_fault_names_its_line_and_column() {
        for (text, place, what) in [
            ("listen = \n", "line 1, column 10", ""),
            ("\nlistne = \"a:1\"", "line 2, column 1", "listne"),
            ("[server]\nname = \"a\"\nupstrem = 1", "line 3, column 1", "upstrem"),
            ("\n\npublic_url = \"https://a/b\"", "line 3, column 14", "public URL"),
            ("[server.tools]\nx = { scope = [] }", "line 2", "scope"),
            ("[server.scopes]\na = {}\nb = { say = \"x\" }", "line 3", "say"),
            ("[server.scopes]\na = {}\n\nb = { says = \"\" }", "line 4", "leave it out"),
            ("[server.scopes]\na = {}\ndefault = \"a\"", "line 3", "a list, as in"),
            ("[server.scopes]\ndefault = []", "line 2", "leave it out"),
            ("[authorization_server]\naccess_token_lifetime = 600", "line 2", "\"10m\""),
            ("[servers.a]\n\n[server]\n", "line 3, column 2", "[servers.a]"),
            ("[servers.Notes]\nname = \"a\"", "line 1", "small letters"),
            ("[servers.token]\nname = \"a\"", "line 1", "taken"),
            ("[servers.a]\n[servers.b.scopes]\nx = { say = \"y\" }", "line 3", "say"),
            ("[servers.a]\nhost = \"https://a.example\"", "line 2, column 8", "its name alone"),
            ("[server.notes]\nupstream = \"http://a/mcp\"", "line 1", "write [servers.notes]"),
            ("[tenants.a.server.b]\ncommand = [\"c\"]", "line 1", "write [tenants.a.servers.b]"),
            ("[tenants.a]\nsever = {}", "line 2, column 1", "sever"),
            ("[tenants.A.server]\nname = \"x\"", "line 1", "a tenant's name"),
            ("[tenants.a.server]\n[tenants.a.servers.b]\n", "line 1", "call it [tenants.a.servers.NAME]"),
            ("[server.credentials]\nproxies = [\"10.0.0.0/8\"]", "line 2", "without a mask"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(place), "{text:?}: {problem}");
            assert!(problem.contains(what), "{text:?}: {problem}");
        }
    }
}
