//! How values that have a text form are written.

use std::fmt::Display;

use serde::{Deserialize, Deserializer, Serializer};

/// Writes a value as the text it displays as, without a copy in between.
pub(super) fn display<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The same for a value that may be absent, which is written as `null`.
#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(super) fn display_or_null<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// The same for a value that is left out when it is absent.
#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(super) fn display_some<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    display_or_null(value, serializer)
}

/// Reads a field for which `null` means something: absent is `None`, `null` is `Some(None)`.
#[expect(clippy::option_option, reason = "the outer level is presence, the inner one null")]
pub(super) fn null_is_a_value<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
