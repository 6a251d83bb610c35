//! Submitting and cancelling: validate everything, then one transaction with quota, row, event and audit.

use chrono::{SubsecRound, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use sha2::{Digest, Sha256};

use super::draft::{Demand, Draft, Placement, from_yaml, manifest, safety};
use super::input::{CancelJobInput, SubmitJobInput};
use super::model;
use super::model::submit::{self, KeyClaim, NewJob, Quota};
use super::phase::{JobEventKind, JobPhase};
use crate::audit::model::{Entry, record};
use crate::auth::policy::{self, Action};
use crate::auth::principal::Caller;
use crate::cluster::names;
use crate::cluster::queues::Queues;
use crate::configs::model::submittable;
use crate::db::Db;
use crate::error::{ApiError, ApiErrors, Code, Problems};
use crate::events::model::{NewEvent, append};
use crate::executor::Wake;
use crate::ids::{JobId, ProjectId, UserId};
use crate::projects::model::{self as project_model, Project};

/// Queues that the platform makes sure of: (name, preemptible).
const DEFAULT_BATCH: &str = "default-batch";
const CONFIG_JOB: &str = "configfile-job";
const MAX_PRIORITY: i32 = 1000;
const MAX_KEY: usize = 200;
const MAX_REASON: usize = 500;

/// What submitting needs to know of the server.
#[derive(Clone)]
pub struct Submitter {
    /// The database.
    pub db: Db,
    /// The `schedulerName` on every pod.
    pub scheduler: std::sync::Arc<str>,
    /// The cluster's queues.
    pub queues: Queues,
    /// Wakes the submit worker.
    pub wake: Wake,
}

/// A job that would be submitted: every check has passed but the quota's.
#[derive(Debug)]
pub struct Planned {
    /// The job's id.
    pub id: JobId,
    /// Its project.
    pub project: Project,
    /// Who submits it.
    pub user: UserId,
    /// The object for the cluster.
    pub manifest: serde_json::Value,
    /// What its tasks ask for together.
    pub demand: Demand,
    /// What the project may have.
    pub quota: Option<Quota>,
    /// What the project's unfinished jobs ask for.
    pub used: (Demand, i64),
    name: String,
    queue: String,
    priority: i32,
    commit: Option<crate::ids::CommitId>,
    draft: Draft,
    key: Option<(String, Vec<u8>)>,
}

impl Submitter {
    /// Checks a submit and says what it would do; changes nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the input, or that the caller may not.
    pub async fn plan(&self, caller: &Caller, input: SubmitJobInput) -> Result<Planned, ApiErrors> {
        let user = caller.principal()?.user;
        let mut conn = self.db.connection().await?;
        let project = find_project(&mut conn, caller, input.project_id).await?;
        let mut problems = Problems::default();
        let key = idempotency(&input, &mut problems);
        let priority = input.priority.unwrap_or(0);
        if !(0..=MAX_PRIORITY).contains(&priority) {
            let message = format!("priority was {priority}; it may be 0 to {MAX_PRIORITY}");
            problems.push(ApiError::bad_input("input.priority", message));
        }
        if let Some(name) = &input.name {
            problems
                .take(names::check_label(name).map_err(|error| ApiError::bad_input("input.name", error.to_string())));
        }
        let default_queue = if input.commit_id.is_some() { CONFIG_JOB } else { DEFAULT_BATCH };
        let queue = input.queue.unwrap_or_else(|| default_queue.to_owned());
        let preemptible = problems.take(self.queues.lookup(&queue).map(|queue| queue.preemptible).map_err(|unknown| {
            let shown: String = queue.chars().take(80).collect();
            ApiError::bad_input("input.queue", format!("there is no queue \"{shown}\": {unknown}"))
        }));
        let field = if input.commit_id.is_some() { "input.commitId" } else { "input.spec" };
        let draft = match (input.commit_id, input.spec) {
            (Some(commit), None) => {
                let not_found = || ApiError::not_found("commit", commit).at("input.commitId");
                let source = submittable(&mut conn, commit).await?.ok_or_else(not_found)?;
                policy::check(caller, Action::ViewCommit { commit, group: source.group }).map_err(|_| not_found())?;
                if source.project != project.id {
                    return Err(ApiError::bad_input("input.commitId", "the commit belongs to another project").into());
                }
                from_yaml(&source.yaml, "input.commitId").map_err(ApiErrors::from)
            }
            (None, Some(spec)) => Draft::from_spec(spec),
            (Some(_), Some(_)) | (None, None) => {
                Err(ApiError::bad_input("input", "give exactly one of commitId and spec").into())
            }
        };
        let mut draft = collect(draft, &mut problems).unwrap_or_default();
        if let Some(overrides) = input.overrides {
            collect(draft.override_with(overrides), &mut problems);
        }
        for (index, pod) in draft.tasks.iter().map(|task| task.spec.as_ref()).enumerate() {
            // Equal tasks have equal problems: told once.
            let repeated = index > 0 && draft.tasks[index] == draft.tasks[index - 1];
            if let Some(pod) = pod.filter(|_| !repeated) {
                safety::check(pod, field, &format!("tasks[{index}].spec"), &mut problems);
            }
        }
        problems.finish()?;

        let id = JobId::generate();
        let placement = Placement {
            job: id,
            project: project.id,
            user,
            commit: input.commit_id,
            namespace: &project.namespace,
            queue: &queue,
            preemptible: preemptible.unwrap_or(false),
            scheduler: &self.scheduler,
        };
        let manifest = serde_json::to_value(manifest::flash_job(&draft, &placement)).map_err(ApiError::internal)?;
        Ok(Planned {
            id,
            user,
            manifest,
            demand: draft.demand(),
            quota: submit::quota(&mut conn, project.id).await?,
            used: submit::usage(&mut conn, project.id).await?,
            name: input.name.or_else(|| draft.name.clone()).unwrap_or_else(|| "job".to_owned()),
            queue,
            priority,
            commit: input.commit_id,
            draft,
            key,
            project,
        })
    }

    /// Submits what was planned: quota, row, event and audit in one transaction. The id of the job, which is an earlier
    /// one where the idempotency key was used before.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`, `CONFLICT` for a key used for another input, or the database's.
    pub async fn submit(&self, planned: &Planned, request_id: Option<&str>) -> Result<JobId, ApiError> {
        let mut conn = self.db.connection().await?;
        let id = conn.transaction(async |conn| write(conn, planned, request_id).await).await?;
        self.wake.now();
        Ok(id)
    }

    /// Asks for a job to be cancelled; a job that has ended stays as it is.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`, `CONFLICT` for a job that has ended otherwise.
    pub async fn cancel(
        &self,
        caller: &Caller,
        input: CancelJobInput,
        request_id: Option<&str>,
    ) -> Result<JobId, ApiErrors> {
        let actor = caller.principal()?.user;
        let reason = input.reason.as_deref();
        if let Some(count) = reason.map(|reason| reason.chars().count()).filter(|count| *count > MAX_REASON) {
            let message = format!("reason has {count} characters; it may have {MAX_REASON}");
            return Err(ApiError::bad_input("input.reason", message).into());
        }
        let mut conn = self.db.connection().await?;
        let found = model::find(&mut conn, input.id).await?;
        let (job, group) = found.ok_or_else(|| ApiError::not_found("job", input.id).at("input.id"))?;
        let action = Action::CancelJob { job: job.id, group, submitted_by: job.submitted_by };
        policy::check(caller, action).map_err(|error| error.at("input.id"))?;
        conn.transaction(async |conn| {
            let job = model::lock(conn, input.id).await?.ok_or_else(|| ApiError::not_found("job", input.id))?;
            if job.phase == JobPhase::Cancelled || job.cancel_requested_at.is_some() {
                return Ok(());
            }
            if job.phase.is_terminal() {
                let phase = job.phase.as_str();
                return Err(ApiError::conflict(format!("the job is {phase} already and stays so")).at("input.id"));
            }
            submit::request_cancel(conn, job.id, reason).await?;
            let entry = Entry {
                actor: Some(actor),
                action: "cancelJob",
                subject: job.id.to_string(),
                detail: serde_json::json!({ "reason": reason }),
                request_id,
            };
            record(conn, entry).await?;
            let event = NewEvent {
                job: job.id,
                kind: JobEventKind::CancelRequested.as_str(),
                phase: job.phase.as_str(),
                previous_phase: None,
                reason: None,
                message: reason.map(str::to_owned),
            };
            Ok(append(conn, &[event]).await?)
        })
        .await?;
        self.wake.now();
        Ok(input.id)
    }
}

async fn find_project(conn: &mut AsyncPgConnection, caller: &Caller, id: ProjectId) -> Result<Project, ApiError> {
    let not_found = || ApiError::not_found("project", id).at("input.projectId");
    let project = project_model::find(conn, id).await?.ok_or_else(not_found)?;
    policy::check(caller, Action::SubmitJob { project: id, group: project.group_id })
        .map_err(|error| error.at("input.projectId"))?;
    Ok(project)
}

/// The key and the hash of everything that belongs to the request.
fn idempotency(input: &SubmitJobInput, problems: &mut Problems) -> Option<(String, Vec<u8>)> {
    let key = input.idempotency_key.clone()?;
    let length = key.chars().count();
    if !(1..=MAX_KEY).contains(&length) {
        let message = format!("idempotencyKey has {length} characters; it may have 1 to {MAX_KEY}");
        problems.push(ApiError::bad_input("input.idempotencyKey", message));
        return None;
    }
    // The debug form has every field; only this program compares it, and a change of form refuses a repeat at worst.
    Some((key, Sha256::digest(format!("{input:?}")).to_vec()))
}

fn collect<T>(result: Result<T, ApiErrors>, problems: &mut Problems) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(ApiErrors(errors)) => {
            errors.into_iter().for_each(|error| problems.push(error));
            None
        }
    }
}

