//! Without the feature `cedar`: there are no policies in Cedar, and nothing of it is compiled.

use super::case::{Ask, Case};
use super::explain::Reason;

/// Policies in Cedar, with the feature `cedar`. Without it there are none.
#[derive(Clone, Debug, PartialEq)]
pub enum Cedar {}

impl Cedar {
    pub(super) fn permits(&self, _: Ask<'_>, _: bool, _: &Case<'_>) -> bool {
        match *self {}
    }

    pub(super) fn reasons(&self, _: Ask<'_>, _: bool, _: &Case<'_>) -> Vec<Reason> {
        match *self {}
    }
}
