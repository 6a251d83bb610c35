//! The events of a room: a type for each kind behind one trait, and the topics that decide who receives them.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::cursor::Seq;
use crate::ids::{GroupId, Id, Kind, ProjectId, UserId};

/// An event of a room, as stored in the log.
///
/// The log outlives the program that wrote it: later versions must be able to read its events. A field may be added
/// as an `Option`, and nothing may be renamed. During a rollout, replicas of the previous version skip events that they
/// cannot read.
pub trait Event: Serialize + DeserializeOwned + Debug + Send + Sync + 'static {
    /// The value of the column `kind`, which determines the type of the payload. It is unique for each type.
    const KIND: &'static str;

    /// The id type of the events' subjects.
    type Subject: Kind;

    /// The table of the subjects, with a column `id`, if their events are their history: those of a subject that exists
    /// are kept for longer than the log can be resumed. A migration must remove them with the subject, as
    /// `remove_job_history` does.
    const SUBJECTS: Option<&'static str> = None;

    /// What happened, as one of a few words: metrics count by it.
    fn name(&self) -> &'static str;
}

/// The subject and owners of an event: it is delivered to those who follow any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The id of its subject.
    pub subject: Uuid,
    /// The project that the subject belongs to.
    pub project: Option<ProjectId>,
    /// The group that it belongs to.
    pub group: Option<GroupId>,
    /// The user whom it concerns.
    pub person: Option<UserId>,
}

impl About {
    /// About something without owners.
    pub const fn subject<K: Kind>(id: Id<K>) -> Self {
        Self { subject: id.uuid(), project: None, group: None, person: None }
    }
}

/// A kind of events that are kept as long as their subject exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// The kind of the events.
    pub kind: &'static str,
    /// The table of their subjects.
    pub of: &'static str,
}

impl History {
    /// That of events that are an `E`; `None` if they are only kept while the log can be resumed.
    pub fn of<E: Event>() -> Option<Self> {
        E::SUBJECTS.map(|of| Self { kind: E::KIND, of })
    }
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged<E> {
    /// Its number.
    pub seq: Seq,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The id of its subject.
    pub about: About,
    /// The event itself.
    pub event: E,
}

impl<E: Event> Logged<E> {
    /// The id of its subject.
    pub const fn subject(&self) -> Id<E::Subject> {
        Id::from_uuid(self.about.subject)
    }
}

/// Events of a kind that no room has, for tests of the transport.
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
