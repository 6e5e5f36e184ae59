//! How the page says things.

use super::example::{Step, key};
use super::schema::Kind;

/// What words mean, unless the setting has told it already.
pub(super) fn meanings(kind: &Kind, says: &str) -> String {
    let words = match kind {
        Kind::Words(words) => words,
        Kind::Either(kinds) => match kinds.first() {
            Some(Kind::Words(words)) => words,
            _ => return String::new(),
        },
        _ => return String::new(),
    };
    let told = |name: &str| says.contains(&format!("`{name}`"));
    if words.iter().all(|word| told(&word.name) || word.says.is_empty()) {
        return String::new();
    }
    words.iter().map(|word| format!("<br>`{}`: {}", word.name, word.says)).collect()
}

/// The words without the sentence about the default, and what that says.
pub(super) fn without_default(says: &str) -> (String, Option<String>) {
    let says = says.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((before, after)) = says.split_once("Default: ") else { return (says, None) };
    let end = after.match_indices(". ").map(|(at, _)| at).next();
    let (default, rest) = match end {
        Some(at) => (&after[..at], &after[at + 2..]),
        None => (after.trim_end_matches('.'), ""),
    };
    (format!("{before}{rest}").trim_end().to_owned(), Some(default.to_owned()))
}

/// The doc comment of a table may begin with the table's name, which the heading says.
pub(super) fn without_name(says: &str) -> String {
    let Some((_, rest)) = says.strip_prefix("`[").and_then(|rest| rest.split_once("`: ")) else {
        return says.to_owned();
    };
    let mut letters = rest.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `600s` is `10m`.
pub(super) fn shortest(span: &str) -> String {
    let Some(seconds) = span.strip_suffix('s').and_then(|number| number.parse::<u64>().ok()) else {
        return span.to_owned();
    };
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let unit = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    unit.map_or_else(|| span.to_owned(), |(unit, letter)| format!("{}{letter}", seconds / unit))
}

/// As TOML writes the head of that table.
pub(super) fn header(path: &[Step]) -> String {
    let name = full_name(path);
    match path.last() {
        Some(Step::Entry) => format!("[[{name}]]"),
        _ => format!("[{name}]"),
    }
}

/// The setting's name with those of all tables around it.
pub(super) fn full_name(path: &[Step]) -> String {
    let mut name = String::new();
    for step in path {
        match step {
            Step::Member(member) => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&key(member));
            }
            Step::Named => name.push_str(".NAME"),
            Step::Entry => {}
        }
    }
    name
}

/// `ListenAddress` is a listen address.
pub(super) fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// As GitHub names the anchor of a heading.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_ascii_alphanumeric() || " _-".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Fit for a cell of a table.
pub(super) fn cell(text: impl AsRef<str>) -> String {
    text.as_ref().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_the_default_goes_into_its_column() {
        for (says, left, default) in [
            ("Where.", "Where.", None),
            ("Where. Default: `a.b`, here.", "Where.", Some("`a.b`, here")),
            ("Where.\nDefault: none. More.", "Where. More.", Some("none")),
        ] {
            assert_eq!(without_default(says), (left.to_owned(), default.map(str::to_owned)));
        }
    }

    #[test]
    fn spans_are_as_short_as_they_can_be() {
        for (span, short) in [("600s", "10m"), ("86400s", "1d"), ("90s", "90s"), ("7d", "7d")] {
            assert_eq!(shortest(span), short);
        }
    }
}
