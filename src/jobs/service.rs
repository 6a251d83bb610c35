//! Submits what was reviewed, and cancels jobs: each in one transaction with row, event and audit entry.

use chrono::{SubsecRound, Utc};
use serde_json::{Value, json};

use super::event::{JobEvent, Particulars, about};
use super::input::CancelJobInput;
use super::model;
use super::model::submit::{self, NewJob};
use super::opening::{deadline, refused};
use super::phase::{JobEventKind, JobPhase};
use super::review::Planned;
use super::room::Room;
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::Caller;
use crate::change::{Change, Changed, Done, Writes};
use crate::cluster::names;
use crate::cluster::queues::Queues;
use crate::db::Db;
use crate::error::{ApiError, ApiErrors, both};
use crate::executor::{Executor, ExecutorMode, Executors, Wake};
use crate::ids::JobId;
use crate::notifications::model::{NotificationType, notify_managers};
use crate::projects::model::schedule::{self, OutsideSchedule};
use crate::projects::model::{self as projects, limits};
use crate::storage::model::mountable;
use crate::trail::Origin;

const MAX_REASON: usize = 500;

/// The parts of the server that submitting needs.
#[derive(Clone)]
pub struct Submitter {
    /// The database.
    pub db: Db,
    /// How new jobs are run.
    pub mode: ExecutorMode,
    /// The `schedulerName` of pods that the Flash scheduler places.
    pub scheduler: std::sync::Arc<str>,
    /// The cluster's queues.
    pub queues: Queues,
    /// Asks the cluster about jobs.
    pub executors: Executors,
    /// The resources that are GPUs.
    pub gpus: std::sync::Arc<crate::config::GpuResources>,
    /// Wakes the submit worker.
    pub wake: Wake,
}

impl Submitter {
    /// The executor of new jobs.
    pub(super) fn executor(&self) -> &dyn Executor {
        self.executors.of(self.mode)
    }

    /// Submits a planned job: quota, row, event and audit entry in one transaction. Returns the id of the job, which is
    /// an earlier one if the idempotency key was used before.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`, `CONFLICT` for a key that was used for another input, or the database's.
    pub async fn submit(&self, planned: &Planned, origin: Origin) -> Result<JobId, ApiErrors> {
        let change = Change::new(&self.db, planned.permit, origin);
        let id = change.create(planned.key.as_ref(), planned.id, async |writes| write(writes, planned).await).await?;
        self.wake.now();
        Ok(id)
    }

    /// Requests the cancellation of a job; a job that has ended stays as it is.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`, `CONFLICT` for a job that has ended in another way.
    pub async fn cancel(&self, caller: &Caller, input: CancelJobInput, origin: Origin) -> Result<JobId, ApiErrors> {
        // An unauthenticated caller is not told whether the job exists.
        caller.principal()?;
        let reason = input.reason.as_deref();
        let fits = match reason.map(|reason| reason.chars().count()).filter(|count| *count > MAX_REASON) {
            Some(count) => {
                let message = format!("reason has {count} characters; at most {MAX_REASON} are allowed");
                Err(ApiError::bad_input("input.reason", message))
            }
            None => Ok(()),
        };
        let (id, ()) = both(input.id.at("input.id"), fits)?;
        let mut conn = self.db.connection().await?;
        let found = model::find(&mut conn, id).await?;
        let (job, group) = found.ok_or_else(|| ApiError::not_found("job", id).at("input.id"))?;
        let scope = Scope::within(group, job.id).in_project(job.project_id).by(job.submitted_by);
        let permit = policy::check(caller, Action::CancelJob, scope).map_err(|error| error.at("input.id"))?;
        drop(conn);
        let change = Change::new(&self.db, permit, origin);
        let cancel = async |writes: &mut Writes<'_>| {
            let job = model::lock(writes.conn(), id).await?.ok_or_else(|| ApiError::not_found("job", id))?;
            if job.phase == JobPhase::Cancelled || job.cancel_requested_at.is_some() {
                return Ok(Done::nothing());
            }
            if job.phase.is_terminal() {
                let phase = job.phase.as_str();
                return Err(ApiError::conflict(format!("the job is already {phase}, which is final"))
                    .at("input.id")
                    .into());
            }
            submit::request_cancel(writes, job.id, reason).await?;
            let event = JobEvent {
                kind: JobEventKind::CancelRequested,
                phase: job.phase,
                previous_phase: None,
                reason: None,
                message: reason.map(str::to_owned),
                job: None,
            };
            let file = model::config_file(writes.conn(), job.config_commit_id).await?;
            let event = event.about(&Particulars::of(&job.name, &job.queue, file, job.submitted_at), None);
            writes.tell(about(job.id, job.project_id, group, job.submitted_by), &event)?;
            let changed = Changed::default().field("cancelRequested", &false, &true);
            Ok(Done::to(job.id, json!({ "reason": reason })).changed(changed).in_project(job.project_id))
        };
        change.commit(cancel).await?;
        self.wake.now();
        Ok(id)
    }
}

