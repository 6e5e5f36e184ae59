//! What `--help` says, read as a person would.

use crate::program::{run, said};

fn help(command: &str) -> String {
    let data = tempfile::tempdir().unwrap();
    let args: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
    said(&run(data.path(), &args))
}

/// The part under a heading, as far as it is indented.
fn under(help: &str, heading: &str) -> String {
    let heading = format!("{heading}:");
    let lines = help.lines().skip_while(|line| *line != heading).skip(1);
    let part: Vec<_> = lines.take_while(|line| line.is_empty() || line.starts_with(' ')).collect();
    assert!(!part.is_empty(), "no {heading} in {help}");
    part.join("\n")
}

#[test]
fn each_option_stands_where_it_belongs() {
    for command in ["login", "connect", "doctor", "token"] {
        let help = help(command);
        let network = under(&help, "Network");
        for option in [
            "--timeout",
            "--ca-file",
            "--client-cert",
            "--client-key",
            "--proxy",
            "--no-proxy",
            "--header-file",
        ] {
            assert!(network.contains(option), "{command} {option}: {network}");
        }
        let mode = under(&help, "Mode");
        assert!(mode.contains("--bearer-env") && !mode.contains("--proxy"), "{command}: {mode}");
    }
    for command in ["login", "logout", "connect", "doctor", "token"] {
        let help = help(command);
        assert!(under(&help, "Arguments").contains("<URL>"), "{command}");
        let is_heading = |line: &&str| line.ends_with(':') && !line.starts_with([' ', 'E']);
        let headings: Vec<_> = help.lines().filter(is_heading).collect();
        assert_eq!(headings.last(), Some(&"Where things are kept:"), "{command}");
    }
    assert!(under(&help("login"), "Login").contains("--no-dpop"));
    assert!(under(&help("token"), "Options").contains("--json"));
    assert!(under(&help("doctor"), "Login").contains("With --login: ask for a plain Bearer token"));
    assert!(under(&help("connect"), "Where things are kept").contains("--token-store"));
}

/// An option that does nothing is a lie.
#[test]
fn no_command_has_options_of_another() {
    for (command, absent) in [
        ("logout", &["--callback-port", "--mode", "--scope", "--device", "--header"][..]),
        ("token", &["--callback-port", "--device", "--authorize-param", "--header <NAME"]),
        ("doctor", &["--account", "--token-store"]),
        ("completions", &["--token-store"]),
        ("keys list", &["--token-store", "--version"]),
        ("serve", &["--token-store"]),
    ] {
        let help = help(command);
        for option in absent {
            assert!(!help.contains(option), "{command} {option}: {help}");
        }
    }
    for command in ["login", "logout", "connect", "token", "accounts"] {
        assert!(help(command).contains("--token-store"), "{command}");
    }
}

/// Without a terminal the lines are 100 columns wide, and none is broken in the middle of an example.
#[test]
fn no_line_is_broken_in_an_odd_place() {
    for command in
        ["", "serve", "connect", "doctor", "login", "logout", "token", "accounts", "client add", "user add"]
    {
        let help = help(command);
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        let examples = help.split("Example").nth(1).unwrap_or_else(|| panic!("{command}"));
        let lines = examples.lines().skip(1).take_while(|line| !line.is_empty());
        for line in lines {
            assert!(line.starts_with("  "), "{command}: {line:?}");
            let begins = !line.starts_with("   ");
            assert!(!begins || line.contains("hallpass"), "{command}: a line that goes on: {line:?}");
        }
    }
}

/// A page for each command, made of what `--help` says.
#[test]
fn there_are_manual_pages() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("man");
    said(&run(folder.path(), &["man", to.to_str().unwrap()]));
    for (page, says) in [
        ("hallpass.1", "hallpass\\-serve(1)"),
        ("hallpass-serve.1", "\\-\\-upstream"),
        ("hallpass-client-add.1", "redirect"),
        ("hallpass-connect.1", ".SH SYNOPSIS\n.nf\nhallpass connect [OPTIONS] <URL>\n.fi\n"),
        ("hallpass-connect.1", "  hallpass connect https://mcp.example.com/mcp\n"),
        ("hallpass-connect.1", ".SH \"SEE ALSO\"\nhallpass(1)\n"),
        (
            "hallpass-client-token-issue.1",
            "hallpass\\-client\\-token(1), hallpass\\-client\\-token\\-list(1)",
        ),
    ] {
        let text = std::fs::read_to_string(to.join(page)).unwrap();
        assert!(text.starts_with(".ie") || text.contains(".TH "), "{page}");
        assert!(text.contains(says), "{page}: {text}");
    }
}
