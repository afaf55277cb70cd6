//! Which history the positions of sessions belong to.

use std::fmt;
use std::sync::Arc;

use crate::invalid::Violation;

/// Names the history of a database. Positions of two epochs cannot be compared: after a backup has been restored, the
/// operator begins a new epoch, because positions that clients saw may be given to other changes now.
///
/// 1 to 64 letters, digits and hyphens of ASCII. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// Checks the length and the characters.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let fits = (1..=64).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(Violation::new("must have 1 to 64 letters, digits or hyphens"));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The epoch as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
