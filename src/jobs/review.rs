//! Reviews a submit before anything is written: every rule is checked, and a submit that passes becomes a plan.

use std::collections::BTreeMap;

use diesel_async::AsyncPgConnection;

use super::admission::{AdmissionRule, Findings};
use super::draft::claims::{Mountable, Mounts};
use super::draft::{self, Demand, Draft, Placement, manifest};
use super::input::{JobOverridesInput, JobParameterInput, JobSourceInput, SubmitJobInput};
use super::model::manifest::Manifest;
use super::model::submit::{self, Used};
use super::opening::{beginning, deadline};
use super::quota::QuotaResource;
use super::service::Submitter;
use super::sources::{Sourced, of_spec};
use crate::auth::policy::{self, Action, Permit, Scope, StorageAccess};
use crate::auth::principal::Caller;
use crate::change::Key;
use crate::cluster::crd::FlashJob;
use crate::cluster::names;
use crate::error::{ApiError, ApiErrors, Code};
use crate::executor::ExecutorMode;
use crate::ids::{CommitId, ConfigId, JobId, ProjectId, UserId};
use crate::projects::model::limits::{self, Limits};
use crate::projects::model::schedule;
use crate::projects::model::{self as project_model, Project};
use crate::storage::model::{Claim, mountable};

/// Queues that the platform creates itself.
const DEFAULT_BATCH: &str = "default-batch";
const CONFIG_JOB: &str = "configfile-job";
const MAX_PRIORITY: i32 = 1000;

/// The rules that cannot be checked without a draft.
const OF_DRAFT: [AdmissionRule; 9] = [
    AdmissionRule::Image,
    AdmissionRule::Container,
    AdmissionRule::Resources,
    AdmissionRule::Mounts,
    AdmissionRule::Pod,
    AdmissionRule::Gang,
    AdmissionRule::Lifetime,
    AdmissionRule::PodSafety,
    AdmissionRule::Size,
];
/// The rules that determine what a job requests.
const OF_DEMAND: [AdmissionRule; 3] = [AdmissionRule::Source, AdmissionRule::Resources, AdmissionRule::Gang];

/// The result of reviewing a submit.
#[derive(Debug)]
pub struct Review {
    /// The verdicts.
    pub findings: Findings,
    /// The project's limits, with the requests of this job.
    pub rooms: Vec<Room>,
    /// What would keep an accepted job waiting.
    pub warnings: Vec<String>,
    /// The job to submit; `None` if a rule other than that of the quota has failed.
    pub planned: Option<Planned>,
}

/// A job to submit: every check has passed except that of the quota.
#[derive(Debug)]
pub struct Planned {
    /// The job's id.
    pub id: JobId,
    /// Its project.
    pub project: Project,
    /// The user who submits it.
    pub user: UserId,
    /// The permission to submit it.
    pub permit: Permit,
    /// How it is run.
    pub executor: ExecutorMode,
    /// The object for the cluster.
    pub manifest: Manifest,
    /// The requests of all its tasks together.
    pub demand: Demand,
    /// The display name.
    pub name: String,
    /// The queue.
    pub queue: String,
    /// Higher values are sent to the cluster first.
    pub priority: i32,
    /// The input field of its source.
    pub field: &'static str,
    /// The config commit that it was made from.
    pub commit: Option<CommitId>,
    /// The config file of the commit.
    pub config_file: Option<ConfigId>,
    /// The values of the parameters that the commit declares.
    pub parameters: BTreeMap<String, String>,
    /// Its tasks and rules.
    pub draft: Draft,
    /// The storage claims that it mounts.
    pub mounts: Mounts,
    /// The idempotency key.
    pub key: Option<Key>,
}

impl Planned {
    /// The object for the cluster.
    ///
    /// # Errors
    /// It is not a valid object, which is a bug.
    pub fn flash_job(&self) -> Result<FlashJob, ApiError> {
        self.manifest.flash_job().map_err(ApiError::internal)
    }
}

