//! What a room tells: a type of its own behind one trait, and whose business it is.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::cursor::Seq;
use crate::ids::{GroupId, Id, Kind, ProjectId, UserId};

/// What happens in a room, as the log keeps it.
///
/// The log outlives the program that wrote it: a later version must read what this one writes. A field may be added as an
/// `Option`, and nothing may be renamed. While a new version is rolled out, a replica of the one before passes over
/// what it cannot read.
pub trait Event: Serialize + DeserializeOwned + Debug + Send + Sync + 'static {
    /// The room's word in the column `kind`, which says which type to read the payload as. No two types have the same.
    const KIND: &'static str;

    /// What its events are about.
    type Subject: Kind;

    /// What happened in one word, of which there are few: metrics count by it.
    fn name(&self) -> &'static str;
}

/// What an event is about and whose it is: it is told to those who follow any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The id of its subject.
    pub subject: Uuid,
    /// The project that the subject belongs to.
    pub project: Option<ProjectId>,
    /// The group that it belongs to.
    pub group: Option<GroupId>,
    /// The person whose it is.
    pub person: Option<UserId>,
}

impl About {
    /// About something that belongs to nobody.
    pub const fn subject<K: Kind>(id: Id<K>) -> Self {
        Self { subject: id.uuid(), project: None, group: None, person: None }
    }
}

/// An event that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged<E> {
    /// Its number.
    pub seq: Seq,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What it is about.
    pub about: About,
    /// What happened.
    pub event: E,
}

impl<E: Event> Logged<E> {
    /// What it is about.
    pub const fn subject(&self) -> Id<E::Subject> {
        Id::from_uuid(self.about.subject)
    }
}

/// Events of a kind that no room tells, for the tests of what carries them.
#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ids::JobKind;
    use serde::Deserialize;

    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Rang(pub u32);

    impl Event for Rang {
        const KIND: &'static str = "bell";
        type Subject = JobKind;

        fn name(&self) -> &'static str {
            "RANG"
        }
    }

    pub fn rang(seq: i64) -> Logged<Rang> {
        let about = About {
            subject: Uuid::now_v7(),
            project: Some(ProjectId::generate()),
            group: Some(GroupId::generate()),
            person: Some(UserId::generate()),
        };
        Logged { seq: Seq(seq), at: Utc::now(), about, event: Rang(1) }
    }
}
