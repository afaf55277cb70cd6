//! Input that breaks a rule: the field, the rule, and all fields of a request together.

use std::borrow::Cow;
use std::fmt;

/// Input that has been parsed, or the reasons why it could not be.
///
/// A use case takes its input in this form because only a caller who may know that the session exists learns the
/// reasons: a wrong id is refused first, then a missing right, then bad input.
pub type Input<T> = Result<T, Invalid>;

/// A rule that a value breaks, in words that follow the name of its field: "must have at most 200 characters".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

impl Violation {
    /// A rule in words.
    pub fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }

    /// The rule with the field that breaks it.
    pub fn of(self, field: impl Into<FieldPath>) -> Invalid {
        Invalid { fields: vec![FieldError { field: field.into(), rule: self.0 }] }
    }
}

/// The place of a value in a request, in the spelling of the API: `attachments`, `messageIds[3]`; `body` for a request body
/// as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    name: Cow<'static, str>,
    index: Option<u64>,
}

impl FieldPath {
    /// The files of a message.
    pub const ATTACHMENTS: Self = Self::named("attachments");
    /// The files, uploaded before, of a message.
    pub const ATTACHMENT_IDS: Self = Self::named("attachmentIds");
    /// The messages that a request marks as read.
    pub const MESSAGE_IDS: Self = Self::named("messageIds");

    /// A field of that name.
    pub const fn named(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), index: None }
    }

    /// The element at an index of this field.
    #[must_use]
    pub fn at(self, index: u64) -> Self {
        Self { index: Some(index), ..self }
    }
}

impl From<&str> for FieldPath {
    fn from(name: &str) -> Self {
        Self { name: Cow::Owned(name.to_owned()), index: None }
    }
}

impl From<String> for FieldPath {
    fn from(name: String) -> Self {
        Self { name: Cow::Owned(name), index: None }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}[{index}]", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A field and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field.
    pub field: FieldPath,
    /// The rule in words.
    pub rule: String,
}

/// Input that breaks at least one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Invalid {
    /// The broken rules; never empty.
    pub fields: Vec<FieldError>,
}

impl Invalid {
    /// One field that breaks one rule.
    pub fn new(field: impl Into<FieldPath>, rule: impl Into<String>) -> Self {
        Violation::new(rule).of(field)
    }

    fn summary(&self) -> String {
        let rules: Vec<String> = self.fields.iter().map(|error| format!("{} {}", error.field, error.rule)).collect();
        rules.join("; ")
    }
}
