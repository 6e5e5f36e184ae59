//! What a person types to find their device (RFC 8628 §6.1).

use rand::RngExt;

/// Consonants that are told apart when read aloud or seen; without vowels no word comes out. 20 of them, eight times: 34
/// bits, beside a bound on guesses.
const LETTERS: [char; 20] =
    ['B', 'C', 'D', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Z'];
const LENGTH: usize = 8;

/// A code, as it is kept and compared: eight letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserCode(String);

impl UserCode {
    pub(crate) fn new() -> Self {
        let mut random = rand::rng();
        Self((0..LENGTH).map(|_| LETTERS[random.random_range(..LETTERS.len())]).collect())
    }

    /// What a person typed: case, hyphens and spaces do not count.
    pub(crate) fn parse(typed: &str) -> Option<Self> {
        let letters: String = typed
            .chars()
            .filter(|letter| !matches!(letter, '-' | ' '))
            .map(|letter| letter.to_ascii_uppercase())
            .collect();
        let fits = letters.len() == LENGTH && letters.chars().all(|letter| LETTERS.contains(&letter));
        fits.then_some(Self(letters))
    }

    /// As people read it: `BCDF-GHJK`.
    pub(crate) fn shown(&self) -> String {
        let (first, second) = self.0.split_at(LENGTH / 2);
        format!("{first}-{second}")
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_read_as_people_type_it() {
        let code = UserCode::parse("bcdf-ghjk").unwrap();
        assert_eq!(code.shown(), "BCDF-GHJK");
        for same in ["BCDFGHJK", " bcdf ghjk ", "b-c-d-f-g-h-j-k"] {
            assert_eq!(UserCode::parse(same).unwrap(), code, "{same}");
        }
        for other in ["", "BCDF-GHJ", "BCDF-GHJKL", "ABCD-FGHJ", "BCDF_GHJK", "BCDF-GHJ0"] {
            assert_eq!(UserCode::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            if let Some(code) = UserCode::parse(&text) {
                prop_assert_eq!(UserCode::parse(&code.shown()), Some(code));
            }
        }
    }

    #[test]
    fn a_new_one_reads_back() {
        for _ in 0..100 {
            let code = UserCode::new();
            assert_eq!(UserCode::parse(&code.shown()), Some(code));
        }
    }
}
