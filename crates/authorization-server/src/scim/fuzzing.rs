//! What the fuzz targets reach of this.

use serde_json::Value;

use super::filter::Filter;
use super::patch::{Change, Path};

/// The attribute and the value of a filter.
pub fn scim_filter(text: &str) -> Option<(String, Value)> {
    Filter::parse(text).map(|filter| (filter.attribute, filter.value))
}

/// Whether a path of a change can be read, and as what it is written.
pub fn scim_path(text: &str) -> Option<String> {
    Path::parse(text).map(|path| path.to_string())
}

/// What a person's attributes are after a change that somebody asks for, as JSON before and after.
pub fn scim_patch(body: &[u8]) -> Option<(Value, Value)> {
    let mut attributes = super::Attributes::sample();
    let before = serde_json::to_value(&attributes).ok()?;
    let changes = Change::read(body).ok()?;
    changes.iter().try_for_each(|change| change.apply(&mut attributes)).ok()?;
    Some((before, serde_json::to_value(&attributes).ok()?))
}
