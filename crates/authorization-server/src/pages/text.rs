//! Text that a stranger chose, made fit to be shown. Escaping it is the templates' part.

use hallpass_protocol::is_deceptive;

/// Longer names are cut.
const LONGEST: usize = 80;

/// The text without what could make it read as something else: control characters, line ends, marks that
/// turn the reading direction around, and characters without width. Bounded in length.
pub(crate) fn shown(text: &str) -> String {
    let mut visible =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_deceptive(*c));
    let mut shown: String = visible.by_ref().take(LONGEST).collect();
    if visible.next().is_some() {
        shown.push('…');
    }
    let collapsed: Vec<&str> = shown.split(' ').filter(|word| !word.is_empty()).collect();
    collapsed.join(" ")
}

/// An error's message as a sentence for people.
pub(crate) fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first: String = characters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn turns_no_text_around() {
        assert_eq!(shown("Claude \u{202e}live\u{2066}!"), "Claude live!");
        assert_eq!(shown("Cl\u{200b}au\u{feff}de"), "Claude");
    }

    #[test]
    fn keeps_one_line() {
        assert_eq!(shown(" a\r\n\tb\u{2028}c "), "a bc".replace("bc", "b c"));
    }

    #[test]
    fn cuts_long_names() {
        let name = shown(&"x".repeat(500));
        assert_eq!(name.chars().count(), LONGEST + 1);
    }

    proptest! {
        #[test]
        fn is_bounded_and_plain(text in "\\PC*|.*") {
            let shown = shown(&text);
            prop_assert!(shown.chars().count() <= LONGEST + 1);
            prop_assert!(!shown.chars().any(is_deceptive));
        }
    }
}
