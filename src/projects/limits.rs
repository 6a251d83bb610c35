//! Sets the limits of a project.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use serde_json::json;

use super::model;
use super::model::limits::{self, Limits};
use super::mutation::group_of;
use super::types::Project;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::change::{self, ChangeExt, Done};
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::names;
use crate::graphql::scalars::Quantity;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ProjectKind;
use crate::quantity;

/// Input for `setProjectLimits`. Omitted fields keep their value; null removes a limit.
#[derive(Debug, InputObject)]
pub struct SetProjectLimitsInput {
    /// The ID of the project. You must be a manager or an admin of its group.
    pub project_id: GivenId<ProjectKind>,
    /// The number of GPUs that the unfinished jobs of the project can request together. Only platform admins can set it.
    pub gpu: MaybeUndefined<i32>,
    /// The CPUs that the unfinished jobs of the project can request together.
    pub cpu: MaybeUndefined<Quantity>,
    /// The memory that the unfinished jobs of the project can request together.
    pub memory: MaybeUndefined<Quantity>,
    /// The storage that the claims in the project's namespace can request together. The cluster enforces it.
    pub storage: MaybeUndefined<Quantity>,
    /// The number of unfinished jobs, whether they are running or not.
    pub concurrent_jobs: MaybeUndefined<i32>,
    /// The number of unfinished jobs that have not started yet.
    pub queued_jobs: MaybeUndefined<i32>,
    /// The number of unfinished jobs of each user, whether they are running or not.
    pub concurrent_jobs_per_user: MaybeUndefined<i32>,
    /// The number of unfinished jobs of each user that have not started yet.
    pub queued_jobs_per_user: MaybeUndefined<i32>,
    /// The longest time that a job can run, in seconds: at least 1. A job with a longer `activeDeadlineSeconds` is
    /// rejected, and a job without one is stopped after this time. Jobs that were submitted before keep their deadline.
    pub max_run_seconds: MaybeUndefined<i32>,
}

/// Result of `setProjectLimits`.
#[derive(Debug, SimpleObject)]
pub struct SetProjectLimitsPayload {
    /// The project.
    pub project: Project,
}

/// The mutation that sets limits.
#[derive(Debug, Default)]
pub struct LimitsMutation;

#[Object]
impl LimitsMutation {
    /// Sets limits of a project. Jobs that were accepted before are not affected, even if they exceed a new limit. The quota
    /// of the project's namespace follows within moments, or when the cluster is available again.
    ///
    /// Fails with NOT_FOUND if the project does not exist or you are not a member of its group, FORBIDDEN if you are not
    /// a manager or an admin of its group or if you change the limit of GPUs and are not a platform admin, and
    /// BAD_USER_INPUT for each invalid field.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn set_project_limits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project and its new limits.")] input: SetProjectLimitsInput,
    ) -> ApiResult<Option<SetProjectLimitsPayload>> {
        set(ctx, input).await.map(Some).graphql(ctx)
    }
}

/// The changed limits: `None` keeps a limit, and `Some(None)` removes it.
#[derive(Debug, Default)]
struct Changed {
    gpu: Option<Option<i32>>,
    cpu_millis: Option<Option<i64>>,
    memory_bytes: Option<Option<i64>>,
    storage_bytes: Option<Option<i64>>,
    concurrent_jobs: Option<Option<i32>>,
    queued_jobs: Option<Option<i32>>,
    concurrent_jobs_per_user: Option<Option<i32>>,
    queued_jobs_per_user: Option<Option<i32>>,
    max_run_seconds: Option<Option<i64>>,
}

