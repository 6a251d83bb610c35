//! What a feed is about: an event wakes those whose topic it belongs to, and nobody else.

use uuid::Uuid;

use super::event::About;
use crate::ids::{GroupId, Id, Kind, ProjectId, UserId};

/// Some of the events of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Those about one thing.
    Subject(Uuid),
    /// Those about what belongs to a project.
    Project(ProjectId),
    /// Those about what belongs to a group.
    Group(GroupId),
    /// Those about what is somebody's.
    Person(UserId),
    /// All.
    Everything,
}

/// The topics of one sort that a feed is about: no event belongs to two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// What happens to these things.
    Subjects(Vec<Uuid>),
    /// One project's events.
    Project(ProjectId),
    /// These groups'.
    Groups(Vec<GroupId>),
    /// One person's.
    Person(UserId),
    /// All events.
    Everything,
}

impl Topics {
    /// What happens to these things.
    pub fn subjects<K: Kind>(ids: &[Id<K>]) -> Self {
        Self::Subjects(ids.iter().map(|id| id.uuid()).collect())
    }

    /// One by one.
    pub(super) fn each(&self) -> Vec<Topic> {
        match self {
            Self::Subjects(subjects) => subjects.iter().copied().map(Topic::Subject).collect(),
            Self::Project(project) => vec![Topic::Project(*project)],
            Self::Groups(groups) => groups.iter().copied().map(Topic::Group).collect(),
            Self::Person(person) => vec![Topic::Person(*person)],
            Self::Everything => vec![Topic::Everything],
        }
    }
}

/// Every topic that an event belongs to.
pub(super) fn of(about: &About) -> impl Iterator<Item = Topic> {
    let About { subject, project, group, person } = *about;
    let owners = [project.map(Topic::Project), group.map(Topic::Group), person.map(Topic::Person)];
    [Topic::Everything, Topic::Subject(subject)].into_iter().chain(owners.into_iter().flatten())
}
