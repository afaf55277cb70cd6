//! People as others see them: a name and a picture beside the id.
//!
//! Both decorate: a claim that cannot be shown is as if it were not there, and no request fails for it.

use std::sync::Arc;

use super::session_details::reject_nul;
use super::{DisplayName, Timestamp, UserId};
use crate::invalid::Violation;

/// What a person is called: 1 to 100 characters without white space around them. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonName(Arc<str>);

impl PersonName {
    /// The most characters a name has.
    pub const MAX_CHARS: usize = 100;

    /// Trims the text and checks its length and characters.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let text = text.trim();
        if !(1..=Self::MAX_CHARS).contains(&text.chars().count()) {
            return Err(Violation::new("must have 1 to 100 characters"));
        }
        reject_nul(text)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&DisplayName> for PersonName {
    fn from(name: &DisplayName) -> Self {
        Self(name.as_str().into())
    }
}

/// Where a picture of a person is: a URL with `https`, of at most 2,048 characters. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvatarUrl(Arc<str>);

impl AvatarUrl {
    /// The most characters a URL has.
    pub const MAX_CHARS: usize = 2_048;

    /// Checks scheme, host, length and characters. A URL with a user or a password is refused, which all who see the
    /// person would get.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        const SCHEME: &str = "https://";
        if text.len() > Self::MAX_CHARS {
            return Err(Violation::new("must have at most 2048 characters"));
        }
        let (scheme, rest) = text.split_at_checked(SCHEME.len()).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(Violation::new("must begin with https://"));
        }
        if text.chars().any(|sign| !sign.is_ascii_graphic() || r#""<>\^`{|}"#.contains(sign)) {
            return Err(Violation::new("must not have characters that no URL has"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() || authority.starts_with(':') || authority.contains('@') {
            return Err(Violation::new("must have a host, and no user"));
        }
        Ok(Self(text.into()))
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who it is.
    pub id: UserId,
    /// What they are called.
    pub name: Option<PersonName>,
    /// Where a picture of them is.
    pub avatar_url: Option<AvatarUrl>,
}

impl Person {
    /// Whether there is anything to show beside the id.
    pub fn is_anonymous(&self) -> bool {
        self.name.is_none() && self.avatar_url.is_none()
    }

    /// About how many bytes it takes to keep the person in memory.
    pub fn bytes(&self) -> usize {
        let name = self.name.as_ref().map_or(0, |name| name.as_str().len());
        let avatar_url = self.avatar_url.as_ref().map_or(0, |url| url.as_str().len());
        size_of::<Self>() + self.id.as_str().len() + name + avatar_url
    }
}

/// What a token says of the person who shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonClaims {
    /// Who it is.
    pub id: UserId,
    /// What they are called; a token that does not say leaves what is known.
    pub name: Option<PersonName>,
    /// Where a picture of them is; a token that does not say leaves what is known.
    pub avatar_url: Option<AvatarUrl>,
    /// When the token was issued, or shown if it does not say. Of two tokens, the one that was issued later counts: a
    /// device with an old token does not undo what a newer token says.
    pub as_of: Timestamp,
}

/// What a store knows of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPerson {
    claims: Option<PersonClaims>,
    display_name: Option<DisplayName>,
    shown: Arc<Person>,
}

impl KnownPerson {
    /// A person of whom tokens said this, and whom the directory of agents calls so.
    pub fn new(id: UserId, claims: Option<PersonClaims>, display_name: Option<DisplayName>) -> Self {
        let claimed_name = || claims.as_ref().and_then(|claims| claims.name.clone());
        let name = display_name.as_ref().map(PersonName::from).or_else(claimed_name);
        let avatar_url = claims.as_ref().and_then(|claims| claims.avatar_url.clone());
        Self { claims, display_name, shown: Arc::new(Person { id, name, avatar_url }) }
    }

    /// Who it is.
    pub fn id(&self) -> &UserId {
        &self.shown.id
    }

    /// The person as others see them.
    pub fn shown(&self) -> &Arc<Person> {
        &self.shown
    }

    /// What tokens said.
    pub fn claims(&self) -> Option<&PersonClaims> {
        self.claims.as_ref()
    }

    /// The person after a token says this; `None` when it says nothing new, or is older than what is known.
    pub fn after(&self, claims: &PersonClaims) -> Option<Self> {
        let (name, avatar_url) = match &self.claims {
            Some(known) if known.as_of > claims.as_of => return None,
            Some(known) => {
                let name = claims.name.clone().or_else(|| known.name.clone());
                let avatar_url = claims.avatar_url.clone().or_else(|| known.avatar_url.clone());
                if name == known.name && avatar_url == known.avatar_url {
                    return None;
                }
                (name, avatar_url)
            }
            None => (claims.name.clone(), claims.avatar_url.clone()),
        };
        let merged = PersonClaims { id: claims.id.clone(), name, avatar_url, as_of: claims.as_of };
        Some(Self::new(claims.id.clone(), Some(merged), self.display_name.clone()))
    }
}

/// People to look up by id. Those of whom nothing is known are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPeople(Vec<Arc<Person>>);

impl KnownPeople {
    /// These people, of whom some may be named several times.
    pub fn new(people: impl IntoIterator<Item = Arc<Person>>) -> Self {
        let mut known: Vec<Arc<Person>> = people.into_iter().filter(|person| !person.is_anonymous()).collect();
        known.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        known.dedup_by(|one, other| one.id == other.id);
        Self(known)
    }

    /// The person of that id, if anything is known of them.
    pub fn find(&self, id: &UserId) -> Option<&Person> {
        let place = self.0.binary_search_by(|person| person.id.cmp(id)).ok()?;
        self.0.get(place).map(Arc::as_ref)
    }

    /// All of them, by ascending id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Person>> {
        self.0.iter()
    }

    /// Whether nothing is known of anyone.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes they take in memory.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|person| person.bytes()).sum()
    }
}