/// One limit of a project, with its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The resource.
    pub resource: QuotaResource,
    /// The limit; `None` if unlimited.
    pub limit: Option<i64>,
    /// The requests of the project's unfinished jobs.
    pub used: i64,
    /// The requests of this job.
    pub requested: i64,
}

impl Room {
    /// The project's limits with usage and requests. Those of queued jobs and of users are only listed if they exist.
    pub fn all(limits: &Limits, used: &Used, wanted: Demand) -> Vec<Self> {
        let room = |resource, limit, used, requested| Self { resource, limit, used, requested };
        let whole = |limit: Option<i32>| limit.map(i64::from);
        let mut rooms = vec![
            room(QuotaResource::Gpu, whole(limits.gpu), used.demand.gpu, wanted.gpu),
            room(QuotaResource::Cpu, limits.cpu_millis, used.demand.cpu_millis, wanted.cpu_millis),
            room(QuotaResource::Memory, limits.memory_bytes, used.demand.memory_bytes, wanted.memory_bytes),
            room(QuotaResource::Jobs, whole(limits.concurrent_jobs), used.jobs, 1),
        ];
        let others = [
            (QuotaResource::QueuedJobs, limits.queued_jobs, used.queued),
            (QuotaResource::UserJobs, limits.concurrent_jobs_per_user, used.of_user),
            (QuotaResource::UserQueuedJobs, limits.queued_jobs_per_user, used.of_user_queued),
        ];
        let limited = others.into_iter().filter(|(_, limit, _)| limit.is_some());
        rooms.extend(limited.map(|(resource, limit, used)| room(resource, whole(limit), used, 1)));
        rooms
    }

    /// What is left after the job has been accepted; `None` without a limit.
    pub fn left(&self) -> Option<i64> {
        Some(self.limit?.saturating_sub(self.used).saturating_sub(self.requested))
    }

    /// Whether this job is the one with which 90 % of the limit are used.
    pub fn becomes_scarce(&self) -> bool {
        let is_scarce = |used: i64, limit: i64| i128::from(used) * 10 >= i128::from(limit) * 9;
        self.limit.is_some_and(|limit| {
            limit > 0 && !is_scarce(self.used, limit) && is_scarce(self.used.saturating_add(self.requested), limit)
        })
    }

    /// Whether the job fits.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED` with the limit, the usage and the request.
    pub fn check(&self) -> Result<(), ApiError> {
        let Self { resource, used, requested, .. } = self;
        match (self.limit, self.left()) {
            (Some(limit), Some(left)) if left < 0 => {
                let unit = resource.unit();
                let uses = if resource.is_of_user() { "you have" } else { "it uses" };
                let message =
                    format!("the project's limit is {limit} {unit}; {uses} {used} and this job requests {requested}");
                Err(ApiError::new(Code::QuotaExceeded, message))
            }
            _ => Ok(()),
        }
    }
}

