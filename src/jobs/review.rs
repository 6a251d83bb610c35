//! Reviews a submit before anything is written: every rule is checked, and a submit that passes becomes a plan.

use std::collections::BTreeMap;

use diesel_async::AsyncPgConnection;

use super::admission::{AdmissionRule, Findings};
use super::draft::claims::{Mountable, Mounts};
use super::draft::{self, Demand, Draft, Placement, manifest};
use super::input::{JobOverridesInput, JobParameterInput, JobSourceInput, SubmitJobInput};
use super::model::earlier::Earlier;
use super::model::manifest::Manifest;
use super::model::submit;
use super::opening::{beginning, deadline};
use super::priority;
use super::room::Room;
use super::service::Submitter;
use super::sources::{Sourced, of_spec};
use crate::auth::policy::{self, Action, Permit, Scope, StorageAccess};
use crate::auth::principal::Caller;
use crate::change::Key;
use crate::cluster::crd::FlashJob;
use crate::cluster::names;
use crate::error::{ApiError, ApiErrors};
use crate::executor::ExecutorMode;
use crate::ids::{CommitId, ConfigId, JobId, ProjectId, UserId};
use crate::projects::model::limits;
use crate::projects::model::schedule;
use crate::projects::model::{self as project_model, Project};
use crate::queues::model as queues;
use crate::storage::model::{Claim, mountable};

/// Queues that the platform creates itself.
const DEFAULT_BATCH: &str = "default-batch";
const CONFIG_JOB: &str = "configfile-job";

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
    /// The job that it is a retry of.
    pub retried_from: Option<JobId>,
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

impl Submitter {
    /// Reviews a submit; changes nothing.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`; `NOT_FOUND` for a project or commit that the caller may not see; `BAD_USER_INPUT` for an invalid
    /// project ID, together with all problems that can be found without the project; the database's.
    pub async fn review(&self, caller: &Caller, input: SubmitJobInput) -> Result<Review, ApiErrors> {
        caller.principal()?;
        let mut findings = Findings::default();
        findings.skip(&[AdmissionRule::Cluster]);
        let project = input.project_id.at("input.projectId");
        let settings = self.settings(input, &mut findings);
        match project {
            Ok(project) => self.review_in(project, caller, settings, findings).await,
            Err(problem) => Err(problem.and_of(self.without_project(settings, findings).before_quota())),
        }
    }

    /// Reviews another job like an earlier one, which `permit` allows to submit; changes nothing.
    ///
    /// # Errors
    /// As [`Submitter::review`].
    pub async fn review_again(
        &self,
        caller: &Caller,
        earlier: Earlier,
        permit: Permit,
        key: Option<Key>,
    ) -> Result<Review, ApiErrors> {
        let mut findings = Findings::default();
        findings.skip(&[AdmissionRule::Cluster]);
        let (project, job) = (earlier.job.project_id, &earlier.job);
        let settings = Settings {
            key,
            name: Some(job.name.clone()),
            priority: job.priority,
            queue: job.queue.clone(),
            preemptible: self.is_preemptible(&job.queue, &mut findings),
            source: Source::Earlier(Box::new(earlier), permit),
            parameters: Vec::new(),
            overrides: None,
        };
        self.review_in(project, caller, settings, findings).await
    }

    async fn review_in(
        &self,
        project: ProjectId,
        caller: &Caller,
        settings: Settings,
        mut findings: Findings,
    ) -> Result<Review, ApiErrors> {
        let user = caller.principal()?.user;
        let Settings { key, name, priority, queue, preemptible, source, parameters, overrides } = settings;
        let mut conn = self.db.connection().await?;
        let (project, mut permit) = find_project(&mut conn, caller, project).await?;
        if !findings.has_failed(&[AdmissionRule::Queue]) {
            findings.take(AdmissionRule::Queue, self.check_queue(caller, &project, &queue));
        }

        let field = source.field();
        let mut retried_from = None;
        let sourced = match source {
            Source::Earlier(earlier, granted) => {
                (permit, retried_from) = (granted, Some(earlier.job.id));
                Sourced::of_earlier(&mut conn, &earlier).await?
            }
            Source::Input(source) => {
                self.sourced(&mut conn, (caller, project.id), (source, parameters), &mut findings).await?
            }
        };
        let Sourced { commit, config_file, parameters, draft: found } = sourced;
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
        let is_queue = !findings.has_failed(&[AdmissionRule::Queue]);
        let pause = if is_queue { queues::pause(&mut conn, &queue).await? } else { None };
        let (closed, warnings) = beginning(&project, schedule::find(&mut conn, project.id).await?, pause.as_ref());
        let id = JobId::generate();
        let placement = Placement {
            job: id,
            project: project.id,
            user,
            commit,
            namespace: &project.namespace,
            // A name that matches no queue can have any length.
            queue: if is_queue { &queue } else { DEFAULT_BATCH },
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
            retried_from,
        };
        Ok(Review { findings, rooms, warnings, planned: Some(planned) })
    }