impl Changed {
    fn of(input: SetProjectLimitsInput) -> Result<Self, ApiErrors> {
        let mut problems = Problems::default();
        let mut count = |given: MaybeUndefined<i32>, least: i32, field: &'static str| match given {
            MaybeUndefined::Value(value) if value < least => {
                let name = field.strip_prefix("input.").unwrap_or(field);
                problems.push(ApiError::bad_input(field, format!("{name} was {value}; it must be at least {least}")));
                None
            }
            given => Option::<Option<i32>>::from(given),
        };
        let gpu = count(input.gpu, 0, "input.gpu");
        let concurrent_jobs = count(input.concurrent_jobs, 0, "input.concurrentJobs");
        let queued_jobs = count(input.queued_jobs, 0, "input.queuedJobs");
        let concurrent_jobs_per_user = count(input.concurrent_jobs_per_user, 0, "input.concurrentJobsPerUser");
        let queued_jobs_per_user = count(input.queued_jobs_per_user, 0, "input.queuedJobsPerUser");
        let max_run_seconds = count(input.max_run_seconds, 1, "input.maxRunSeconds");
        let mut amount = |given: MaybeUndefined<Quantity>, unit: fn(&quantity::Quantity) -> i128, field| match given {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(Quantity(text)) => problems.take(measured(&text, unit, field)).map(Some),
        };
        let changed = Self {
            gpu,
            cpu_millis: amount(input.cpu, quantity::Quantity::millis, "input.cpu"),
            memory_bytes: amount(input.memory, quantity::Quantity::units, "input.memory"),
            storage_bytes: amount(input.storage, quantity::Quantity::units, "input.storage"),
            concurrent_jobs,
            queued_jobs,
            concurrent_jobs_per_user,
            queued_jobs_per_user,
            max_run_seconds: max_run_seconds.map(|limit| limit.map(i64::from)),
        };
        problems.finish().map(|()| changed)
    }

    fn apply(&self, before: Limits) -> Limits {
        Limits {
            gpu: self.gpu.unwrap_or(before.gpu),
            cpu_millis: self.cpu_millis.unwrap_or(before.cpu_millis),
            memory_bytes: self.memory_bytes.unwrap_or(before.memory_bytes),
            storage_bytes: self.storage_bytes.unwrap_or(before.storage_bytes),
            concurrent_jobs: self.concurrent_jobs.unwrap_or(before.concurrent_jobs),
            queued_jobs: self.queued_jobs.unwrap_or(before.queued_jobs),
            concurrent_jobs_per_user: self.concurrent_jobs_per_user.unwrap_or(before.concurrent_jobs_per_user),
            queued_jobs_per_user: self.queued_jobs_per_user.unwrap_or(before.queued_jobs_per_user),
            max_run_seconds: self.max_run_seconds.unwrap_or(before.max_run_seconds),
        }
    }
}

/// A quantity in whole units that are stored.
fn measured(text: &str, unit: fn(&quantity::Quantity) -> i128, field: &'static str) -> Result<i64, ApiError> {
    let refused = |why: &str| ApiError::bad_input(field, format!("{} {why}", names::shown(text)));
    let quantity: quantity::Quantity = text.parse().map_err(|_| refused("is not a quantity"))?;
    if quantity.is_negative() {
        return Err(refused("is negative; a limit must be at least 0"));
    }
    i64::try_from(unit(&quantity)).map_err(|_| refused("is too large for a limit"))
}

async fn set(ctx: &Context<'_>, input: SetProjectLimitsInput) -> Result<SetProjectLimitsPayload, ApiErrors> {
    ctx.caller().principal()?;
    let given = input.project_id.clone();
    let changed = Changed::of(input);
    let (id, group) = match given.at("input.projectId") {
        Ok(_) => group_of(ctx, &given).await?,
        Err(problem) => return Err(problem.and_of(changed)),
    };
    let scope = Scope::within(group, id);
    let change = ctx.change(Action::SetProjectLimits, scope).map_err(|error| error.at("input.projectId"))?;
    let changed = changed?;
    if changed.gpu.is_some() {
        policy::check(&ctx.caller(), Action::SetGpuLimit, scope).map_err(|error| error.at("input.gpu"))?;
    }
    let project = change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("project", id).at("input.projectId");
            let project = model::lock(writes, id).await?.ok_or_else(not_found)?;
            let before = limits::lock(writes.conn(), id).await?.unwrap_or_default();
            let after = changed.apply(before);
            if after == before {
                return Ok(Done::nothing().with(project));
            }
            limits::set(writes, (id, group), &after).await?;
            let changed = before.changed_to(&after, change::Changed::default());
            Ok(Done::to(id, json!({ "name": project.name })).changed(changed).with(project))
        })
        .await?;
    Ok(SetProjectLimitsPayload { project: project.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_omitted_limit_stays_and_null_removes_it() {
        let before = Limits { gpu: Some(8), queued_jobs: Some(3), ..Limits::default() };
        let changed = Changed { queued_jobs: Some(None), concurrent_jobs: Some(Some(5)), ..Changed::default() };
        let after = Limits { gpu: Some(8), concurrent_jobs: Some(5), ..Limits::default() };
        assert_eq!(changed.apply(before), after);
    }

    #[test]
    fn an_amount_is_stored_in_whole_units_and_never_below_zero() {
        let cpu =
            |text: &str| measured(text, quantity::Quantity::millis, "input.cpu").map_err(|error| error.to_string());
        assert_eq!(cpu("1.5"), Ok(1500));
        assert_eq!(measured("10Gi", quantity::Quantity::units, "input.memory").unwrap(), 10 << 30);
        insta::assert_snapshot!(cpu("-1").unwrap_err(), @r#""-1" is negative; a limit must be at least 0"#);
        insta::assert_snapshot!(cpu("9e18").unwrap_err(), @r#""9e18" is too large for a limit"#);
    }
}
