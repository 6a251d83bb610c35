//! The cluster's own verdict on a submit, from a dry run of the object and its pods.

use super::admission::AdmissionRule;
use super::review::{Planned, Review};
use super::service::Submitter;
use crate::cluster::names;
use crate::error::ApiError;
use crate::executor::{Objection, Part, Target};

/// Maximum number of objections reported per job.
const MOST_TOLD: usize = 50;

impl Submitter {
    /// Asks the cluster about the planned job and adds its verdict and its warnings to the review. Without a plan there
    /// is nothing to ask.
    ///
    /// # Errors
    /// The planned object is not a FlashJob.
    pub async fn ask_cluster(&self, review: &mut Review) -> Result<(), ApiError> {
        let Some(planned) = &review.planned else { return Ok(()) };
        let job = planned.flash_job()?;
        let field = planned.field;
        match self.executor().dry_run(&target(planned), &job, Part::Whole).await {
            Ok(trial) => {
                review.warnings.extend(trial.warnings);
                review.findings.settle(AdmissionRule::Cluster);
                let sentences = trial.objections.iter().flat_map(sentences);
                for sentence in sentences.take(MOST_TOLD) {
                    review.findings.note(AdmissionRule::Cluster, ApiError::bad_input(field, sentence));
                }
            }
            Err(error) => {
                tracing::info!(%error, "the cluster could not be asked about a job");
                let sentence = format!("the cluster could not be asked: {error}");
                review.findings.leave_open(AdmissionRule::Cluster, sentence);
            }
        }
        Ok(())
    }
}

fn target(planned: &Planned) -> Target {
    Target {
        job: planned.id,
        project: planned.project.id,
        namespace: planned.project.namespace.clone(),
        name: names::job_object(planned.id),
    }
}

/// One message for each field that the cluster names, or the cluster's message as it is.
pub(super) fn sentences(objection: &Objection) -> Vec<String> {
    let what = match objection.task {
        Some(task) => format!("the pod of task {task}"),
        None => "the job's object".to_owned(),
    };
    let refusal = &objection.refusal;
    if refusal.causes.is_empty() {
        return vec![format!("the cluster refuses {what}: {}", refusal.message)];
    }
    let of_cause =
        |cause: &crate::cluster::error::Cause| format!("the cluster refuses {what}: {}: {}", cause.path, cause.message);
    refusal.causes.iter().map(of_cause).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::error::{Cause, Refusal};

    #[test]
    fn an_objection_is_told_with_the_task_and_each_field_that_the_cluster_names() {
        let cause = |path: &str| Cause { path: path.to_owned(), message: "Invalid value: -1".to_owned() };
        let refusal = Refusal { message: "it is invalid".to_owned(), causes: vec![cause("spec.a"), cause("spec.b")] };
        let of_pod = Objection { task: Some(3), is_final: true, refusal };
        let of_object = Objection { task: None, is_final: false, refusal: "a policy says no".to_owned().into() };
        let told: Vec<_> = [of_pod, of_object].iter().flat_map(sentences).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        the cluster refuses the pod of task 3: spec.a: Invalid value: -1
        the cluster refuses the pod of task 3: spec.b: Invalid value: -1
        the cluster refuses the job's object: a policy says no
        ");
    }
}