    /// Checks the parts of the input that depend on neither the project nor the source.
    fn settings(&self, input: SubmitJobInput, findings: &mut Findings) -> Settings {
        let key = input.idempotency_key.as_deref().map(|key| Key::of(key, &input));
        let key = key.and_then(|key| findings.take(AdmissionRule::IdempotencyKey, key));
        let priority = input.priority.unwrap_or(0);
        findings.take(AdmissionRule::Priority, priority::check(priority));
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
        let preemptible = self.is_preemptible(&queue, findings);
        let (source, parameters) = (Source::Input(source), parameters.unwrap_or_default());
        Settings { key, name, priority, queue, preemptible, source, parameters, overrides }
    }

    /// Whether the running jobs of the queue can be preempted; a queue that does not exist is recorded.
    fn is_preemptible(&self, queue: &str, findings: &mut Findings) -> bool {
        let found = self.queues.lookup(queue).map_err(|unknown| {
            let shown: String = queue.chars().take(80).collect();
            ApiError::bad_input("input.queue", format!("there is no queue \"{shown}\": {unknown}"))
        });
        findings.take(AdmissionRule::Queue, found).is_some_and(|queue| queue.preemptible)
    }

    /// Whether the caller may submit jobs of the project to the queue.
    ///
    /// # Errors
    /// `FORBIDDEN` with the queues that they may submit to.
    fn check_queue(&self, caller: &Caller, project: &Project, queue: &str) -> Result<(), ApiError> {
        let check = |queue: &str| {
            let scope = Scope::within(project.group_id, project.id).queue(self.queues.role(queue));
            policy::check(caller, Action::SubmitToQueue, scope)
        };
        let Err(mut refused) = check(queue) else { return Ok(()) };
        let open: Vec<String> =
            self.queues.all().into_iter().map(|(name, _)| name).filter(|name| check(name).is_ok()).collect();
        let (users, open) = (policy::users_of(self.queues.role(queue)), open.join(", "));
        refused.message = format!("only {users} can submit to the queue {queue}; you can submit to {open}").into();
        Err(refused.at("input.queue"))
    }

    /// The problems of a submit whose project is not known, so that neither a commit nor the quota can be read.
    fn without_project(&self, settings: Settings, mut findings: Findings) -> Findings {
        let field = settings.source.field();
        match settings.source {
            Source::Input(JobSourceInput::Spec(spec)) => {
                let mut draft = of_spec(*spec, &mut findings);
                overridden(&mut draft, settings.overrides, &mut findings);
                self.check(&draft, field, &mut findings);
            }
            Source::Input(JobSourceInput::CommitId(id)) => drop(findings.take(AdmissionRule::Source, id.at(field))),
            Source::Input(JobSourceInput::TemplateId(id)) => drop(findings.take(AdmissionRule::Source, id.at(field))),
            Source::Earlier(..) => {}
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
    source: Source,
    parameters: Vec<JobParameterInput>,
    overrides: Option<JobOverridesInput>,
}

/// What a job is made from.
enum Source {
    /// What the input says.
    Input(JobSourceInput),
    /// An earlier job, with the permission to make another like it.
    Earlier(Box<Earlier>, Permit),
}

impl Source {
    /// The input field of the source.
    const fn field(&self) -> &'static str {
        match self {
            Self::Input(source) => source.field(),
            Self::Earlier(..) => "input.id",
        }
    }
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
