//! The page: one section for each table, one row for each setting.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::example::{self, Examples, Step, key};
use super::schema::{self, Kind, ROOT, Schema};
use super::wording::{
    anchor, cell, full_name, header, meanings, shortest, without_default, without_name, words,
};

/// What no type says.
const HEAD: &str = "\
# All settings

<!-- Written by `cargo xtask settings` from the types and comments that read the file. Change those, not this page. -->

The configuration is one TOML file: `hallpass serve --config hallpass.toml`, or `HALLPASS_CONFIG` in the environment. Everything in it
has a default; a server to protect is all that has to be named, here or on the command line. `hallpass config check hallpass.toml` says
what is wrong with a file, by its line, or what it comes to. What hallpass doesn't know is refused. `hallpass config schema` prints the JSON Schema,
from which this page is made.

Passwords and keys never stand in the file: settings that end in `_file`, and those of certificates and keys, name files. Relative paths are
taken from the folder that the configuration file is in, wherever hallpass is started.

| beside the file | what it is |
|---|---|
| `--listen`, `--public-url`, `--upstream`, `--tls-in-front`, `-- COMMAND` of `serve` | come before what the file says |
| `--data`, or `HALLPASS_DATA` | comes before `data` |
| `HALLPASS_DATABASE_PASSWORD` | the database's password, where no `password_file` is named |
| `RUST_LOG`, `-v`, `-vv` | how much is said on standard error |
";

/// A table on the page.
struct Section {
    /// Its name in the schema.
    name: String,
    /// Where it stands: the first is the one that it is described at.
    paths: Vec<Vec<Step>>,
    /// Where it stands because a table around it stands in several places.
    elsewhere: Vec<Vec<Step>>,
}

/// No table of settings is this deep; one that holds itself would be.
const DEEPEST: usize = 12;

struct Page<'a> {
    schema: Schema<'a>,
    examples: &'a Examples,
    sections: Vec<Section>,
    /// Which section describes a table of the schema.
    described: BTreeMap<String, usize>,
    /// Forms of text that were met.
    forms: Vec<String>,
    without: Vec<String>,
}

/// The page, and the settings that have no example.
pub(super) fn write(schema: &Value, examples: &Examples) -> Result<(String, Vec<String>)> {
    let mut page = Page {
        schema: Schema::new(schema),
        examples,
        sections: Vec::new(),
        described: BTreeMap::new(),
        forms: Vec::new(),
        without: Vec::new(),
    };
    page.table(ROOT, &[], true);
    let text = page.text()?;
    Ok((text, page.without))
}

