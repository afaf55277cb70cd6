//! What a session is about: subject, priority, tags.

use std::fmt;

use crate::invalid::Violation;

/// How urgent a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Can wait.
    Low,
    /// The default.
    #[default]
    Medium,
    /// First in line.
    High,
}

impl Priority {
    /// All priorities, least urgent first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The contract's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Reads the contract's name; letter case matters.
    pub fn parse(name: &str) -> Result<Self, Violation> {
        Self::ALL
            .into_iter()
            .find(|priority| priority.as_str() == name)
            .ok_or_else(|| Violation::new("must be one of low, medium, high"))
    }

    /// The priority by a name that was stored. A name that only a newer version knows is shown as the default.
    pub fn from_store(name: &str) -> Self {
        Self::parse(name).unwrap_or_default()
    }
}

/// What a session is about: 1 to 200 characters without white space around them. As in a message, line breaks and other
/// control characters stay as they were given, but for U+0000: it is shown as text, and is in no header and no log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(String);

impl Subject {
    /// The most characters a subject has.
    pub const MAX_CHARS: usize = 200;

    /// Trims the text. Blank text is no subject, hence `Ok(None)`.
    pub fn parse(text: &str) -> Result<Option<Self>, Violation> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_CHARS {
            return Err(Violation::new("must have at most 200 characters"));
        }
        reject_nul(text)?;
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// The subject as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Up to 20 different labels of 1 to 50 characters, in the order in which they were first given; characters as in a
/// [`Subject`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags(Vec<String>);

impl Tags {
    /// The most tags a session has.
    pub const MAX_COUNT: usize = 20;
    /// The most characters a tag has.
    pub const MAX_CHARS: usize = 50;

    /// Trims every tag and drops repetitions, then checks the bounds.
    pub fn parse<I>(texts: I) -> Result<Self, Violation>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut tags: Vec<String> = Vec::new();
        for text in texts {
            let tag = text.as_ref().trim();
            if tag.is_empty() {
                return Err(Violation::new("must not contain a blank tag"));
            }
            if tag.chars().count() > Self::MAX_CHARS {
                return Err(Violation::new("must contain tags of at most 50 characters"));
            }
            reject_nul(tag)?;
            if !tags.iter().any(|known| known == tag) {
                if tags.len() == Self::MAX_COUNT {
                    return Err(Violation::new("must contain at most 20 different tags"));
                }
                tags.push(tag.to_owned());
            }
        }
        Ok(Self(tags))
    }

    /// The tags in order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// What a session is about, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionDetails {
    /// What it is about.
    pub subject: Option<Subject>,
    /// How urgent it is.
    pub priority: Priority,
    /// Its labels.
    pub tags: Tags,
}

/// What to change of what a session is about. What is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetailsUpdate {
    /// Another subject, or none.
    pub subject: Option<Option<Subject>>,
    /// Another priority.
    pub priority: Option<Priority>,
    /// Other labels in place of all of before.
    pub tags: Option<Tags>,
}

impl DetailsUpdate {
    /// The details after the update.
    #[must_use]
    pub fn apply_to(&self, details: SessionDetails) -> SessionDetails {
        SessionDetails {
            subject: self.subject.clone().unwrap_or(details.subject),
            priority: self.priority.unwrap_or(details.priority),
            tags: self.tags.clone().unwrap_or(details.tags),
        }
    }
}

/// No database column takes U+0000 in text, so it is refused where text enters.
pub(super) fn reject_nul(text: &str) -> Result<(), Violation> {
    if text.contains('\0') {
        return Err(Violation::new("must not contain the character U+0000"));
    }
    Ok(())
}