async fn write(conn: &mut AsyncPgConnection, planned: &Planned, request_id: Option<&str>) -> Result<JobId, ApiError> {
    if let Some((key, hash)) = &planned.key {
        match submit::claim_key(conn, planned.user, "submitJob", key, hash, planned.id.uuid()).await? {
            KeyClaim::First => {}
            KeyClaim::Repeated(job) => return Ok(JobId::from_uuid(job)),
            KeyClaim::Other => {
                let message = "this idempotencyKey was used for a submit with another input";
                return Err(ApiError::conflict(message).at("input.idempotencyKey"));
            }
        }
    }
    if let Some(quota) = submit::lock_quota(conn, planned.project.id).await? {
        let (used, jobs) = submit::usage(conn, planned.project.id).await?;
        within(&quota, used, jobs, planned.demand)?;
    }
    let object_name = names::job_object(planned.id);
    let narrow = |amount: i64| i32::try_from(amount).unwrap_or(i32::MAX);
    let job = NewJob {
        id: planned.id,
        project_id: planned.project.id,
        submitted_by: planned.user,
        config_commit_id: planned.commit,
        name: &planned.name,
        queue: &planned.queue,
        priority: planned.priority,
        executor: "SCHEDULER",
        phase: JobPhase::Submitted,
        manifest: &planned.manifest,
        namespace: &planned.project.namespace,
        object_name: &object_name,
        gpu: narrow(planned.demand.gpu),
        cpu_millis: planned.demand.cpu_millis,
        memory_bytes: planned.demand.memory_bytes,
        deadline_seconds: planned.draft.deadline_seconds,
        ttl_seconds: planned.draft.ttl_seconds,
        retry_limit: planned.draft.retries,
        submitted_at: Utc::now().trunc_subsecs(6),
    };
    submit::insert(conn, &job).await?;
    let entry = Entry {
        actor: Some(planned.user),
        action: "submitJob",
        subject: planned.id.to_string(),
        detail: serde_json::json!({ "project": planned.project.id.to_string(), "queue": planned.queue }),
        request_id,
    };
    record(conn, entry).await?;
    let event = NewEvent {
        job: planned.id,
        kind: JobEventKind::Submitted.as_str(),
        phase: JobPhase::Submitted.as_str(),
        previous_phase: None,
        reason: None,
        message: None,
    };
    append(conn, &[event]).await?;
    Ok(planned.id)
}

