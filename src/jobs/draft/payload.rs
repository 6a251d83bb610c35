//! The job in a config commit: the single Pod, Job or FlashJob among its YAML documents.

use super::changes::dns_name;
use super::{Draft, TaskGroup};
use crate::cluster::objects::{self, Object, Tasks, Workload};
use crate::cluster::yaml::{self, Node, Problem};
use crate::error::{ApiError, ApiErrors};

/// The kinds that can be run, as phrased in an error message.
const RUNNABLE: &str = "Pod, Job or FlashJob";

/// The draft of the single document in `yaml` that can be run; documents of other kinds are ignored. Config files are
/// parsed in the same way when they are created, so a saved file can always be read.
///
/// # Errors
/// `BAD_USER_INPUT` at `field` if there is none, or more than one, and for every part of it that is invalid for its
/// kind or that the platform does not implement.
pub fn from_yaml(yaml: &str, field: &'static str) -> Result<Draft, ApiErrors> {
    let refused = |message: String| ApiErrors::from(ApiError::bad_input(field, message));
    let documents =
        yaml::read(yaml).map_err(|error| ApiError::bad_input(field, error.to_string()).placed(error.place()))?;
    let mut runnable = Vec::new();
    for (index, node) in documents.iter().enumerate() {
        match objects::kind_of(node) {
            Ok(objects::Kind::Workflow) => {
                return Err(refused(format!("the config contains a Workflow; submitJob runs a {RUNNABLE}")));
            }
            Ok(kind) if kind.runs() => runnable.push((index + 1, kind, node)),
            Ok(_) => {}
            Err(problem) => {
                let message = format!("document {}: {problem}", index + 1);
                return Err(ApiError::bad_input(field, message).placed(Some(problem.place)).into());
            }
        }
    }
    let (number, kind, node) = match runnable.as_slice() {
        [] => return Err(refused(format!("the config contains no {RUNNABLE} to run"))),
        [one] => *one,
        several => {
            let count = several.len();
            return Err(refused(format!(
                "the config contains {count} documents to run; it must contain exactly one {RUNNABLE}"
            )));
        }
    };
    let told = |problems: Vec<Problem>| {
        let title = format!("document {number}, {}", objects::title(kind, node));
        let one =
            |problem: &Problem| ApiError::bad_input(field, format!("{title}: {problem}")).placed(Some(problem.place));
        ApiErrors(problems.iter().map(one).collect())
    };
    let workload = read(kind, node).map_err(told)?;
    workload.map(draft).ok_or_else(|| refused(format!("the config contains no {RUNNABLE} to run")))
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
        insta::assert_snapshot!(message("apiVersion: v1\nkind: ConfigMap"), @"the config contains no Pod, Job or FlashJob to run");
        insta::assert_snapshot!(message(&format!("{POD}---\n{POD}")), @"the config contains 2 documents to run; it must contain exactly one Pod, Job or FlashJob");
        insta::assert_snapshot!(message("apiVersion: argoproj.io/v1alpha1\nkind: Workflow"), @"the config contains a Workflow; submitJob runs a Pod, Job or FlashJob");
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
