//! Finds the patterns that match a name, without trying each.
//!
//! A pattern without a star is found by hash. One with stars is filed under the text before its first
//! star, or, where it begins with its only star, under the text behind it, backwards. Of a sorted list of
//! such texts, those that a name begins with are the last one that is not greater than the name, and its
//! ancestors: a text's parent is the longest other text that it begins with.

use std::collections::HashMap;

/// Patterns, by their place among those given.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    exact: HashMap<Box<str>, Vec<usize>>,
    starts: Starts,
    ends: Starts,
}

impl Patterns {
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut exact: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for (index, pattern) in patterns.into_iter().enumerate() {
            match pattern.split_once('*') {
                None => exact.entry(pattern.into()).or_default().push(index),
                Some(("", end)) if !end.is_empty() && !end.contains('*') => {
                    ends.push((backwards(end), Filed { index, rest: None }));
                }
                Some((start, rest)) => {
                    let rest = Some(rest).filter(|rest| !rest.is_empty());
                    let rest = rest.map(|rest| format!("*{rest}").into_bytes().into());
                    starts.push((start.as_bytes().into(), Filed { index, rest }));
                }
            }
        }
        Self { exact, starts: Starts::new(starts), ends: Starts::new(ends) }
    }

    /// Calls `found` for each pattern that matches, in no order.
    pub(super) fn each_match(&self, name: &str, mut found: impl FnMut(usize)) {
        self.exact.get(name).into_iter().flatten().for_each(|index| found(*index));
        self.starts.each_match(name.as_bytes(), &mut found);
        if !self.ends.0.is_empty() {
            self.ends.each_match(&backwards(name), &mut found);
        }
    }
}

/// Sorted by text; each text once.
#[derive(Clone, Debug, Default)]
struct Starts(Vec<Start>);

#[derive(Clone, Debug)]
struct Start {
    text: Box<[u8]>,
    parent: Option<usize>,
    filed: Vec<Filed>,
}

#[derive(Clone, Debug)]
struct Filed {
    index: usize,
    /// What must match behind the text; none is "anything".
    rest: Option<Box<[u8]>>,
}

impl Starts {
    fn new(mut entries: Vec<(Box<[u8]>, Filed)>) -> Self {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let mut starts: Vec<Start> = Vec::new();
        for (text, filed) in entries {
            if let Some(last) = starts.last_mut().filter(|last| last.text == text) {
                last.filed.push(filed);
                continue;
            }
            let mut parent = starts.len().checked_sub(1);
            while let Some(above) = parent.and_then(|at| starts.get(at)) {
                if text.starts_with(&above.text) {
                    break;
                }
                parent = above.parent;
            }
            starts.push(Start { text, parent, filed: vec![filed] });
        }
        Self(starts)
    }

    fn each_match(&self, name: &[u8], found: &mut impl FnMut(usize)) {
        let mut at = self.0.partition_point(|start| *start.text <= *name).checked_sub(1);
        while let Some(start) = at.and_then(|at| self.0.get(at)) {
            if let Some(behind) = name.strip_prefix(&*start.text) {
                for filed in &start.filed {
                    if filed.rest.as_ref().is_none_or(|rest| matches(rest, behind)) {
                        found(filed.index);
                    }
                }
            }
            at = start.parent;
        }
    }
}

fn backwards(text: &str) -> Box<[u8]> {
    text.bytes().rev().collect()
}

/// Whether one pattern matches, for who has only one.
pub(crate) fn pattern_matches(pattern: &str, name: &str) -> bool {
    matches(pattern.as_bytes(), name.as_bytes())
}

/// Whether a pattern with stars matches. Each star takes as little as it can, and one byte more each time
/// that what follows does not fit: no recursion, and no more than pattern × name steps.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                star = Some((p + 1, n));
                p += 1;
            }
            (Some(a), Some(b)) if a == b => {
                p += 1;
                n += 1;
            }
            (None, None) => return true,
            _ => match &mut star {
                Some((behind, taken)) if *taken < name.len() => {
                    *taken += 1;
                    (p, n) = (*behind, *taken);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(patterns: &[&str], name: &str) -> Vec<usize> {
        let mut found = Vec::new();
        Patterns::new(patterns.iter().copied()).each_match(name, |index| found.push(index));
        found.sort_unstable();
        found
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, name, expected) in [
            ("write_*", "write_", true),
            ("write_*", "write_note", true),
            ("write_*", "rewrite_note", false),
            ("write_*", "Write_note", false),
            ("*_note", "write_note", true),
            ("*_note", "write_notes", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("*a*", "xay", true),
            ("*a*", "xy", false),
            ("notes://*/drafts/*", "notes://alice/drafts/1", true),
            ("notes://*/drafts/*", "notes://alice/1", false),
            ("purge", "purge", true),
            ("purge", "purge2", false),
            ("**", "x", true),
            ("é*", "éa", true),
        ] {
            assert_eq!(!found(&[pattern], name).is_empty(), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn all_that_match_are_found() {
        let patterns = ["a*", "ab*", "abc", "*c", "b*", "abd*", "a*c", "*", "ab*", "abcd*"];
        assert_eq!(found(&patterns, "abc"), [0, 1, 2, 3, 6, 7, 8]);
    }

    proptest! {
        /// The index finds what trying each pattern finds.
        #[test]
        fn the_index_agrees_with_trying_each(
            patterns in prop::collection::vec("[ab*]{0,5}", 0..20),
            name in "[ab]{0,6}",
        ) {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let each: Vec<usize> = (0..patterns.len())
                .filter(|at| matches(patterns[*at].as_bytes(), name.as_bytes()))
                .collect();
            prop_assert_eq!(found(&patterns, &name), each);
        }
    }
}