/// Whether `wanted` fits beside what is used; names the first limit that it does not fit under.
fn within(quota: &Quota, used: Demand, jobs: i64, wanted: Demand) -> Result<(), ApiError> {
    let checks = [
        ("GPUs", quota.gpu.map(i64::from), used.gpu, wanted.gpu),
        ("thousandths of a CPU", quota.cpu_millis, used.cpu_millis, wanted.cpu_millis),
        ("bytes of memory", quota.memory_bytes, used.memory_bytes, wanted.memory_bytes),
        ("unfinished jobs", quota.concurrent_jobs.map(i64::from), jobs, 1),
    ];
    for (what, limit, used, wanted) in checks {
        if let Some(limit) = limit
            && used.saturating_add(wanted) > limit
        {
            let message = format!("the project may have {limit} {what}; it uses {used} and this job asks for {wanted}");
            return Err(ApiError::new(Code::QuotaExceeded, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_beyond_the_quota_is_refused_with_the_numbers() {
        let quota = Quota { gpu: Some(8), cpu_millis: None, memory_bytes: None, concurrent_jobs: Some(10) };
        let demand = |gpu| Demand { gpu, ..Demand::default() };
        assert!(within(&quota, demand(6), 3, demand(2)).is_ok());
        insta::assert_snapshot!(within(&quota, demand(6), 3, demand(3)).unwrap_err(), @"the project may have 8 GPUs; it uses 6 and this job asks for 3");
        insta::assert_snapshot!(within(&quota, demand(0), 10, demand(0)).unwrap_err(), @"the project may have 10 unfinished jobs; it uses 10 and this job asks for 1");
    }
}
