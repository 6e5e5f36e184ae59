//! Member names that some parsers take for one and the same.

/// Whether `name` is `known` to a parser that ignores case, as Go's encoding/json does. It folds
/// `ſ` to `s` and the Kelvin sign to `k`, too.
pub fn folds_to(name: &str, known: &str) -> bool {
    // Nearly every name is another one, and shows it by its first letter: one of ASCII is a form of no other.
    if let (Some(first), Some(begins)) = (name.bytes().next(), known.bytes().next())
        && first.is_ascii()
        && !first.eq_ignore_ascii_case(&begins)
    {
        return false;
    }
    if name.eq_ignore_ascii_case(known) {
        return true;
    }
    if name.is_ascii() {
        return false;
    }
    let upper = name.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).eq(known.chars().flat_map(char::to_lowercase))
}

#[cfg(test)]
mod tests {
    use super::folds_to;

    #[test]
    fn what_go_takes_for_the_same() {
        for name in ["params", "Params", "PARAMS", "param\u{17f}"] {
            assert!(folds_to(name, "params"), "{name}");
        }
        assert!(folds_to("re\u{17f}ource\u{17f}ubscriptions", "resourceSubscriptions"));
        for name in ["param", "params ", "pärams", "", "q", "\u{17f}"] {
            assert!(!folds_to(name, "params"), "{name}");
        }
    }

    /// The first letter, too, may be written as no letter of ASCII.
    #[test]
    fn the_first_letter_folds_as_any_other() {
        for (name, known) in [("\u{17f}cope", "scope"), ("\u{212a}ey", "key"), ("SCOPE", "scope")] {
            assert!(folds_to(name, known), "{name}");
        }
    }

    proptest::proptest! {
        /// What is told at sight is what comes of folding all of both.
        #[test]
        fn a_first_letter_misleads_nobody(name in "[pqPQs\u{17f}\u{212a}k]{0,3}", known in "[pqsk]{1,3}") {
            let folded = |text: &str| text.to_uppercase().to_lowercase();
            proptest::prop_assert_eq!(folds_to(&name, &known), folded(&name) == folded(&known));
        }
    }
}
