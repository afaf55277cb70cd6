//! A person as columns: a row of `chat_people`, and of `chat_agents` the display name.

use chat_domain::model::{AvatarUrl, DisplayName, KnownPerson, PersonClaims, PersonName, Timestamp, UserId};

/// What the databases hold of a person. Texts that a newer version wrote, and that this one cannot show, are as if they
/// were not there.
#[derive(Clone, Debug, Default)]
pub struct PersonRecord {
    /// `chat_people.name`.
    pub name: Option<String>,
    /// `chat_people.avatar_url`.
    pub avatar_url: Option<String>,
    /// `chat_people.updated_at`; `None` when there is no row.
    pub updated_at: Option<i64>,
    /// `chat_agents.display_name`.
    pub display_name: Option<String>,
}

impl PersonRecord {
    /// The person of that id.
    pub fn into_person(self, id: UserId) -> KnownPerson {
        let Self { name, avatar_url, updated_at, display_name } = self;
        let claims = updated_at.map(|updated_at| PersonClaims {
            id: id.clone(),
            name: name.and_then(|name| PersonName::parse(&name).ok()),
            avatar_url: avatar_url.and_then(|url| AvatarUrl::parse(&url).ok()),
            as_of: Timestamp::from_unix_ms(updated_at),
        });
        KnownPerson::new(id, claims, display_name.and_then(|name| DisplayName::parse(&name).ok()))
    }
}
