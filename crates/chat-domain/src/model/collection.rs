//! Who may collect the stored files that no message refers to: the database that has collected them all along, and no
//! copy of it.

use std::fmt;

use uuid::Uuid;

use super::{AttachmentId, Timestamp};
use crate::invalid::Violation;

/// Names a round of collecting. Two databases never begin the same one, not even a database and its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Generation(Uuid);

impl Generation {
    /// Takes an id of the `IdGenerator`, or an id that was read from a store.
    pub fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The id as a UUID.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Which database of the world this is, as far as its server or its file tells: a copy of a database has the same rows,
/// and another name here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseInstance(String);

impl DatabaseInstance {
    /// 1 to 200 visible characters of ASCII.
    ///
    /// # Errors
    /// The text has others, or another length.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let fits = (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let rule = || Violation::new("must have 1 to 200 visible characters of ASCII");
        fits.then(|| Self(text.to_owned())).ok_or_else(rule)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a database remembers of its rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    /// The last round that it saw beside the files. `None` before the first one.
    pub current: Option<Generation>,
    /// A round that it has announced and not yet seen beside the files: after a crash it may be there or not.
    pub next: Option<Generation>,
}

/// Who collects a store's files, as it stands beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOwner {
    /// The database that does.
    pub database: DatabaseInstance,
    /// Its last round.
    pub generation: Generation,
    /// Whether another database that looks the same has been there. Then none of the two goes on.
    pub is_contested: bool,
}

/// Why a database must not collect a store's files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOwner {
    /// Another database collects them.
    #[error("they are collected by the database {owner}, and this is {this}: one of the two is a copy of the other")]
    OtherDatabase {
        /// What the files say.
        owner: DatabaseInstance,
        /// What this database is.
        this: DatabaseInstance,
    },
    /// A copy of this database has collected them, or these files are an older copy.
    #[error("their last round was {found}, of which this database knows nothing: it, or they, are a copy")]
    OtherGeneration {
        /// What the files say.
        found: Generation,
    },
    /// A copy was seen.
    #[error("a copy of the database has collected them too")]
    Contested,
    /// This database has collected other files.
    #[error("they were never collected, and this database has collected others")]
    OtherFiles,
}

impl StoreOwner {
    /// Checks whether the database `this`, which remembers `known`, may collect the files beside which `beside` stands.
    ///
    /// A round is announced in the database, then written beside the files, then confirmed in the database. So after a
    /// crash at any point the files have the database's current round or its next one, and nothing else.
    ///
    /// # Errors
    /// Why not.
    pub fn check(known: &Generations, this: &DatabaseInstance, beside: Option<&Self>) -> Result<(), NotOwner> {
        let Some(beside) = beside else {
            return if known.current.is_none() { Ok(()) } else { Err(NotOwner::OtherFiles) };
        };
        if beside.database != *this {
            return Err(NotOwner::OtherDatabase { owner: beside.database.clone(), this: this.clone() });
        }
        if beside.is_contested {
            return Err(NotOwner::Contested);
        }
        let found = Some(beside.generation);
        if found == known.current || found == known.next {
            return Ok(());
        }
        Err(NotOwner::OtherGeneration { found: beside.generation })
    }

    /// The same, with the note that a copy was seen.
    #[must_use]
    pub fn contested(self) -> Self {
        Self { is_contested: true, ..self }
    }
}

/// A stored file that no message referred to when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrphanMark {
    /// Since when this is known.
    pub marked_at: Timestamp,
    /// The file.
    pub id: AttachmentId,
}
