//! Queries for what users may do.

use std::collections::BTreeMap;

use async_graphql::{Context, ID, Object};

use super::loader::RolesOfUser;
use super::model;
use super::target::Target;
use super::types::{Access, AccessHolder};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Holders, Scope};
use crate::auth::principal::{Person, TokenLimits};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::SortType;
use crate::graphql::limits::InTime;
use crate::graphql::limits::directives::{assumed_list, connection_size};
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{UserId, UserKind};
use crate::users::model::User;

/// The queries for permissions.
#[derive(Debug, Default)]
pub struct AccessQuery;

#[Object]
impl AccessQuery {
    /// What a user may do with an object: the decision on every action that applies to its kind, with the rule that decided
    /// and the role that allows it.
    ///
    /// You can ask about yourself, for every object that you can see. With an API token, the decisions are those for you with
    /// the token. Admins of the object's group and platform admins can
    /// ask about every user. Without `on`, the object is the platform itself.
    #[graphql(directive = assumed_list::apply(24))]
    async fn effective_access(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the user; you by default.")] user_id: Option<GivenId<UserKind>>,
        #[graphql(
            desc = "The ID of the object: a user, a group, a project, a config file, a commit or a job. The platform by default."
        )]
        on: Option<ID>,
    ) -> ApiResult<Option<Vec<Access>>> {
        effective(ctx, user_id.as_ref(), on).in_time(ctx).await.map(Some).graphql(ctx)
    }

    /// The users who may do something with an object, by username, each with the reason. Users whose accounts are disabled are
    /// not among them.
    ///
    /// Admins of the object's group and platform admins can ask this. Without `on`, the object is the platform itself.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn who_can(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The action.")] action: Action,
        #[graphql(
            desc = "The ID of the object: a user, a group, a project, a config file, a commit or a job. The platform by default."
        )]
        on: Option<ID>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the users that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the users that come before this cursor.")] before: Option<String>,
    ) -> ApiResult<Option<Connection<AccessHolder>>> {
        let asked = who_can(ctx, action, on, PageArgs { first, after, last, before });
        asked.await.map(Some).graphql(ctx)
    }
}

/// Whether the caller may learn what others may do with the target.
fn may_ask(ctx: &Context<'_>, target: &Target) -> Result<(), ApiError> {
    // They can see it, so there is nothing to hide.
    let scope = if target.scope.group_id().is_some() { target.scope } else { Scope::PLATFORM };
    policy::check(&ctx.caller(), Action::ViewAccess, scope).map(drop)
}

async fn effective(
    ctx: &Context<'_>,
    user: Option<&GivenId<UserKind>>,
    on: Option<ID>,
) -> Result<Vec<Access>, ApiErrors> {
    let caller = ctx.caller();
    let principal = caller.principal()?;
    let user = ids::maybe(user, "userId")?.unwrap_or(principal.user);
    let target = Target::find(ctx, on.as_deref().map(String::as_str)).await.map_err(|error| error.at("on"))?;
    if user == principal.user {
        let scope = target.scope_for(ctx, user).await?;
        let limits = principal.credential.limits();
        return Ok(decisions(limits, principal.person(), &target, &scope));
    }
    may_ask(ctx, &target)?;
    let roles = ctx.read::<RolesOfUser>(user).await?;
    let roles = roles.ok_or_else(|| ApiError::not_found("user", user).at("userId"))?;
    let scope = target.scope_for(ctx, user).await?;
    Ok(decisions(None, roles.person(), &target, &scope))
}

fn decisions(limits: Option<&TokenLimits>, person: Person<'_>, target: &Target, scope: &Scope) -> Vec<Access> {
    let applicable = Action::ALL.iter().filter(|action| action.kind() == target.kind);
    let decided =
        |action: &Action| Access::of(*action, policy::explain(limits, person, *action, scope), scope.group_id());
    applicable.map(decided).collect()
}

async fn who_can(
    ctx: &Context<'_>,
    action: Action,
    on: Option<ID>,
    args: PageArgs,
) -> Result<Connection<AccessHolder>, ApiErrors> {
    let target = Target::find(ctx, on.as_deref().map(String::as_str)).await.map_err(|error| error.at("on"));
    let page = Page::parse(args).and_then(|page| page.sorted_by(SortType::Text));
    let (target, page) = both(target, page)?;
    may_ask(ctx, &target)?;
    if action.kind() != target.kind {
        return Err(ApiError::bad_input("action", "the action does not apply to this kind of object").into());
    }
    let holders = policy::holders(action, &target.scope);
    let db = ctx.db()?.clone();
    let (rows, roles) = async {
        let mut conn = db.connection().await?;
        let rows = model::page(&mut conn, &holders, &page).await?;
        let ids: Vec<UserId> = rows.iter().map(|user| user.id).collect();
        let roles = match target.scope.group_id() {
            Some(group) => model::roles_in(&mut conn, group, &ids).await?,
            None => BTreeMap::new(),
        };
        Ok::<_, ApiError>((rows, roles))
    }
    .in_time(ctx)
    .await?;
    let counted = holders.clone();
    let total = TotalCount::by(move |_| {
        let (db, holders) = (db.clone(), counted.clone());
        async move { Ok(model::count(&mut *db.connection().await?, &holders).await?) }
    });
    let group = target.scope.group_id();
    let holder = |user: User| {
        let in_group = group.zip(roles.get(&user.id).copied());
        let groups = in_group.into_iter().collect();
        let person = Person { user: user.id, platform_role: user.platform_role, groups: &groups };
        // Whoever is in the list and not there for another reason shares a group with the user.
        let scope = target.scope.among(is_fellow(&holders));
        // Likewise, a storage claim grants it to them.
        let scope = holders.granted.map_or(scope, |(_, _, access)| scope.granting(access));
        let explanation = policy::explain(None, person, action, &scope);
        AccessHolder { access: Access::of(action, explanation, group), user: user.into() }
    };
    let position = |user: &User| Position::of(user.username.clone(), user.id.uuid());
    Ok(connection(&page, rows, position, holder, total))
}

const fn is_fellow(holders: &Holders) -> bool {
    holders.fellows_of.is_some()
}
