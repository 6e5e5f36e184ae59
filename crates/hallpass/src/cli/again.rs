//! The command that logs in where this one could not: with the same options, as far as `login` has them.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// `hallpass login URL`, with what the person has written beside it. `None` for a command that goes to no server.
pub(crate) fn login_command(mut program: Command, matches: &ArgMatches) -> Option<String> {
    program.build();
    let (_, given) = matches.subcommand()?;
    let mut words = vec!["hallpass".to_owned(), "login".to_owned()];
    words.push(quoted(&raw(given, "url").pop()?));
    for option in program.find_subcommand("login")?.get_arguments() {
        let id = option.get_id().as_str();
        let Some(name) = option.get_long().filter(|_| was_written(given, id)) else { continue };
        let takes_value = option.get_action().takes_values();
        for value in raw(given, id) {
            words.push(format!("--{name}"));
            let value = if id == "header" { without_secret(&value) } else { value };
            words.extend(takes_value.then(|| quoted(&value)));
        }
    }
    Some(words.join(" "))
}

/// What comes from the environment is still there the next time.
fn was_written(given: &ArgMatches, id: &str) -> bool {
    given.try_contains_id(id).is_ok_and(|contains| contains)
        && given.value_source(id) == Some(ValueSource::CommandLine)
        && id != "verbose"
}

/// Values as they were written.
fn raw(given: &ArgMatches, id: &str) -> Vec<String> {
    let values = given.try_get_raw(id).ok().flatten().into_iter().flatten();
    values.map(|value| value.to_string_lossy().into_owned()).collect()
}

/// More people read a message than an argument: of a field, only what comes from the environment is repeated.
fn without_secret(field: &str) -> String {
    let (name, value) = field.split_once(':').unwrap_or((field, ""));
    let value = value.trim();
    let is_variable = value.starts_with("${") && value.find('}') == Some(value.len() - 1);
    if is_variable { field.to_owned() } else { format!("{name}: …") }
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn command(line: &[&str]) -> Option<String> {
        let matches = Cli::command().get_matches_from([&["hallpass"], line].concat());
        login_command(Cli::command(), &matches)
    }

    #[test]
    fn it_has_what_the_person_wrote_and_login_takes() {
        let url = "https://mcp.example/mcp";
        for (line, expected) in [
            (&["token", url][..], "hallpass login https://mcp.example/mcp"),
            (
                &["token", url, "--account", "work", "--header"],
                "hallpass login https://mcp.example/mcp --account work",
            ),
            (
                &["connect", url, "--header", "X-Key: ${PATH}", "--header=A: s3cret", "--transport", "sse"],
                r"hallpass login https://mcp.example/mcp --header 'X-Key: ${PATH}' --header 'A: …'",
            ),
            (
                &[
                    "--data",
                    "d",
                    "connect",
                    "https://mcp.example/mcp?a=1&b=2",
                    "--scope",
                    "a b",
                    "--account",
                    "it's",
                    "-v",
                ],
                r"hallpass login 'https://mcp.example/mcp?a=1&b=2' --scope 'a b' --account 'it'\''s' --data d",
            ),
            (
                &[
                    "token",
                    url,
                    "--client-id",
                    "ide",
                    "--issuer",
                    "https://as.example",
                    "--ca-file",
                    "ca.pem",
                ],
                "hallpass login https://mcp.example/mcp --client-id ide --authorization-server https://as.example --ca-file ca.pem",
            ),
        ] {
            assert_eq!(command(line).as_deref(), Some(expected));
        }
        assert_eq!(command(&["accounts"]), None);
    }

    /// It is a command that works.
    #[test]
    fn it_can_be_parsed_again() {
        let line = [
            "token",
            "https://mcp.example/mcp",
            "--account",
            "work",
            "--timeout",
            "5",
            "--token-store",
            "plain",
        ];
        let again = command(&line).unwrap();
        let words: Vec<_> = again.split(' ').collect();
        assert_eq!(command(&words[1..]), Some(again.clone()), "{again}");
    }
}