/// Writes the job if the project's quota allows it; returns the details for the audit log.
async fn write(writes: &mut Writes<'_>, planned: &Planned) -> Result<Value, ApiErrors> {
    projects::begin_work(writes, planned.project.id).await?;
    let schedule = schedule::find(writes.conn(), planned.project.id).await?;
    if let Some((OutsideSchedule::Refuse, why)) = schedule.and_then(|schedule| schedule.closed(Utc::now())) {
        return Err(refused(why).into());
    }
    let limits = limits::lock(writes.conn(), planned.project.id).await?;
    if let Some(limits) = &limits {
        let used = submit::usage(writes.conn(), planned.project.id, planned.user).await?;
        let rooms = Room::all(limits, &used, planned.demand);
        let beyond: Vec<_> = rooms.iter().filter_map(|room| room.check().err()).collect();
        if !beyond.is_empty() {
            return Err(ApiErrors(beyond));
        }
        for room in rooms.iter().filter(|room| room.becomes_scarce()) {
            let (project, kind) = (&planned.project, NotificationType::QuotaNearlyUsed);
            let message =
                format!("The project {} uses at least 90 % of its limit of {}.", project.name, room.resource.unit());
            notify_managers(writes, project.group_id, kind, project.id.to_text(), &message).await?;
        }
    }
    let deadline_seconds = deadline(&limits.unwrap_or_default(), planned.draft.deadline_seconds)
        .map_err(|error| error.at(planned.field))?;
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
        executor: planned.executor,
        phase: JobPhase::Submitted,
        manifest: planned.manifest.json(),
        task_counts: planned.manifest.counts(),
        manifest_bytes: i64::try_from(planned.manifest.bytes()).unwrap_or(i64::MAX),
        namespace: &planned.project.namespace,
        object_name: &object_name,
        gpu: narrow(planned.demand.gpu),
        cpu_millis: planned.demand.cpu_millis,
        memory_bytes: planned.demand.memory_bytes,
        deadline_seconds,
        ttl_seconds: planned.draft.ttl_seconds,
        retry_limit: planned.draft.retries,
        parameters: Some(&planned.parameters).filter(|values| !values.is_empty()).map(|values| json!(values)),
        retried_from: planned.retried_from,
        submitted_at: Utc::now().trunc_subsecs(6),
    };
    submit::insert(writes, &job).await?;
    let mounts: Vec<_> = planned.mounts.iter().map(|(claim, read_only)| (*claim, *read_only)).collect();
    if let Some(name) = mountable::record(writes.conn(), job.id, &mounts).await? {
        let message = format!("the claim {name} was deleted while the job was being submitted");
        return Err(ApiError::conflict(message).at(planned.field).into());
    }
    let event = JobEvent {
        kind: JobEventKind::Submitted,
        phase: JobPhase::Submitted,
        previous_phase: None,
        reason: None,
        message: None,
        job: None,
    };
    let event = event.about(&Particulars::of(job.name, job.queue, planned.config_file, job.submitted_at), None);
    writes.tell(about(planned.id, planned.project.id, planned.project.group_id, planned.user), &event)?;
    let mut detail = json!({ "project": planned.project.id.to_string(), "queue": planned.queue });
    if let Some(earlier) = planned.retried_from {
        detail["retriedFrom"] = earlier.to_text().into();
    }
    Ok(detail)
}