impl Submitter {
    /// Reviews a submit; changes nothing.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`; `NOT_FOUND` for a project or commit that the caller may not see; `BAD_USER_INPUT` for an invalid
    /// project ID, together with all problems that can be found without the project; the database's.
    pub async fn review(&self, caller: &Caller, input: SubmitJobInput) -> Result<Review, ApiErrors> {
        let user = caller.principal()?.user;
        let mut findings = Findings::default();
        findings.skip(&[AdmissionRule::Cluster]);
        let project = input.project_id.at("input.projectId");
        let settings = self.settings(input, &mut findings);
        let project = match project {
            Ok(project) => project,
            Err(problem) => return Err(problem.and_of(self.without_project(settings, findings).before_quota())),
        };
        let Settings { key, name, priority, queue, preemptible, source, parameters, overrides } = settings;
        let mut conn = self.db.connection().await?;
        let (project, permit) = find_project(&mut conn, caller, project).await?;

        let field = source.field();
        let Sourced { commit, config_file, parameters, draft: found } =
            self.sourced(&mut conn, (caller, project.id), (source, parameters), &mut findings).await?;
        let found_source = found.is_some();
        if !found_source {
            findings.skip(&OF_DRAFT);
        }
        let overrides_deadline = overrides.as_ref().is_some_and(|given| given.active_deadline_seconds.is_some());
        let mut draft = found.unwrap_or_default();
        overridden(&mut draft, overrides, &mut findings);
        let known = claims_of(&mut conn, caller, &project, &draft).await?;
        let (mounts, problems) = draft::claims::resolve(&mut draft, field, &known);
        problems.into_iter().for_each(|(rule, problem)| findings.note(rule, problem));
        self.check(&draft, field, &mut findings);

        let demand = if findings.has_failed(&OF_DEMAND) { Demand::default() } else { draft.demand(&self.gpus) };
        let limits = limits::find(&mut conn, project.id).await?.unwrap_or_default();
        let used = submit::usage(&mut conn, project.id, user).await?;
        let rooms = Room::all(&limits, &used, demand);
        if found_source {
            let field = if overrides_deadline { "input.overrides.activeDeadlineSeconds" } else { field };
            findings.take(
                AdmissionRule::Lifetime,
                deadline(&limits, draft.deadline_seconds).map_err(|error| error.at(field)),
            );
        }
        if findings.has_failed(&OF_DEMAND) {
            findings.skip(&[AdmissionRule::Quota]);
        }
        let (closed, warnings) = beginning(&project, schedule::find(&mut conn, project.id).await?);
        let id = JobId::generate();
        let placement = Placement {
            job: id,
            project: project.id,
            user,
            commit,
            namespace: &project.namespace,
            // A name that matches no queue can have any length.
            queue: if findings.has_failed(&[AdmissionRule::Queue]) { DEFAULT_BATCH } else { &queue },
            preemptible,
            scheduler: match self.mode {
                ExecutorMode::Scheduler => Some(&self.scheduler),
                ExecutorMode::Local => None,
            },
        };
        let manifest = manifest::flash_job(&mut draft, &placement)?;
        findings.take(AdmissionRule::Size, manifest::check_size(&manifest, field));
        if !findings.are_none() {
            closed.into_iter().for_each(|problem| findings.note(AdmissionRule::Project, problem));
            return Ok(Review { findings, rooms, warnings: Vec::new(), planned: None });
        }
        for room in &rooms {
            findings.take(AdmissionRule::Quota, room.check());
        }
        closed.into_iter().for_each(|problem| findings.note(AdmissionRule::Project, problem));
        let name = name.or_else(|| draft.name.clone()).unwrap_or_else(|| "job".to_owned());
        let planned = Planned {
            id,
            user,
            permit,
            executor: self.mode,
            manifest,
            demand,
            name,
            queue,
            priority,
            field,
            commit,
            config_file,
            parameters,
            draft,
            mounts,
            key,
            project,
        };
        Ok(Review { findings, rooms, warnings, planned: Some(planned) })
    }

    /// Checks the parts of the input that depend on neither the project nor the source.
    fn settings(&self, input: SubmitJobInput, findings: &mut Findings) -> Settings {
        let key = input.idempotency_key.as_deref().map(|key| Key::of(key, &input));
        let key = key.and_then(|key| findings.take(AdmissionRule::IdempotencyKey, key));
        let priority = input.priority.unwrap_or(0);
        if !(0..=MAX_PRIORITY).contains(&priority) {
            let message = format!("priority was {priority}; it must be between 0 and {MAX_PRIORITY}");
            findings.note(AdmissionRule::Priority, ApiError::bad_input("input.priority", message));
        }
        let SubmitJobInput { name, source, parameters, queue, overrides, .. } = input;
        if let Some(name) = &name {
            let checked =
                names::check_label(name).map_err(|error| ApiError::bad_input("input.name", error.to_string()));
            findings.take(AdmissionRule::Name, checked);
        }
        let default_queue = match source {
            JobSourceInput::CommitId(_) | JobSourceInput::TemplateId(_) => CONFIG_JOB,
            JobSourceInput::Spec(_) => DEFAULT_BATCH,
        };
        let queue = queue.unwrap_or_else(|| default_queue.to_owned());
        let found = self.queues.lookup(&queue).map_err(|unknown| {
            let shown: String = queue.chars().take(80).collect();
            ApiError::bad_input("input.queue", format!("there is no queue \"{shown}\": {unknown}"))
        });
        let preemptible = findings.take(AdmissionRule::Queue, found).is_some_and(|queue| queue.preemptible);
        let parameters = parameters.unwrap_or_default();
        Settings { key, name, priority, queue, preemptible, source, parameters, overrides }
    }