impl Page<'_> {
    /// Notes a table and those in it. `new` says whether it is met in a table that is described at this path.
    fn table(&mut self, name: &str, path: &[Step], new: bool) {
        let Some(table) = self.schema.table(name).filter(|_| path.len() <= DEEPEST) else { return };
        let known = self.described.get(name).copied();
        match known.and_then(|at| self.sections.get_mut(at)) {
            Some(section) if new => section.paths.push(path.to_owned()),
            Some(section) => section.elsewhere.push(path.to_owned()),
            None => {
                self.described.insert(name.to_owned(), self.sections.len());
                let paths = vec![path.to_owned()];
                self.sections.push(Section { name: name.to_owned(), paths, elsewhere: Vec::new() });
            }
        }
        for (below, schema) in below(&table, path) {
            self.descend(&self.schema.kind(schema), &below, known.is_none());
        }
    }

    /// The tables that a value of that kind holds.
    fn descend(&mut self, kind: &Kind, path: &[Step], new: bool) {
        match kind {
            Kind::Table(name) => self.table(name, path, new),
            Kind::List(of) => self.descend(of, &[path, &[Step::Entry]].concat(), new),
            Kind::Named(of) => self.descend(of, &[path, &[Step::Named]].concat(), new),
            Kind::Either(kinds) => kinds.iter().for_each(|kind| self.descend(kind, path, new)),
            _ => {}
        }
    }

    /// The rows of a section.
    fn rows(&mut self, at: usize) -> String {
        let Some(section) = self.sections.get(at) else { return String::new() };
        let Some(table) = self.schema.table(&section.name) else { return String::new() };
        let places: Vec<Vec<Step>> = section.paths.iter().chain(&section.elsewhere).cloned().collect();
        let Some(first) = places.first() else { return String::new() };
        let mut rows = String::new();
        for (path, schema) in below(&table, first) {
            let step = path.last();
            let name = match step {
                Some(Step::Member(member)) => format!("`{}`", key(member)),
                _ => "any other name".to_owned(),
            };
            let required = matches!(step, Some(Step::Member(member)) if table.requires(member));
            let within = |place: &Vec<Step>| {
                self.examples
                    .at(&[place.as_slice(), step.map(std::slice::from_ref).unwrap_or_default()].concat())
            };
            let example = places.iter().find_map(within);
            rows.push_str(&self.row(&name, schema, required, &path, example));
        }
        rows
    }

    fn row(
        &mut self,
        name: &str,
        schema: &Value,
        required: bool,
        path: &[Step],
        example: Option<String>,
    ) -> String {
        let kind = self.schema.kind(schema);
        let (mut says, told) = without_default(schema::says(schema));
        if says.is_empty() {
            says = self.of_kind(&kind);
        }
        says.push_str(&meanings(&kind, &says));
        let is_table = matches!(kind, Kind::Table(_));
        let default = match schema::default(schema) {
            _ if required => "required".to_owned(),
            Some(value) => format!("`{}`", self.literal(value, schema)),
            None if is_table => told.unwrap_or_default(),
            None => told.unwrap_or_else(|| "none".to_owned()),
        };
        let default_value = schema.get("default").unwrap_or(&Value::Null);
        let holds_tables = !self.tables(&kind).is_empty();
        let example = example.filter(|text| !holds_tables || text.len() < 60);
        let example = example.or_else(|| example::of(&kind, default_value));
        if example.is_none() && !holds_tables {
            self.without.push(full_name(path));
        }
        let example = example.map_or_else(String::new, |text| format!("`{text}`"));
        let kind = self.kind(&kind, path);
        let row = [name, &kind, &default, &says, &example].map(cell).join(" | ");
        format!("| {row} |\n")
    }

    /// A default, as it would stand in the file.
    fn literal(&self, value: &Value, schema: &Value) -> String {
        let form = match self.schema.kind(schema) {
            Kind::Form(name) => self.schema.definition(&name).and_then(Value::as_object),
            _ => None,
        };
        match value.as_str() {
            Some(span) if form.is_some_and(schema::is_span) => format!("\"{}\"", shortest(span)),
            _ => value.to_string(),
        }
    }

    /// The doc comment of a table, for a setting that has none of its own.
    fn of_kind(&self, kind: &Kind) -> String {
        let (Kind::Table(name) | Kind::Form(name)) = kind else { return String::new() };
        self.schema.definition(name).map(|schema| schema::says(schema).to_owned()).unwrap_or_default()
    }

    fn tables(&self, kind: &Kind) -> Vec<String> {
        match kind {
            Kind::Table(name) => vec![name.clone()],
            Kind::List(of) | Kind::Named(of) => self.tables(of),
            Kind::Either(kinds) => kinds.iter().flat_map(|kind| self.tables(kind)).collect(),
            _ => Vec::new(),
        }
    }

    /// A kind in words.
    fn kind(&mut self, kind: &Kind, path: &[Step]) -> String {
        match kind {
            Kind::Bool => "`true` or `false`".to_owned(),
            Kind::Number(Some(least)) => format!("number, {least} or more"),
            Kind::Number(None) => "number".to_owned(),
            Kind::Text(None) => "text".to_owned(),
            Kind::Text(Some(format)) if format == "uri" => "URL".to_owned(),
            Kind::Text(Some(format)) if format == "ip" => "IP address".to_owned(),
            Kind::Text(Some(format)) => format!("text ({format})"),
            Kind::Form(name) => {
                if !self.forms.contains(name) {
                    self.forms.push(name.clone());
                }
                format!("[{}](#{})", words(name), anchor(&words(name)))
            }
            Kind::Words(all) => {
                let names: Vec<String> = all.iter().map(|word| format!("`\"{}\"`", word.name)).collect();
                names.join(", ")
            }
            Kind::List(of) => match of.as_ref() {
                Kind::Table(name) => self.link(name, "tables", &[path, &[Step::Entry]].concat()),
                of => format!("list: {}", self.kind(of, path)),
            },
            Kind::Named(of) => match of.as_ref() {
                of if self.tables(of).is_empty() => format!("table of names: {}", self.kind(of, path)),
                of => {
                    let below = [path, &[Step::Named]].concat();
                    format!("table of names: {}", self.kind(of, &below))
                }
            },
            Kind::Table(name) => self.link(name, "table", path),
            Kind::Members(names) => {
                let members: Vec<String> = names.iter().map(|name| format!("{} = …", key(name))).collect();
                format!("`{{ {} }}`", members.join(", "))
            }
            Kind::Either(kinds) => {
                let all: Vec<String> = kinds.iter().map(|kind| self.kind(kind, path)).collect();
                all.join(", or ")
            }
            Kind::Anything => "any value".to_owned(),
        }
    }

    /// To where a table is described: here, or where the same one was met before.
    fn link(&self, name: &str, what: &str, path: &[Step]) -> String {
        let known = self.described.get(name).and_then(|at| self.sections.get(*at));
        let path = known.and_then(|section| section.paths.first()).map_or(path, Vec::as_slice);
        format!("[{what}](#{})", anchor(&header(path)))
    }

    fn text(&mut self) -> Result<String> {
        let mut text = HEAD.to_owned();
        let mut settings = 0;
        for at in 0..self.sections.len() {
            let rows = self.rows(at);
            settings += rows.lines().count();
            text.push_str(&self.heading(at));
            text.push_str(
                "\n| setting | what it takes | default | what it does | example |\n|---|---|---|---|---|\n",
            );
            text.push_str(&rows);
        }
        ensure!(settings > 0, "the schema has no settings");
        text.push_str(&self.forms());
        Ok(text)
    }

    fn heading(&self, at: usize) -> String {
        let Some((first, others)) = self.sections.get(at).and_then(|section| section.paths.split_first())
        else {
            return String::new();
        };
        if first.is_empty() {
            return "\n## At the top\n".to_owned();
        }
        let name = self.sections.get(at).map(|section| section.name.as_str()).unwrap_or_default();
        let says = self.schema.definition(name).map(schema::says).unwrap_or_default();
        let mut text =
            format!("\n## `{}`\n\n{}\n", header(first), cell(without_default(&without_name(says)).0));
        if !others.is_empty() {
            let names: Vec<String> = others.iter().map(|path| format!("`{}`", header(path))).collect();
            text.push_str(&format!("\nThe same in {}.\n", names.join(", ")));
        }
        text
    }

    fn forms(&self) -> String {
        let mut text = "\n## Forms of text\n\n| form | what it is | pattern |\n|---|---|---|\n".to_owned();
        for name in &self.forms {
            let Some(schema) = self.schema.definition(name) else { continue };
            let says = schema::says(schema);
            let first =
                says.split(". ").next().and_then(|says| says.split("\n\n").next()).unwrap_or_default();
            let pattern = schema.get("pattern").and_then(Value::as_str);
            let pattern = pattern.map_or_else(String::new, |pattern| format!("`{pattern}`"));
            let name = words(name);
            text.push_str(&format!(
                "| <a id=\"{}\"></a>{name} | {} | {} |\n",
                anchor(&name),
                cell(first),
                cell(&pattern)
            ));
        }
        text
    }
}

