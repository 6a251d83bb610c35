//! Submitting what was reviewed, and cancelling: each one transaction with row, event and audit.

use chrono::{SubsecRound, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::event::{JobEvent, about};
use super::input::CancelJobInput;
use super::model::submit::{self, KeyClaim, NewJob};
use super::model::{self, ExecutorMode};
use super::phase::{JobEventKind, JobPhase};
use super::review::{Planned, Room};
use crate::audit::model::{Entry, record};
use crate::auth::policy::{self, Action};
use crate::auth::principal::Caller;
use crate::cluster::names;
use crate::cluster::queues::Queues;
use crate::db::Db;
use crate::error::{ApiError, ApiErrors};
use crate::events::model::append;
use crate::executor::{Executor, Wake};
use crate::ids::JobId;

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
    /// Asks the cluster about jobs.
    pub executor: std::sync::Arc<dyn Executor>,
    /// Which resources are GPUs.
    pub gpus: std::sync::Arc<crate::config::GpuResources>,
    /// Wakes the submit worker.
    pub wake: Wake,
}

impl Submitter {
    /// Submits what was planned: quota, row, event and audit in one transaction. The id of the job, which is an earlier
    /// one where the idempotency key was used before.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`, `CONFLICT` for a key used for another input, or the database's.
    pub async fn submit(&self, planned: &Planned, request_id: Option<&str>) -> Result<JobId, ApiErrors> {
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
            let event = JobEvent {
                kind: JobEventKind::CancelRequested,
                phase: job.phase,
                previous_phase: None,
                reason: None,
                message: reason.map(str::to_owned),
            };
            Ok(append(conn, &[(about(job.id, job.project_id, group, job.submitted_by), event)]).await?)
        })
        .await?;
        self.wake.now();
        Ok(input.id)
    }
}

async fn write(conn: &mut AsyncPgConnection, planned: &Planned, request_id: Option<&str>) -> Result<JobId, ApiErrors> {
    if let Some((key, hash)) = &planned.key {
        match submit::claim_key(conn, planned.user, "submitJob", key, hash, planned.id.uuid()).await? {
            KeyClaim::First => {}
            KeyClaim::Repeated(job) => return Ok(JobId::from_uuid(job)),
            KeyClaim::Other => {
                let message = "this idempotencyKey was used for a submit with another input";
                return Err(ApiError::conflict(message).at("input.idempotencyKey").into());
            }
        }
    }
    if let Some(quota) = submit::lock_quota(conn, planned.project.id).await? {
        let (used, jobs) = submit::usage(conn, planned.project.id).await?;
        let rooms = Room::all(Some(&quota), used, jobs, planned.demand);
        let beyond: Vec<_> = rooms.iter().filter_map(|room| room.check().err()).collect();
        if !beyond.is_empty() {
            return Err(ApiErrors(beyond));
        }
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
        executor: ExecutorMode::Scheduler,
        phase: JobPhase::Submitted,
        manifest: planned.manifest.json(),
        task_counts: planned.manifest.counts(),
        manifest_bytes: i64::try_from(planned.manifest.bytes()).unwrap_or(i64::MAX),
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
    let event = JobEvent {
        kind: JobEventKind::Submitted,
        phase: JobPhase::Submitted,
        previous_phase: None,
        reason: None,
        message: None,
    };
    let about = about(planned.id, planned.project.id, planned.project.group_id, planned.user);
    append(conn, &[(about, event)]).await?;
    Ok(planned.id)
}
