//! Member names that some parsers take for one and the same.

/// Whether `name` is `known` to a parser that ignores case, as Go's encoding/json does. It folds
/// `ſ` to `s` and the Kelvin sign to `k`, too.
pub fn folds_to(name: &str, known: &str) -> bool {
    // Nearly every name is another one, and shows it by its length.
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
        for name in ["param", "params ", "pärams", ""] {
            assert!(!folds_to(name, "params"), "{name}");
        }
    }
}