/// The settings of a table, each with its path.
fn below<'a>(table: &schema::Table<'a>, path: &[Step]) -> Vec<(Vec<Step>, &'a Value)> {
    let named = table.members.iter().map(|(name, schema)| (Step::Member((*name).to_owned()), *schema));
    let others = table.others.map(|schema| (Step::Named, schema));
    named.chain(others).map(|(step, schema)| ([path, &[step]].concat(), schema)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A setting that nobody knew when this was written is on the page, with all that its type says.
    #[test]
    fn every_setting_of_the_schema_is_on_the_page() {
        let schema = json!({
            "properties": {
                "listen": { "type": "string", "description": "Where. Default: nowhere." },
                "server": { "$ref": "#/$defs/Server" },
                "servers": { "type": "array", "items": { "$ref": "#/$defs/Server" } },
            },
            "$defs": {
                "Server": {
                    "description": "A server.",
                    "properties": {
                        "wait": { "$ref": "#/$defs/Span", "default": "600s" },
                        "mode": { "$ref": "#/$defs/Mode", "default": "on", "description": "Its mode." },
                        "key": { "type": "string", "description": "a | b" },
                        "said": { "anyOf": [{ "type": "string" }, { "type": "object", "properties": { "file": { "type": "string" } } }] },
                        "rules": { "type": "object", "additionalProperties": { "$ref": "#/$defs/Rule" } },
                    },
                    "required": ["key"],
                },
                "Rule": { "properties": { "scopes": { "type": "array", "items": { "type": "string" } } } },
                "Mode": { "oneOf": [{ "const": "on", "description": "Yes." }, { "const": "off", "description": "No." }] },
                "Span": { "type": "string", "pattern": "^[0-9]+[smhd]$", "description": "A span." },
            },
        });
        let examples = Examples::read("listen = 'a:1'\n[[servers]]\nrules.x.scopes = ['s']").unwrap();
        let (page, without) = write(&schema, &examples).unwrap();
        for row in [
            "| `listen` | text | nowhere | Where. | `\"a:1\"` |",
            "| `server` | [table](#server) |",
            "| `servers` | [tables](#server) |",
            "## `[server]`\n\nA server.\n\nThe same in `[[servers]]`.",
            "| `wait` | [span](#span) | `\"10m\"` |",
            "| `mode` | `\"on\"`, `\"off\"` | `\"on\"` | Its mode.<br>`on`: Yes.<br>`off`: No. | `\"off\"` |",
            "| `key` | text | required | a \\| b |",
            "| `said` | text, or `{ file = … }` | none |",
            "## `[server.rules.NAME]`",
            // Found at another place of the same table.
            "| `scopes` | list: text | none |  | `[\"s\"]` |",
        ] {
            assert!(page.contains(row), "{row}\n{page}");
        }
        assert_eq!(without, ["server.key", "server.said", "server.wait"]);
    }
}
