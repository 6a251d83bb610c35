//! The topics of a feed: an event wakes only the subscribers of its topics.

use uuid::Uuid;

use super::event::About;
use crate::ids::{GroupId, Id, Kind, ProjectId, UserId};

/// A subset of the events of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Events about one subject.
    Subject(Uuid),
    /// Events about anything that belongs to a project.
    Project(ProjectId),
    /// Events about anything that belongs to a group.
    Group(GroupId),
    /// Events about anything that belongs to a user.
    Person(UserId),
    /// All events.
    Everything,
}

/// The topics of a feed, all of the same sort, so that no event belongs to two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// Events about these subjects.
    Subjects(Vec<Uuid>),
    /// Events of one project.
    Project(ProjectId),
    /// Events of these groups.
    Groups(Vec<GroupId>),
    /// Events of one user.
    Person(UserId),
    /// All events.
    Everything,
}

impl Topics {
    /// Events about these subjects.
    pub fn subjects<K: Kind>(ids: &[Id<K>]) -> Self {
        Self::Subjects(ids.iter().map(|id| id.uuid()).collect())
    }

    /// The individual topics.
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

/// Every topic of an event.
pub(super) fn of(about: &About) -> impl Iterator<Item = Topic> {
    let About { subject, project, group, person } = *about;
    let owners = [project.map(Topic::Project), group.map(Topic::Group), person.map(Topic::Person)];
    [Topic::Everything, Topic::Subject(subject)].into_iter().chain(owners.into_iter().flatten())
}
