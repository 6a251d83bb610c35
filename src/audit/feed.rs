//! What a subscriber receives of the new entries of the audit log.

use std::sync::Arc;

use async_graphql::InputObject;

use super::query::{OF_FILTER, given};
use super::types::AuditEvent;
use crate::auth::policy::{self, Action, Scope, Visible};
use crate::auth::principal::Caller;
use crate::error::{ApiError, ApiErrors};
use crate::events::{Logged, Topics};
use crate::feeds::Feed;
use crate::graphql::ids::GivenId;
use crate::ids::{GroupId, GroupKind, ProjectId, ProjectKind, UserId, UserKind};
use crate::trail::Outcome;
use crate::trail::event::Recorded;

/// Filters for new entries of the audit log. The fields mean the same as in `AuditFilter`. Omitted fields do not filter; an
/// entry must match all fields that are given.
#[derive(Debug, Clone, Default, InputObject)]
pub struct AuditEventFilter {
    /// Only return what this user does.
    pub actor_id: Option<GivenId<UserKind>>,
    /// Only return these actions, which are named like mutations: `["createProject", "login"]`.
    pub actions: Option<Vec<String>>,
    /// Only return what is done to this group, its projects and what belongs to them.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only return what is done to this project and what belongs to it.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// Only return entries with this outcome.
    pub outcome: Option<Outcome>,
}

/// A subscriber's view of the audit log.
#[derive(Debug, Clone)]
pub struct View {
    actor: Option<UserId>,
    actions: Option<Vec<String>>,
    group: Option<GroupId>,
    project: Option<ProjectId>,
    outcome: Option<Outcome>,
    /// What they may currently see.
    visible: Visible,
}

impl View {
    /// The view that a filter selects; it sees nothing until it is admitted.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for each ID that is not valid.
    pub fn open(filter: AuditEventFilter) -> Result<Self, ApiErrors> {
        let AuditEventFilter { actor_id, actions, group_id, project_id, outcome } = filter;
        let ((actor, group), project) = given(actor_id.as_ref(), group_id.as_ref(), project_id.as_ref(), &OF_FILTER)?;
        Ok(Self { actor, actions, group, project, outcome, visible: Visible::NOTHING })
    }
}

impl Feed for View {
    type Event = Recorded;
    type Node = AuditEvent;

    fn admit(&mut self, caller: &Caller) -> Result<(), ApiError> {
        if let Some(group) = self.group {
            policy::check(caller, Action::ViewAuditEntry, Scope::group(group))
                .map_err(|error| error.at("filter.groupId"))?;
        }
        self.visible = policy::groups_where(caller, Action::ViewAuditEntry)?;
        if self.visible.is_nothing() {
            // They would wait for ever.
            policy::check(caller, Action::ViewAuditEntry, Scope::PLATFORM)?;
        }
        Ok(())
    }

    fn topics(&self) -> Topics {
        match (self.group, &self.visible) {
            (Some(group), _) => Topics::Groups(vec![group]),
            (None, Visible::Groups { project: Some(project), .. }) => Topics::Project(*project),
            (None, Visible::Groups { groups, project: None }) => Topics::Groups(groups.clone()),
            (None, Visible::Everything) => Topics::Everything,
        }
    }

    fn shows(&self, Logged { about, event, .. }: &Logged<Recorded>) -> bool {
        self.visible.includes(about.group, about.project)
            && self.group.is_none_or(|group| about.group == Some(group))
            && self.project.is_none_or(|project| about.project == Some(project))
            && self.actor.is_none_or(|actor| about.person == Some(actor))
            && self.outcome.is_none_or(|outcome| event.outcome == outcome)
            && self.actions.as_ref().is_none_or(|actions| actions.contains(&event.action))
    }

    fn node(event: Arc<Logged<Recorded>>) -> AuditEvent {
        AuditEvent(event)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::events::{About, Seq};
    use crate::ids::AuditId;

    fn event(group: Option<GroupId>) -> Logged<Recorded> {
        let about = About { group, person: Some(UserId::generate()), ..About::subject(AuditId::generate()) };
        let event = Recorded { action: "createProject".to_owned(), outcome: Outcome::Done };
        Logged { seq: Seq(1), at: Utc::now(), about, event }
    }

    fn view(visible: Visible, filter: AuditEventFilter) -> View {
        View { visible, ..View::open(filter).unwrap() }
    }

    #[test]
    fn what_belongs_to_no_group_is_shown_to_platform_admins_only() {
        let (group, none) = (GroupId::generate(), AuditEventFilter::default());
        assert!(view(Visible::Everything, none.clone()).shows(&event(None)));
        assert!(!view(Visible::of_groups(vec![group]), none.clone()).shows(&event(None)));
        assert!(view(Visible::of_groups(vec![group]), none.clone()).shows(&event(Some(group))));
        assert!(!view(Visible::of_groups(vec![group]), none).shows(&event(Some(GroupId::generate()))));
    }

    #[test]
    fn each_part_of_the_filter_restricts() {
        let (event, none) = (event(None), AuditEventFilter::default());
        let shows = |filter| view(Visible::Everything, filter).shows(&event);
        assert!(shows(AuditEventFilter { actor_id: event.about.person.map(Into::into), ..none.clone() }));
        assert!(!shows(AuditEventFilter { actor_id: Some(UserId::generate().into()), ..none.clone() }));
        assert!(shows(AuditEventFilter { actions: Some(vec!["createProject".into()]), ..none.clone() }));
        assert!(!shows(AuditEventFilter { actions: Some(vec!["login".into()]), ..none.clone() }));
        assert!(!shows(AuditEventFilter { outcome: Some(Outcome::Refused), ..none.clone() }));
        assert!(!shows(AuditEventFilter { project_id: Some(ProjectId::generate().into()), ..none }));
    }
}
