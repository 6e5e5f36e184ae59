//! What a person sees when hallpass is ready.

use std::io::{self, Write};
use std::path::Path;

use clap::builder::styling::Style;
use hallpass_protocol::Secret;
use url::Url;

use super::program;
use crate::config::TenantName;

/// What there is to say.
pub(crate) struct Banner<'a> {
    /// The protected servers.
    pub(crate) servers: Vec<Shown<'a>>,
    /// The user that the demo made.
    pub(crate) demo_user: Option<(&'a str, &'a Secret)>,
    /// Where its data are, for the other commands.
    pub(crate) demo_data: Option<&'a Path>,
    /// The links under which the first user is made, of each tenant that has none.
    pub(crate) setup: Vec<(Option<&'a TenantName>, Url)>,
    /// Whether others can reach the port, and nobody said by which name.
    pub(crate) unnamed: bool,
}

/// A protected server.
pub(crate) struct Shown<'a> {
    /// What the file calls it, where there are several: `notes`, or `acme/notes` of a tenant.
    pub(crate) key: Option<String>,
    /// Its endpoint.
    pub(crate) endpoint: &'a str,
    /// What the operator calls it.
    pub(crate) name: Option<&'a str>,
    /// What stands behind it.
    pub(crate) upstream: String,
}

impl Banner<'_> {
    /// Prints it on standard output. The server runs on where nobody reads it.
    pub(crate) fn print(&self) {
        drop(self.write(&mut anstream::stdout().lock()));
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let bold = Style::new().bold();
        let dim = Style::new().dimmed();
        let row =
            |out: &mut dyn Write, name: &str, value: &str| writeln!(out, "  {name:<14}{bold}{value}{bold:#}");
        match self.servers.as_slice() {
            [Shown { name: Some(name), upstream, endpoint, key: None }] => {
                writeln!(out, "{bold}hallpass{bold:#} protects {bold}{name}{bold:#} ({upstream})\n")?;
                row(out, "MCP endpoint", endpoint)?;
            }
            [Shown { name: None, upstream, endpoint, key: None }] => {
                writeln!(out, "{bold}hallpass{bold:#} protects {upstream}\n")?;
                row(out, "MCP endpoint", endpoint)?;
            }
            several => {
                writeln!(
                    out,
                    "{bold}hallpass{bold:#} protects {} MCP server{}\n",
                    several.len(),
                    if several.len() == 1 { "" } else { "s" }
                )?;
                for server in several {
                    let name = server.key.as_deref().unwrap_or_default();
                    writeln!(out, "  {name:<14}{bold}{}{bold:#} ({})", server.endpoint, server.upstream)?;
                }
            }
        }
        if let Some((user, password)) = self.demo_user {
            row(out, "User", user)?;
            // The one password that is ever shown: made for this run, gone with it.
            row(out, "Password", password.expose())?;
        }
        if let Some(folder) = self.demo_data {
            row(out, "Data folder", &folder.display().to_string())?;
        }
        for (tenant, link) in &self.setup {
            let of = tenant.map_or_else(String::new, |name| format!(" of {name}"));
            writeln!(out, "\n  There is no user{of} yet. Make the first one here, within the hour:")?;
            writeln!(out, "  {bold}{link}{bold:#}")?;
        }
        if self.unnamed {
            writeln!(
                out,
                "\n  Others can reach this port, but only localhost is answered: say what they call it"
            )?;
            writeln!(out, "  with {bold}--public-url https://…{bold:#}")?;
        }
        let Some(first) = self.servers.first() else { return Ok(()) };
        match &first.key {
            Some(name) => {
                writeln!(
                    out,
                    "\n  Add them to a client, which opens the browser to log in; {name}, for one:\n"
                )
            }
            None => writeln!(out, "\n  Add it to a client, which opens the browser to log in:\n"),
        }?;
        let name = if self.demo_user.is_some() {
            "hallpass-demo".to_owned()
        } else {
            key(first.name.or(first.key.as_deref()))
        };
        for (client, line) in lines(&name, first.endpoint) {
            writeln!(out, "  {client:<14}{line}")?;
        }
        writeln!(out, "\n  {dim}Ctrl-C stops it.{dim:#}")
    }
}

/// The server's name as clients' configurations can have it: small letters and digits, with hyphens between.
fn key(name: Option<&str>) -> String {
    let name = name.unwrap_or_default().to_lowercase();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    match words.collect::<Vec<_>>().join("-") {
        key if key.is_empty() => "hallpass".to_owned(),
        key => key,
    }
}

/// The line that adds the server to each client.
fn lines(name: &str, endpoint: &str) -> [(&'static str, String); 5] {
    [
        ("Claude Code", format!("claude mcp add --transport http {name} {endpoint}")),
        ("VS Code", format!(r#"code --add-mcp '{{"name":"{name}","type":"http","url":"{endpoint}"}}'"#)),
        ("Cursor", format!(r#"~/.cursor/mcp.json: {{"mcpServers":{{"{name}":{{"url":"{endpoint}"}}}}}}"#)),
        (
            "MCP Inspector",
            format!("npx @modelcontextprotocol/inspector --transport http --server-url {endpoint}"),
        ),
        ("stdio clients", format!("{} connect {endpoint}", own_program())),
    ]
}

/// What to type to run this program: its name where PATH has it, its whole path elsewhere.
fn own_program() -> String {
    let own = std::env::current_exe().ok();
    let found = program::find("hallpass").and_then(|path| path.canonicalize().ok());
    match (own, found) {
        (Some(own), found) if found.as_ref() != Some(&own) => own.display().to_string(),
        _ => "hallpass".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_key_that_no_shell_minds() {
        for (name, expected) in [
            (Some("Team Notes"), "team-notes"),
            (Some("a'; rm -rf \"$x\""), "a-rm-rf-x"),
            (Some("日本"), "hallpass"),
            (None, "hallpass"),
        ] {
            assert_eq!(key(name), expected);
        }
    }
}
