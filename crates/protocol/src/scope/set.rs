use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MAX_SCOPES, Scope, ScopeError};

/// A set of scopes. It remembers the order in which each first appeared, so that what is printed
/// is what was said; equality is that of sets.
#[derive(Clone, Debug, Default, Eq)]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reads a space-separated list. An empty text is the empty set; more than one space between
    /// tokens is forgiven, a repeated token counts once.
    ///
    /// # Errors
    /// [`ScopeError::Character`] and [`ScopeError::TooMany`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut set = Self::new();
        for (at, token) in text.split(' ').filter(|token| !token.is_empty()).enumerate() {
            if at == MAX_SCOPES {
                return Err(ScopeError::TooMany);
            }
            set.insert(Scope::parse(token)?);
        }
        Ok(set)
    }

    /// Adds one scope, if it is not there yet.
    pub fn insert(&mut self, scope: Scope) {
        if !self.0.contains(&scope) {
            self.0.push(scope);
        }
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other).cloned().collect()
    }

    /// What is in both, in this set's order.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter().filter(|scope| other.0.contains(scope)).cloned().collect()
    }

    /// What is in this one alone.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter().filter(|scope| !other.0.contains(scope)).cloned().collect()
    }

    /// Whether a token is in the set.
    pub fn contains(&self, token: impl AsRef<str>) -> bool {
        self.0.iter().any(|scope| scope.as_str() == token.as_ref())
    }

    /// Whether everything in this set is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.0.contains(scope))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The scopes, in order of first appearance.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }
}

impl PartialEq for ScopeSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.is_subset(other)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for ScopeSet {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::new();
        set.extend(scopes);
        set
    }
}

impl Extend<Scope> for ScopeSet {
    fn extend<I: IntoIterator<Item = Scope>>(&mut self, scopes: I) {
        scopes.into_iter().for_each(|scope| self.insert(scope));
    }
}

impl IntoIterator for ScopeSet {
    type Item = Scope;
    type IntoIter = std::vec::IntoIter<Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
