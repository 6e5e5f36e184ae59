//! Characters that make a text read as something else. Strangers choose names, messages and URLs that people then see
//! on a page or in a terminal.

/// Whether a character is a control character, turns the reading direction around, or has no width: one that a text
/// for people has no use for, and that hides what stands there (Unicode TR 36 §2).
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text for a terminal: without deceptive characters, and so without escape sequences. Lines stay lines.
#[must_use]
pub fn for_terminal(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_deceptive(*c)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_terminal_gets_no_escape_sequence_and_no_text_turned_around() {
        let evil = "no \u{1b}]0;title\u{7}\u{1b}[2Jsuch \u{9b}31m\u{202e}file\r\nat 3";
        assert_eq!(for_terminal(evil), "no ]0;title[2Jsuch 31mfile\nat 3");
    }

    proptest! {
        #[test]
        fn what_is_left_is_plain(text in "\\PC*|.*") {
            prop_assert!(!for_terminal(&text).chars().any(|c| is_deceptive(c) && c != '\n' && c != '\t'));
        }
    }
}
