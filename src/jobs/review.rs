//! Reviews a submit before anything is written: every rule is checked, and a submit that passes becomes a plan.

use diesel_async::AsyncPgConnection;

use super::admission::{AdmissionRule, Findings};
use super::draft::{self, Demand, Door, Draft, Placement, from_yaml, manifest};
use super::input::{JobOverridesInput, JobSpecInput, Source, SubmitJobInput};
use super::model::manifest::Manifest;
use super::model::submit::{self, Quota};
use super::quota::QuotaResource;
use super::service::Submitter;
use crate::auth::policy::{self, Action, Permit, Scope};
use crate::auth::principal::Caller;
use crate::change::Key;
use crate::cluster::crd::FlashJob;
use crate::cluster::names;
use crate::configs::model::submittable;
use crate::error::{ApiError, ApiErrors, Code, Problems};
use crate::ids::{CommitId, JobId, ProjectId, UserId};
use crate::projects::model::{self as project_model, Project};

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
    /// Its tasks and rules.
    pub draft: Draft,
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
    /// The project's limits with usage and requests.
    pub fn all(quota: Option<&Quota>, used: Demand, jobs: i64, wanted: Demand) -> Vec<Self> {
        let room = |resource, limit, used, requested| Self { resource, limit, used, requested };
        let gpu = quota.and_then(|quota| quota.gpu).map(i64::from);
        let cpu = quota.and_then(|quota| quota.cpu_millis);
        let memory = quota.and_then(|quota| quota.memory_bytes);
        let unfinished = quota.and_then(|quota| quota.concurrent_jobs).map(i64::from);
        vec![
            room(QuotaResource::Gpu, gpu, used.gpu, wanted.gpu),
            room(QuotaResource::Cpu, cpu, used.cpu_millis, wanted.cpu_millis),
            room(QuotaResource::Memory, memory, used.memory_bytes, wanted.memory_bytes),
            room(QuotaResource::Jobs, unfinished, jobs, 1),
        ]
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
                let message =
                    format!("the project's limit is {limit} {unit}; it uses {used} and this job requests {requested}");
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
    pub async fn review(&self, caller: &Caller, mut input: SubmitJobInput) -> Result<Review, ApiErrors> {
        let user = caller.principal()?.user;
        let mut findings = Findings::default();
        findings.skip(&[AdmissionRule::Cluster]);
        let settings = self.settings(&mut input, &mut findings);
        let project = match input.project_id.at("input.projectId") {
            Ok(project) => project,
            Err(problem) => return Err(problem.and_of(self.without_project(settings, findings).before_quota())),
        };
        let Settings { key, name, priority, queue, preemptible, source, overrides } = settings;
        let mut conn = self.db.connection().await?;
        let (project, permit) = find_project(&mut conn, caller, project).await?;

        let (field, commit, found) = match source {
            Some(Source::Commit(id, field)) => match findings.take(AdmissionRule::Source, id.at(field)) {
                Some(commit) => {
                    let found = of_commit(&mut conn, caller, project.id, (commit, field), &mut findings).await?;
                    (field, Some(commit), found)
                }
                None => (field, None, None),
            },
            Some(Source::Spec(spec, door)) => (door.root(), None, Some(of_spec(*spec, door, &mut findings))),
            None => ("input.source", None, None),
        };
        if found.is_none() {
            findings.skip(&OF_DRAFT);
        }
        let mut draft = found.unwrap_or_default();
        self.complete(&mut draft, overrides, field, &mut findings);

        let demand = if findings.has_failed(&OF_DEMAND) { Demand::default() } else { draft.demand(&self.gpus) };
        let quota = submit::quota(&mut conn, project.id).await?;
        let (used, jobs) = submit::usage(&mut conn, project.id).await?;
        let rooms = Room::all(quota.as_ref(), used, jobs, demand);
        if findings.has_failed(&OF_DEMAND) {
            findings.skip(&[AdmissionRule::Quota]);
        }
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
            scheduler: &self.scheduler,
        };
        let manifest = manifest::flash_job(&mut draft, &placement)?;
        findings.take(AdmissionRule::Size, manifest::check_size(&manifest, field));
        if !findings.are_none() {
            return Ok(Review { findings, rooms, warnings: Vec::new(), planned: None });
        }
        for room in &rooms {
            findings.take(AdmissionRule::Quota, room.check());
        }
        let name = name.or_else(|| draft.name.clone()).unwrap_or_else(|| "job".to_owned());
        let planned =
            Planned { id, user, permit, manifest, demand, name, queue, priority, field, commit, draft, key, project };
        Ok(Review { findings, rooms, warnings: Vec::new(), planned: Some(planned) })
    }

    /// Checks the parts of the input that depend on neither the project nor the source.
    fn settings(&self, input: &mut SubmitJobInput, findings: &mut Findings) -> Settings {
        let key = input.idempotency_key.as_deref().map(|key| Key::of(key, input));
        let key = key.and_then(|key| findings.take(AdmissionRule::IdempotencyKey, key));
        let priority = input.priority.unwrap_or(0);
        if !(0..=MAX_PRIORITY).contains(&priority) {
            let message = format!("priority was {priority}; it must be between 0 and {MAX_PRIORITY}");
            findings.note(AdmissionRule::Priority, ApiError::bad_input("input.priority", message));
        }
        let name = input.name.take();
        if let Some(name) = &name {
            let checked =
                names::check_label(name).map_err(|error| ApiError::bad_input("input.name", error.to_string()));
            findings.take(AdmissionRule::Name, checked);
        }
        let source = findings.take(AdmissionRule::Source, input.take_source());
        let default_queue = if matches!(source, Some(Source::Commit(..))) { CONFIG_JOB } else { DEFAULT_BATCH };
        let queue = input.queue.take().unwrap_or_else(|| default_queue.to_owned());
        let found = self.queues.lookup(&queue).map_err(|unknown| {
            let shown: String = queue.chars().take(80).collect();
            ApiError::bad_input("input.queue", format!("there is no queue \"{shown}\": {unknown}"))
        });
        let preemptible = findings.take(AdmissionRule::Queue, found).is_some_and(|queue| queue.preemptible);
        Settings { key, name, priority, queue, preemptible, source, overrides: input.overrides.take() }
    }

    /// The problems of a submit whose project is not known, so that neither a commit nor the quota can be read.
    fn without_project(&self, settings: Settings, mut findings: Findings) -> Findings {
        match settings.source {
            Some(Source::Spec(spec, door)) => {
                let mut draft = of_spec(*spec, door, &mut findings);
                self.complete(&mut draft, settings.overrides, door.root(), &mut findings);
            }
            Some(Source::Commit(id, field)) => drop(findings.take(AdmissionRule::Source, id.at(field))),
            None => {}
        }
        findings
    }

    /// Applies the overrides. Whatever its parts come from, the final pods are checked as a whole.
    fn complete(
        &self,
        draft: &mut Draft,
        overrides: Option<JobOverridesInput>,
        field: &'static str,
        findings: &mut Findings,
    ) {
        if let Some(overrides) = overrides {
            match manifest::check_overrides(&overrides, draft) {
                Ok(()) => drop(findings.take_fields(draft.override_with(overrides))),
                Err(problem) => findings.note(AdmissionRule::Size, problem),
            }
        }
        for (rule, problem) in draft::check(draft, field, &self.gpus) {
            findings.note(rule, problem);
        }
    }
}