    /// The problems of a submit whose project is not known, so that neither a commit nor the quota can be read.
    fn without_project(&self, settings: Settings, mut findings: Findings) -> Findings {
        let field = settings.source.field();
        match settings.source {
            JobSourceInput::Spec(spec) => {
                let mut draft = of_spec(*spec, &mut findings);
                overridden(&mut draft, settings.overrides, &mut findings);
                self.check(&draft, field, &mut findings);
            }
            JobSourceInput::CommitId(id) => drop(findings.take(AdmissionRule::Source, id.at(field))),
            JobSourceInput::TemplateId(id) => drop(findings.take(AdmissionRule::Source, id.at(field))),
        }
        findings
    }

    /// Checks the final pods as a whole, whatever their parts come from.
    fn check(&self, draft: &Draft, field: &'static str, findings: &mut Findings) {
        for (rule, problem) in draft::check(draft, field, &self.gpus) {
            findings.note(rule, problem);
        }
        if let Err(why) = self.executor().check_gang(draft.task_count(), draft.gang()) {
            findings.note(AdmissionRule::Gang, ApiError::bad_input(field, why));
        }
    }
}

/// Applies the overrides.
fn overridden(draft: &mut Draft, overrides: Option<JobOverridesInput>, findings: &mut Findings) {
    if let Some(overrides) = overrides {
        match manifest::check_overrides(&overrides, draft) {
            Ok(()) => drop(findings.take_fields(draft.override_with(overrides))),
            Err(problem) => findings.note(AdmissionRule::Size, problem),
        }
    }
}

/// The claims of the project that the draft names, and what the caller may do with each.
async fn claims_of(
    conn: &mut AsyncPgConnection,
    caller: &Caller,
    project: &Project,
    draft: &Draft,
) -> Result<Vec<Mountable>, ApiError> {
    let named = draft::claims::named(draft);
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let user = caller.principal()?.user;
    let found = mountable::of_project(conn, project.id, &named, user).await?;
    let mountable = |(claim, granted): (Claim, StorageAccess)| {
        let scope = claim.scope(granted);
        let access = claim.access(|action| policy::check(caller, action, scope).is_ok());
        Mountable { id: claim.id, obstacle: claim.phase.obstacle(), name: claim.name, access }
    };
    Ok(found.into_iter().map(mountable).collect())
}

/// The checked parts of the input, and those that are still to be read.
struct Settings {
    key: Option<Key>,
    name: Option<String>,
    priority: i32,
    queue: String,
    preemptible: bool,
    source: JobSourceInput,
    parameters: Vec<JobParameterInput>,
    overrides: Option<JobOverridesInput>,
}

async fn find_project(
    conn: &mut AsyncPgConnection,
    caller: &Caller,
    id: ProjectId,
) -> Result<(Project, Permit), ApiError> {
    let not_found = || ApiError::not_found("project", id).at("input.projectId");
    let project = project_model::find(conn, id).await?.ok_or_else(not_found)?;
    let permit = policy::check(caller, Action::SubmitJob, Scope::within(project.group_id, id))
        .map_err(|error| error.at("input.projectId"))?;
    Ok((project, permit))
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
