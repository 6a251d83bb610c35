//! The job in a config commit: the single Pod, Job or FlashJob among its YAML documents.

use std::collections::BTreeMap;

use super::changes::dns_name;
use super::{Draft, TaskGroup};
use crate::cluster::objects::{self, Object, Tasks, Workload, check};
use crate::cluster::parameters::{self, Insertion, Refused, Values};
use crate::cluster::yaml::{self, Node, Problem};
use crate::config::GpuResources;
use crate::error::{ApiError, ApiErrors};
use crate::jobs::input::JobParameterInput;

/// The kinds that can be run, as phrased in an error message.
const RUNNABLE: &str = "Pod, Job or FlashJob";

/// The job of a template, with the values of its parameters.
#[derive(Debug, Clone)]
pub struct Filled {
    /// The job.
    pub draft: Draft,
    /// The value of each declared parameter.
    pub parameters: BTreeMap<String, String>,
}

/// The draft of the single document in `yaml` that can be run, with the defaults of its parameters.
///
/// # Errors
/// Those of [`from_template`].
pub fn from_yaml(yaml: &str, field: &'static str) -> Result<Draft, ApiErrors> {
    from_template(yaml, field, &[], &GpuResources::default()).map(|filled| filled.draft)
}

/// The draft of the single document in `yaml` that can be run, with these values for its parameters; documents of other
/// kinds are ignored. Config files are parsed in the same way when they are created, so a saved file can always be read.
/// `gpus` says which devices the platform counts.
///
/// # Errors
/// `BAD_USER_INPUT` at `field` if there is no such document, or more than one, and for every part of it that is invalid
/// for its kind or that the platform does not implement; at `input.parameters` for every value that is missing, unknown
/// or not of the type of the parameter.
pub fn from_template(
    yaml: &str,
    field: &'static str,
    given: &[JobParameterInput],
    gpus: &GpuResources,
) -> Result<Filled, ApiErrors> {
    let placed = |what: String, place| ApiError::bad_input(field, what).placed(Some(place));
    let documents =
        yaml::read(yaml).map_err(|error| ApiError::bad_input(field, error.to_string()).placed(error.place()))?;
    let (number, kind, node) = only_runnable(&documents, field)?;
    let title = || format!("document {number}, {}", objects::title(kind, node));
    let told = |problems: Vec<Problem>| {
        let title = title();
        let one = |problem: &Problem| placed(format!("{title}: {problem}"), problem.place);
        ApiErrors(problems.iter().map(one).collect())
    };
    let parameters = parameters::declared(yaml)
        .map_err(|found| ApiErrors(found.iter().map(|problem| placed(problem.to_string(), problem.place)).collect()))?;
    let given: Vec<_> = given.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
    let values = Values::given(&parameters, &given).map_err(refused)?;
    let Insertion { node, problems, is_template, .. } = Insertion::of(node, &values);
    if !problems.is_empty() {
        return Err(told(problems));
    }
    // It was checked with other values when it was saved.
    if is_template {
        let problems = check::problems(kind, &node, gpus);
        if !problems.is_empty() {
            return Err(told(problems));
        }
    }
    let workload = read(kind, &node).map_err(told)?;
    let draft = workload.map(draft).ok_or_else(|| ApiError::bad_input(field, nothing_to_run(&[])))?;
    let parameters = values.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Filled { draft, parameters })
}

/// The problems with values of parameters, at the fields that they are given in.
fn refused(refused: Vec<(Refused, String)>) -> ApiErrors {
    let one = |(at, what): (Refused, String)| match at {
        Refused::Name(index) => ApiError::bad_input(format!("input.parameters.{index}.name"), what),
        Refused::Value(index) => ApiError::bad_input(format!("input.parameters.{index}.value"), what),
        Refused::Whole => ApiError::bad_input("input.parameters", what),
    };
    ApiErrors(refused.into_iter().map(one).collect())
}

/// The only document that can be run: its number, its kind, and itself.
fn only_runnable<'n>(
    documents: &'n [Node],
    field: &'static str,
) -> Result<(usize, objects::Kind, &'n Node), ApiErrors> {
    let refused = |message: String| ApiErrors::from(ApiError::bad_input(field, message));
    let (mut runnable, mut others) = (Vec::new(), Vec::new());
    for (index, node) in documents.iter().enumerate() {
        match objects::kind_of(node) {
            Ok(kind) if kind.runs() => runnable.push((index + 1, kind, node)),
            Ok(kind) => others.push(kind),
            Err(problem) => {
                let message = format!("document {}: {problem}", index + 1);
                return Err(ApiError::bad_input(field, message).placed(Some(problem.place)).into());
            }
        }
    }
    if others.contains(&objects::Kind::Workflow) {
        let message = format!("the config contains a Workflow; submitJob runs a {RUNNABLE}, and no Workflow yet");
        return Err(refused(message));
    }
    match runnable.as_slice() {
        [] => Err(refused(nothing_to_run(&others))),
        [one] => Ok(*one),
        several => {
            let count = several.len();
            Err(refused(format!(
                "the config contains {count} documents to run; it must contain exactly one {RUNNABLE}"
            )))
        }
    }
}

