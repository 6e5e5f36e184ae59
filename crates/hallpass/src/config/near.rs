//! "Did you mean …?"

/// How much of a word has to be right, of 1.
const NEAR: f64 = 0.6;

/// The known word that is nearest to one that is not known, where any is near.
pub(crate) fn near<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let all = known.into_iter().map(|known| (strsim::normalized_damerau_levenshtein(word, known), known));
    let (likeness, known) = all.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (likeness >= NEAR).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn a_slip_of_the_pen_is_near_and_another_word_is_not() {
        assert_eq!(near("githb", ["google", "github"]), Some("github"));
        assert_eq!(near("gitlab", ["entra", "acme"]), None);
        assert_eq!(near("acme", []), None);
    }
}
