//! The usage of a project as a subscription: read again whenever something has happened to the project or its jobs.
//!
//! There is no queue of states. A subscriber hears that something has happened, however much it was, and receives the
//! state of now; subscribers to the same project share the reads, because equal numbers of the log mean the same state.

use std::sync::Arc;

use async_graphql::{Context, Subscription};
use async_stream::stream;
use futures::{Stream, StreamExt, stream};

use super::usage::{QuotaUsage, find};
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::Caller;
use crate::auth::rights::Rights;
use crate::db::Db;
use crate::error::{ApiError, ApiErrors};
use crate::events::{Member, Topics};
use crate::feeds::parts::{self, part};
use crate::feeds::{Audience, Channel};
use crate::graphql::context::RequestExt;
use crate::graphql::feed::Item;
use crate::graphql::ids::GivenId;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{ProjectId, ProjectKind};
use crate::jobs::event::JobEvent;
use crate::jobs::existence::exists;
use crate::projects::types::ProjectEvent;
use crate::storage::types::Happened as PvcEvent;

/// The state of a project after an event of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    project: ProjectId,
    number: i64,
}

/// The quota part of the subscription root.
#[derive(Debug, Default)]
pub struct QuotaSubscription;

#[Subscription]
impl QuotaSubscription {
    /// What a project uses of its limits: first the current state, and then the new state whenever jobs of the project,
    /// its storage claims or its limits have changed. Changes in quick succession are combined.
    ///
    /// Each item is complete, so there is nothing to resume: after a disconnect, subscribe again. The subscription ends
    /// with NOT_FOUND if you can no longer see the project, or if it was deleted.
    async fn quota_usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the project.")] project_id: GivenId<ProjectKind>,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<QuotaUsage>> + use<>> {
        open(ctx, &project_id).await.graphql(ctx)
    }
}

async fn open(
    ctx: &Context<'_>,
    given: &GivenId<ProjectKind>,
) -> Result<stream::BoxStream<'static, ApiResult<QuotaUsage>>, ApiErrors> {
    let tell = |moment: Arc<Moment>| (crate::events::Seq(moment.number).cursor(), QuotaUsage(moment.project));
    if let Some(told) = parts::executed(ctx, tell)? {
        return Ok(told);
    }
    let rights = parts::rights(ctx).await?;
    let project = given.at("projectId")?;
    // Joined first: what happens after the state was read is heard.
    let topics = Topics::Project(project);
    let jobs = part::<Channel<JobEvent>>(ctx)?.line().join(&topics);
    let projects = part::<Channel<ProjectEvent>>(ctx)?.line().join(&topics);
    let claims = part::<Channel<PvcEvent>>(ctx)?.line().join(&topics);
    let (_, scope) = find(ctx, project).await?;
    let follower = Follower { project, scope, rights, db: ctx.db()?.clone(), jobs, projects, claims };
    parts::leave(ctx, follower.items().boxed(), part::<Audience<Moment>>(ctx)?.clone())?;
    Ok(stream::empty().boxed())
}

struct Follower {
    project: ProjectId,
    scope: Scope,
    rights: Rights,
    db: Db,
    jobs: Member<JobEvent>,
    projects: Member<ProjectEvent>,
    claims: Member<PvcEvent>,
}

impl Follower {
    fn items(self) -> impl Stream<Item = Result<Item<Caller, Moment>, ApiError>> + Send {
        let Self { project, scope, mut rights, db, jobs, projects, claims } = self;
        stream! {
            // Until the log was read for the first time there is no number.
            jobs.since().await;
            loop {
                let number = jobs.tip().0;
                let event = Arc::new(Moment { project, number });
                yield Ok(Item { number, event, reader: rights.caller().clone() });
                loop {
                    let ended = tokio::select! {
                        () = rights.may_have_changed() => match Box::pin(rights.look()).await {
                            Ok(()) => match policy::check(rights.caller(), Action::ViewProject, scope) {
                                Ok(_) => continue,
                                Err(error) => Some(error),
                            },
                            Err(error) => Some(error),
                        },
                        () = projects.heard() => exists(&db, project, "projectId").await.err(),
                        () = jobs.heard() => None,
                        () = claims.heard() => None,
                    };
                    if let Some(error) = ended {
                        yield Err(error);
                        return;
                    }
                    break;
                }
            }
        }
    }
}
