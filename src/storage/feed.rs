//! What a subscriber receives of the events of storage claims: those of claims that they can see.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::{Context, InputObject};
use futures::future::try_join_all;

use super::event::PvcEvent as Happened;
use super::query::visible;
use super::types::PvcEvent;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope, StorageAccess, Visible};
use crate::auth::principal::Caller;
use crate::error::{ApiError, ApiErrors, both};
use crate::events::{Logged, Topics};
use crate::feeds::Feed;
use crate::graphql::ids::{self, GivenId};
use crate::graphql::loaders::ReadExt;
use crate::ids::{GroupId, GroupKind, ProjectId, ProjectKind, PvcId, PvcKind, UserId};
use crate::projects::loader::GroupOfProject;

/// Maximum number of claims in the filter of a subscription.
const MAX_CLAIMS: usize = 1_000;

/// Filters for the events of storage claims. Omitted fields do not filter; an event must match all fields that are given.
#[derive(Debug, Clone, Default, InputObject)]
pub struct PvcEventFilter {
    /// Only return events of claims of this project.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// Only return events of claims of this group and its projects.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only return events of these claims: at most 1000.
    pub pvc_ids: Option<Vec<GivenId<PvcKind>>>,
    /// If true, only return events of your own drive.
    #[graphql(default_with = "Some(false)")]
    pub mine: Option<bool>,
}

/// What a subscriber selects.
#[derive(Debug, Clone, Default)]
struct Selected {
    project: Option<ProjectId>,
    group: Option<GroupId>,
    claims: Option<Vec<PvcId>>,
    mine: bool,
}

impl PvcEventFilter {
    fn selected(&self) -> Result<Selected, ApiErrors> {
        let project = ids::maybe(self.project_id.as_ref(), "filter.projectId");
        let group = ids::maybe(self.group_id.as_ref(), "filter.groupId");
        let claims = self.pvc_ids.as_deref().map(distinct).transpose();
        let ((project, group), claims) = both(both(project, group), claims)?;
        Ok(Selected { project, group, claims, mine: self.mine.unwrap_or(false) })
    }
}

fn distinct(given: &[GivenId<PvcKind>]) -> Result<Vec<PvcId>, ApiErrors> {
    if given.len() > MAX_CLAIMS {
        let message = format!("pvcIds has {} ids; at most {MAX_CLAIMS} are allowed", given.len());
        return Err(ApiError::bad_input("filter.pvcIds", message).into());
    }
    let mut ids = ids::each(given, "filter.pvcIds")?;
    let mut seen = HashSet::with_capacity(ids.len());
    ids.retain(|id| seen.insert(*id));
    Ok(ids)
}

/// A subscriber's view of the events of storage claims.
#[derive(Debug, Clone)]
pub struct View {
    viewer: UserId,
    filter: Selected,
    /// What the subscriber must be allowed to see because the filter names it, with the path in the filter.
    named: Box<[(Action, Scope, String)]>,
    /// The groups whose claims they may currently see.
    visible: Visible,
}

impl View {
    /// The view of the caller, who sees nothing until it is admitted. A filter for something that the caller may not see is
    /// an error, rather than a subscription that never yields anything.
    ///
    /// # Errors
    /// `NOT_FOUND` if the filter names something that does not exist, `BAD_USER_INPUT` if it names too much.
    pub async fn open(ctx: &Context<'_>, filter: PvcEventFilter) -> Result<Self, ApiErrors> {
        let viewer = ctx.caller().principal()?.user;
        let filter = filter.selected()?;
        let mut named = Vec::new();
        if let Some(project) = filter.project {
            let not_found = || ApiError::not_found("project", project).at("filter.projectId");
            let group = ctx.read::<GroupOfProject>(project).await?.ok_or_else(not_found)?;
            named.push((Action::ViewProject, Scope::within(group, project), "filter.projectId".to_owned()));
        }
        if let Some(group) = filter.group {
            named.push((Action::ViewGroup, Scope::group(group), "filter.groupId".to_owned()));
        }
        let claims = filter.claims.iter().flatten().enumerate().map(async |(index, id)| {
            let field = format!("filter.pvcIds.{index}");
            let claim = visible(ctx, *id).await.map_err(|error| error.at(field.clone()))?;
            Ok::<_, ApiError>((Action::ViewPvc, claim.scope(StorageAccess::None), field))
        });
        // All at once, so that they are read together.
        named.extend(try_join_all(claims).await?);
        Ok(Self { viewer, filter, named: named.into(), visible: Visible::NOTHING })
    }
}

impl Feed for View {
    type Event = Happened;
    type Node = PvcEvent;

    fn admit(&mut self, caller: &Caller) -> Result<(), ApiError> {
        for (action, scope, field) in &self.named {
            policy::check(caller, *action, *scope).map_err(|error| error.at(field.clone()))?;
        }
        self.visible = policy::visible(caller)?;
        Ok(())
    }

    fn topics(&self) -> Topics {
        match &self.filter {
            Selected { claims: Some(claims), .. } => Topics::subjects(claims),
            Selected { project: Some(project), .. } => Topics::Project(*project),
            Selected { group: Some(group), .. } => Topics::Groups(vec![*group]),
            Selected { mine: true, .. } => Topics::Person(self.viewer),
            // Those of their groups and their own drive: an event belongs to one sort of topics only.
            Selected { .. } => Topics::Everything,
        }
    }

    fn shows(&self, Logged { about, .. }: &Logged<Happened>) -> bool {
        let is_own = about.person == Some(self.viewer) && self.visible.includes_project(about.project);
        let is_visible = self.visible.includes(about.group, about.project);
        let Selected { project, group, claims, mine } = &self.filter;
        (is_own || (is_visible && !mine))
            && project.is_none_or(|project| about.project == Some(project))
            && group.is_none_or(|group| about.group == Some(group))
            && claims.as_ref().is_none_or(|claims| claims.iter().any(|claim| claim.uuid() == about.subject))
    }

    fn node(event: Arc<Logged<Happened>>) -> PvcEvent {
        PvcEvent(event)
    }
}
