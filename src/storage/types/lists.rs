//! The storage claims under a project, a group and a user.

use async_graphql::{Context, Object};

use super::Pvc;
use super::filter::{ClaimFilter, PvcOrder, of_parent};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, StorageAccess};
use crate::graphql::connection::{Connection, PageArgs};
use crate::graphql::edges;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{GroupId, ProjectId, UserId};
use crate::storage::loader::{ClaimsOfGroup, ClaimsOfProject, DriveOfUser};
use crate::storage::model::list::Selection;

/// The storage claims of a project.
#[derive(Debug)]
pub struct ClaimsUnderProject(ProjectId);

impl From<ProjectId> for ClaimsUnderProject {
    fn from(project: ProjectId) -> Self {
        Self(project)
    }
}

/// The storage claims that a project has.
#[Object]
impl ClaimsUnderProject {
    /// The storage claims of the project, oldest first by default.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn claims(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the claims that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the claims that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which claims to return; all of the project by default.")] filter: Option<ClaimFilter>,
        #[graphql(desc = "The order of the list; oldest first by default.")] order_by: Option<PvcOrder>,
    ) -> ApiResult<Connection<Pvc>> {
        let args = PageArgs { first, after, last, before };
        let selection = of_parent(filter, order_by).graphql(ctx)?;
        edges::list::<ClaimsOfProject, _>(ctx, self.0, selection, args).await.graphql(ctx)
    }
}

/// The storage claims of a group.
#[derive(Debug)]
pub struct ClaimsUnderGroup(GroupId);

impl From<GroupId> for ClaimsUnderGroup {
    fn from(group: GroupId) -> Self {
        Self(group)
    }
}

/// The storage claims that a group has.
#[Object]
impl ClaimsUnderGroup {
    /// The storage claims of the group itself, oldest first by default. Those of its projects are under `Project.claims`;
    /// `pvcs(filter: {groupId: ...})` returns both.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn claims(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the claims that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the claims that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which claims to return; all of the group by default.")] filter: Option<ClaimFilter>,
        #[graphql(desc = "The order of the list; oldest first by default.")] order_by: Option<PvcOrder>,
    ) -> ApiResult<Connection<Pvc>> {
        let args = PageArgs { first, after, last, before };
        let selection = of_parent(filter, order_by).graphql(ctx)?;
        // With an API token for a project, only what is in it exists.
        let own = Selection { without_project: true, project: policy::only_project(&ctx.caller()), ..selection };
        edges::list::<ClaimsOfGroup, _>(ctx, self.0, own, args).await.graphql(ctx)
    }
}

/// The drive of a user.
#[derive(Debug)]
pub struct DriveUnderUser(UserId);

impl From<UserId> for DriveUnderUser {
    fn from(user: UserId) -> Self {
        Self(user)
    }
}

/// The drive that a user has.
#[Object]
impl DriveUnderUser {
    /// The drive of the user, which `initializeUserStorage` creates; null if the user has none, or if you may not see it.
    async fn drive(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Pvc>>> {
        let Some(claim) = ctx.read::<DriveOfUser>(self.0).await.graphql(ctx)? else { return Ok(None) };
        let visible = policy::check(&ctx.caller(), Action::ViewPvc, claim.scope(StorageAccess::None)).is_ok();
        Ok(visible.then_some(AtOnce(Pvc(claim))))
    }
}
