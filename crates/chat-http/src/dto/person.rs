//! People on the wire, and their access.

use chat_domain::error::{Input, Invalid};
use chat_domain::model::{AvatarUrl, KnownPeople, PersonName, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most characters a reason has.
const MAX_REASON_CHARS: usize = 500;

/// Who someone is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Person)]
pub(crate) struct PersonDto<'a> {
    /// The `sub` of their token.
    #[schema(example = "alice")]
    id: &'a str,
    /// What they are called: as the directory of agents says, or else their token. Absent when it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, min_length = 1, max_length = 100, example = "Alice Liddell")]
    name: Option<&'a str>,
    /// Where a picture of them is, as their token says; with `https`. Absent when it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        required = false,
        nullable = false,
        max_length = 2_048,
        format = "uri",
        example = "https://pictures.example.com/alice.png"
    )]
    avatar_url: Option<&'a str>,
}

impl<'a> PersonDto<'a> {
    /// The person of that id, with what is known of them.
    pub(super) fn new(id: &'a UserId, people: &'a KnownPeople) -> Self {
        Self::with(id.as_str(), id, people)
    }

    /// The same, for an id that is kept as another kind of id.
    pub(super) fn with(text: &'a str, id: &UserId, people: &'a KnownPeople) -> Self {
        let known = people.find(id);
        Self {
            id: text,
            name: known.and_then(|person| person.name.as_ref()).map(PersonName::as_str),
            avatar_url: known.and_then(|person| person.avatar_url.as_ref()).map(AvatarUrl::as_str),
        }
    }
}

/// Why a person is blocked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BlockPerson)]
pub(crate) struct BlockBody {
    /// For the server's log alone. At most 500 characters.
    #[schema(max_length = 500, example = "abusive messages")]
    reason: Option<String>,
}

impl BlockBody {
    /// The reason.
    pub(crate) fn parse(self) -> Input<Option<String>> {
        if self.reason.as_deref().is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
            return Err(Invalid::new("reason", "must have at most 500 characters"));
        }
        Ok(self.reason)
    }
}
