//! The object of an action, as far as the rules need to know it.

use uuid::Uuid;

use super::claim::{ClaimOwner, ClaimTraits, StorageAccess};
use crate::config::QueueRole;
use crate::error::ApiError;
use crate::ids::{self, GroupId, Id, Kind, ProjectId, ProjectKind, UserId};

/// The object of an action, and the group, the project and the users related to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    /// `None` for the platform itself.
    subject: Option<Subject>,
    pub(super) group: Option<GroupId>,
    pub(super) project: Option<ProjectId>,
    pub(super) owner: Option<UserId>,
    pub(super) shares_group: bool,
    pub(super) claim: ClaimTraits,
    pub(super) queue: QueueRole,
}

/// An object of any kind with an ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Subject {
    noun: &'static str,
    prefix: &'static str,
    uuid: Uuid,
}

impl Scope {
    /// The platform itself.
    pub const PLATFORM: Self = Self {
        subject: None,
        group: None,
        project: None,
        owner: None,
        shares_group: false,
        claim: ClaimTraits { owner: ClaimOwner::Group, access: StorageAccess::None },
        queue: QueueRole::Member,
    };

    /// A person.
    pub fn person(user: UserId) -> Self {
        Self { owner: Some(user), ..Self::of(user) }
    }

    /// A group.
    pub fn group(group: GroupId) -> Self {
        Self::within(group, group)
    }

    /// An object that belongs to a group: a project, or something that belongs to no project of the group unless
    /// [`Scope::in_project`] says so.
    pub fn within<K: Kind>(group: GroupId, id: Id<K>) -> Self {
        let project = id.as_a::<ProjectKind>();
        let scope = Self { group: Some(group), project, ..Self::of(id) };
        match project {
            // What is done with its storage.
            Some(_) => scope.claim(ClaimOwner::Project, StorageAccess::None),
            None => scope,
        }
    }

    /// An object that belongs to a group, or to the platform if there is none.
    pub fn of_group_or_none<K: Kind>(group: Option<GroupId>, id: Id<K>) -> Self {
        Self { group, ..Self::of(id) }
    }

    /// An object that belongs to a single user.
    pub fn owned<K: Kind>(owner: UserId, id: Id<K>) -> Self {
        Self::of(id).by(owner)
    }

    /// The same, for an object that belongs to a project of the group. With an API token for one project, callers only
    /// see what is said to belong to it.
    pub fn in_project(self, project: impl Into<Option<ProjectId>>) -> Self {
        Self { project: project.into(), ..self }
    }

    /// The same, created by a user.
    pub const fn by(self, owner: UserId) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// The same; `shares_group` says whether the caller shares a group with the user that it is about.
    pub const fn among(self, shares_group: bool) -> Self {
        Self { shares_group, ..self }
    }

    /// The same, for a storage claim of such an owner, which grants this access to the user who is asked about.
    pub const fn claim(self, owner: ClaimOwner, access: StorageAccess) -> Self {
        Self { claim: ClaimTraits { owner, access }, ..self }
    }

    /// The same, for a user to whom the storage claim grants this access.
    pub const fn granting(self, access: StorageAccess) -> Self {
        let claim = ClaimTraits { access, ..self.claim };
        Self { claim, ..self }
    }

    /// The same, for jobs that are submitted to a queue that is for users with this role.
    pub const fn queue(self, queue: QueueRole) -> Self {
        Self { queue, ..self }
    }

    /// The group of the object.
    pub const fn group_id(&self) -> Option<GroupId> {
        self.group
    }

    /// The project that the object is or belongs to.
    pub const fn project_id(&self) -> Option<ProjectId> {
        self.project
    }

    /// The ID of the object; `None` for the platform.
    pub fn subject_text(&self) -> Option<String> {
        self.subject.map(|Subject { prefix, uuid, .. }| ids::text_of(prefix, uuid))
    }

    /// The object's ID, if it is a `K`.
    pub fn subject_as<K: Kind>(&self) -> Option<Id<K>> {
        self.subject.filter(|subject| subject.prefix == K::PREFIX).map(|subject| Id::from_uuid(subject.uuid))
    }

    pub(super) fn subject_parts(&self) -> Option<(&'static str, Uuid)> {
        self.subject.map(|subject| (subject.prefix, subject.uuid))
    }

    fn of<K: Kind>(id: Id<K>) -> Self {
        let subject = Subject { noun: K::NOUN, prefix: K::PREFIX, uuid: id.uuid() };
        Self { subject: Some(subject), ..Self::PLATFORM }
    }

    /// How it is named to callers who must not learn that it exists; `None` for the platform, which everybody knows.
    pub(super) fn not_found(&self) -> Option<ApiError> {
        let Subject { noun, prefix, uuid } = self.subject?;
        Some(ApiError::not_found(noun, format_args!("{prefix}_{}", ids::suffix(uuid))))
    }
}
