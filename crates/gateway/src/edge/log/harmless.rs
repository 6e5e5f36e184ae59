//! A line that does nothing to the terminal that shows it, and stays one line for whoever reads it.

use std::fmt::Write;

/// JSON in which what steers terminals, ends lines or turns text around is escaped (RFC 8259 §7). It can only be within a
/// string. What is below U+0020 is escaped there already.
pub(super) fn harmless(line: String) -> String {
    if !line.chars().any(steers) {
        return line;
    }
    let mut escaped = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        match steers(character) {
            // Writing to a String cannot fail.
            true => drop(write!(escaped, "\\u{:04x}", u32::from(character))),
            false => escaped.push(character),
        }
    }
    escaped
}

/// DEL and the second set of controls (with U+0085, which ends a line), other ends of lines, and what changes direction.
fn steers(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        let line = json!({ "path": "/\u{9b}31m\u{202e}\u{85}\u{7f}ä" }).to_string();
        assert_eq!(harmless(line), "{\"path\":\"/\\u009b31m\\u202e\\u0085\\u007fä\"}");
    }

    proptest! {
        /// It says the same, to whoever reads it as JSON.
        #[test]
        fn it_says_the_same(text: String) {
            let line = harmless(json!({ "path": text }).to_string());
            prop_assert!(!line.chars().any(|character| character.is_control() || steers(character)));
            let read: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&read["path"], &Value::from(text));
        }
    }
}