/// The checked parts of the input, and those that are still to be read.
struct Settings {
    key: Option<Key>,
    name: Option<String>,
    priority: i32,
    queue: String,
    preemptible: bool,
    source: Option<Source>,
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

/// The draft of a spec; problems with its own fields are recorded.
fn of_spec(spec: JobSpecInput, door: Door, findings: &mut Findings) -> Draft {
    let mut problems = Problems::default();
    let draft = Draft::of_spec(spec, door, &mut problems);
    findings.take_fields(problems.finish());
    draft
}

/// The draft of a commit; problems with its YAML are recorded at the input field that it was given in.
async fn of_commit(
    conn: &mut AsyncPgConnection,
    caller: &Caller,
    project: ProjectId,
    (commit, field): (CommitId, &'static str),
    findings: &mut Findings,
) -> Result<Option<Draft>, ApiError> {
    let not_found = || ApiError::not_found("commit", commit).at(field);
    let source = submittable(conn, commit).await?.ok_or_else(not_found)?;
    policy::check(caller, Action::ViewCommit, Scope::within(source.group, commit)).map_err(|_| not_found())?;
    let drafted = if source.project == project {
        // Parsing a megabyte of YAML takes a while.
        let drafted = move || from_yaml(&source.yaml, field);
        tokio::task::spawn_blocking(drafted).await.map_err(ApiError::internal)?
    } else {
        Err(ApiError::bad_input(field, "the commit belongs to another project").into())
    };
    Ok(findings.take_fields(drafted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_beyond_the_quota_is_refused_with_the_numbers() {
        let quota = Quota { gpu: Some(8), cpu_millis: None, memory_bytes: None, concurrent_jobs: Some(10) };
        let demand = |gpu| Demand { gpu, ..Demand::default() };
        let refused = |used, jobs, wanted| {
            let rooms = Room::all(Some(&quota), demand(used), jobs, demand(wanted));
            rooms
                .iter()
                .filter_map(|room| room.check().err())
                .map(|error| error.to_string())
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(refused(6, 3, 2), "");
        insta::assert_snapshot!(refused(6, 10, 3), @r"
        the project's limit is 8 GPUs; it uses 6 and this job requests 3
        the project's limit is 10 unfinished jobs; it uses 10 and this job requests 1
        ");
    }
}