/// Why a config with documents of these kinds only cannot be run, and what to use instead.
fn nothing_to_run(kinds: &[objects::Kind]) -> String {
    use objects::Kind;
    let advice = |kind: &Kind| match kind {
        Kind::CronJob => Some(
            "a CronJob is a schedule: save the Job of its spec.jobTemplate in a config file of its own, and submit it whenever it is due, for example from a script with an API token",
        ),
        Kind::Deployment => Some(
            "a Deployment keeps its pods running, and a job ends: for work that ends, put its spec.template into a Job whose parallelism is the number of replicas",
        ),
        Kind::Service | Kind::Ingress => Some(
            "a Service or an Ingress leads to pods and has none of its own: submit the Job, Pod or FlashJob with the pods that it leads to",
        ),
        Kind::ConfigMap => {
            Some("a ConfigMap is read by pods and has none of its own: submit the Job, Pod or FlashJob that uses it")
        }
        Kind::PersistentVolumeClaim => Some(
            "a PersistentVolumeClaim has no pods: create a storage claim with createPvc, and mount it with overrides.mounts",
        ),
        Kind::Pod | Kind::Job | Kind::FlashJob | Kind::Workflow => None,
    };
    let mut advices: Vec<&str> = Vec::new();
    for advice in kinds.iter().filter_map(advice) {
        if !advices.contains(&advice) {
            advices.push(advice);
        }
    }
    let sentences = std::iter::once(format!("the config contains no {RUNNABLE} to run"))
        .chain(advices.into_iter().map(str::to_owned));
    sentences.collect::<Vec<_>>().join("; ")
}

/// The draft of a document that can be run; `None` if the platform cannot run it as it is.
pub(crate) fn draft_of(kind: objects::Kind, node: &Node) -> Option<Draft> {
    read(kind, node).ok().flatten().map(draft)
}

fn read(kind: objects::Kind, node: &Node) -> Result<Option<Workload>, Vec<Problem>> {
    Workload::of(Object::read(kind, node)?, node)
}

fn draft(workload: Workload) -> Draft {
    Draft {
        name: workload.name.map(|name| dns_name(&name)),
        tasks: match workload.tasks {
            Tasks::Equal(template, count) => vec![TaskGroup { template: *template, count }],
            Tasks::Each(tasks) => TaskGroup::of_tasks(tasks),
        },
        min_available: workload.min_available,
        deadline_seconds: workload.deadline_seconds,
        ttl_seconds: workload.ttl_seconds,
        retries: workload.retries,
        indexed: workload.indexed,
        ..Draft::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(yaml: &str) -> String {
        from_yaml(yaml, "input.source.commitId").unwrap_err().to_string()
    }

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: Train}\nspec: {containers: [{name: a, image: b}]}\n";

    #[test]
    fn a_pod_is_a_job_of_one_task() {
        let draft = from_yaml(POD, "input.source.commitId").unwrap();
        assert_eq!((draft.name.as_deref(), draft.task_count(), draft.gang()), (Some("train"), 1, 1));
    }

    #[test]
    fn a_batch_job_s_parallelism_becomes_that_many_tasks() {
        let yaml = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: sweep}\nspec:\n  parallelism: 3\n  activeDeadlineSeconds: 60\n  template: {spec: {containers: [{name: a, image: b}]}}\n";
        let draft = from_yaml(yaml, "input.source.commitId").unwrap();
        assert_eq!((draft.task_count(), draft.gang(), draft.deadline_seconds, draft.retries), (3, 3, Some(60), 0));
    }

    #[test]
    fn what_cannot_be_run_is_said() {
        insta::assert_snapshot!(message("apiVersion: v1\nkind: ConfigMap"), @"the config contains no Pod, Job or FlashJob to run; a ConfigMap is read by pods and has none of its own: submit the Job, Pod or FlashJob that uses it");
        insta::assert_snapshot!(message(&format!("{POD}---\n{POD}")), @"the config contains 2 documents to run; it must contain exactly one Pod, Job or FlashJob");
        insta::assert_snapshot!(message("apiVersion: argoproj.io/v1alpha1\nkind: Workflow"), @"the config contains a Workflow; submitJob runs a Pod, Job or FlashJob, and no Workflow yet");
        let job = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: batch/v1\nkind: Job\nspec:\n  paralelism: 2\n  template: {spec: {containers: [{name: a}]}}";
        insta::assert_snapshot!(message(job), @r#"document 2, Job: line 7, column 3: spec.paralelism is not a field of a job spec; did you mean "parallelism"?"#);
        insta::assert_snapshot!(message(&job.replace("paralelism: 2", "parallelism: -1")), @"document 2, Job: line 7, column 3: spec.parallelism was -1; it must be between 1 and 256");
    }

    #[test]
    fn an_indexed_job_and_a_gang_of_equal_tasks_are_one_group_each() {
        let indexed = "apiVersion: batch/v1\nkind: Job\nspec: {completionMode: Indexed, completions: 3, parallelism: 3, template: {spec: {containers: [{name: a}]}}}";
        let draft = from_yaml(indexed, "input.source.commitId").unwrap();
        assert_eq!((draft.tasks.len(), draft.tasks[0].count, draft.indexed), (1, 3, true));
        let gang = "apiVersion: scheduling.flash-sched.io/v1alpha1\nkind: FlashJob\nspec:\n  minAvailable: 3\n  tasks: [&w {spec: {containers: [{name: a}]}}, *w, *w]";
        let draft = from_yaml(gang, "input.source.commitId").unwrap();
        assert_eq!((draft.tasks.len(), draft.tasks[0].count, draft.gang(), draft.indexed), (1, 3, 3, false));
    }
}
