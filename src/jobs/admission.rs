//! The rules of admission for a submit, each with its verdict: `submitJob` fails on them and `previewJob` shows them.

use async_graphql::{Enum, SimpleObject};

use crate::error::{ApiError, ApiErrors};
use crate::graphql::limits::directives::assumed_list;

/// A rule that a job must satisfy to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum)]
pub enum AdmissionRule {
    /// `idempotencyKey` has 1 to 200 characters.
    IdempotencyKey,
    /// `name` is a DNS label: 1 to 63 lowercase letters, digits and hyphens.
    Name,
    /// `priority` is between 0 and 1000.
    Priority,
    /// `queue` is the name of a queue in the cluster, and one that your role in the group lets you submit to.
    Queue,
    /// `source` describes something that can be run: a spec, or a commit of the project with a single Pod, Job or
    /// FlashJob.
    Source,
    /// Every container has an image, and each image is a valid image reference.
    Image,
    /// The command, arguments, working directory and environment variables are valid.
    Container,
    /// Resource amounts are valid, non-negative quantities of known resources, and requests do not exceed limits.
    Resources,
    /// You have access to every claim, and each mount refers to an existing volume at an absolute path that no other
    /// mount uses.
    Mounts,
    /// All other fields of the pod are valid in Kubernetes: names, labels, ports, probes, volumes, placement.
    Pod,
    /// The number of tasks is between 1 and 256, and not lower than the number of tasks that must start together.
    Gang,
    /// The deadline, the time to live and the number of retries are within their limits.
    Lifetime,
    /// No pod asks for anything that could harm its node or other pods: no privileged mode, host namespaces, host
    /// paths, added capabilities or service account tokens. GPU requests and limits are equal.
    PodSafety,
    /// The manifest of the job, including all tasks, is at most 1500000 bytes of JSON, so that the cluster can store
    /// it.
    Size,
    /// The total resources of all tasks fit into the project's remaining quota.
    Quota,
    /// The project is not archived, and a window of its schedule is open or jobs wait for one.
    Project,
    /// The cluster accepts the job and its pods. The cluster is asked with a dry run, which passes the same admission
    /// (Pod Security, limits, policies, webhooks) as a real request. Only checked by `previewJob`.
    Cluster,
}

/// The rules that depend on what happens in the project at the same time.
const UNDER_LOCK: [AdmissionRule; 2] = [AdmissionRule::Quota, AdmissionRule::Project];

impl AdmissionRule {
    /// Every rule, in the order of the verdicts.
    pub const ALL: [Self; 17] = [
        Self::IdempotencyKey,
        Self::Name,
        Self::Priority,
        Self::Queue,
        Self::Source,
        Self::Image,
        Self::Container,
        Self::Resources,
        Self::Mounts,
        Self::Pod,
        Self::Gang,
        Self::Lifetime,
        Self::PodSafety,
        Self::Size,
        Self::Quota,
        Self::Project,
        Self::Cluster,
    ];

    /// The rule that applies to a part of a pod template, such as `spec.containers[0].resources.limits.cpu`.
    pub(super) fn of_pod_path(path: &str) -> Self {
        let Some(pod) = path.strip_prefix("spec.") else { return Self::Pod };
        let names = |text: &str| text.split(['.', '[']).next().unwrap_or_default().to_owned();
        let inside = match names(pod).as_str() {
            "containers" | "initContainers" => {
                pod.split_once("].").map(|(_, inside)| names(inside)).unwrap_or_default()
            }
            "resources" | "resourceClaims" | "overhead" => return Self::Resources,
            _ if pod.contains(".emptyDir.sizeLimit") => return Self::Resources,
            _ => return Self::Pod,
        };
        match inside.as_str() {
            "image" => Self::Image,
            "command" | "args" | "workingDir" | "env" | "envFrom" => Self::Container,
            "resources" => Self::Resources,
            "volumeMounts" | "volumeDevices" => Self::Mounts,
            _ => Self::Pod,
        }
    }

    /// The rule that applies to a field of a spec or of overrides, such as `input.source.spec.resources.gpu`.
    fn of_field(field: &str) -> Self {
        let inside = field.strip_prefix("input.source.").or_else(|| field.strip_prefix("input.")).unwrap_or_default();
        let name = inside.split('.').nth(1).unwrap_or_default();
        match name {
            "image" => Self::Image,
            "command" | "args" | "workingDir" | "env" => Self::Container,
            "resources" => Self::Resources,
            "mounts" => Self::Mounts,
            "replicas" | "minAvailable" => Self::Gang,
            "activeDeadlineSeconds" | "ttlSecondsAfterFinished" | "retries" => Self::Lifetime,
            _ => Self::Source,
        }
    }
}

/// The outcome of checking an admission rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum AdmissionOutcome {
    /// The rule is satisfied.
    Passed,
    /// The rule is not satisfied: `submitJob` would reject the job.
    Failed,
    /// The rule was not checked, because another rule failed, or because the cluster has to decide it and was not asked
    /// or did not respond. A skipped rule does not reject the job.
    Skipped,
}

/// A problem with one part of the input.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct AdmissionProblem {
    /// The path of the invalid input field, such as `input.source.spec.resources.gpu`; null if no single field is the cause.
    pub field: Option<String>,
    /// A human-readable explanation that names the given value and the values that are allowed.
    pub message: String,
    /// The line of the problem in the YAML of the commit, counted from 1; null if it has none.
    pub line: Option<i32>,
    /// The column of the problem in that line, counted from 1 in characters.
    pub column: Option<i32>,
}

impl AdmissionProblem {
    /// A problem that no single field of the input causes.
    fn general(message: String) -> Self {
        Self { field: None, message, line: None, column: None }
    }

    fn of(error: &ApiError) -> Self {
        let place = error.place.map(|(line, column)| (saturated(line), saturated(column)));
        Self {
            field: error.field.as_deref().map(str::to_owned),
            message: error.message.clone().into_owned(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
        }
    }
}

fn saturated(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

/// The verdict on one admission rule.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct AdmissionVerdict {
    /// The rule that was checked.
    pub rule: AdmissionRule,
    /// The outcome of the check.
    pub outcome: AdmissionOutcome,
    /// Why the rule is not satisfied, or why the cluster could not be asked; empty otherwise.
    #[graphql(directive = assumed_list::apply(2))]
    pub problems: Vec<AdmissionProblem>,
}

/// The result of checking a submit.
#[derive(Debug, Default)]
pub struct Findings {
    problems: Vec<(AdmissionRule, ApiError)>,
    skipped: Vec<AdmissionRule>,
    open: Vec<(AdmissionRule, String)>,
}

impl Findings {
    /// Records that `rule` has failed.
    pub fn note(&mut self, rule: AdmissionRule, problem: ApiError) {
        self.problems.push((rule, problem));
    }

    /// The value, or `None` after recording a problem under `rule`.
    pub fn take<T>(&mut self, rule: AdmissionRule, result: Result<T, ApiError>) -> Option<T> {
        result.map_err(|problem| self.note(rule, problem)).ok()
    }

    /// The value, or `None` after recording each problem under the rule of its field.
    pub fn take_fields<T>(&mut self, result: Result<T, ApiErrors>) -> Option<T> {
        let note = |ApiErrors(problems): ApiErrors| {
            for problem in problems {
                self.note(AdmissionRule::of_field(problem.field.as_deref().unwrap_or_default()), problem);
            }
        };
        result.map_err(note).ok()
    }

    /// Records that these rules were skipped.
    pub fn skip(&mut self, rules: &[AdmissionRule]) {
        self.skipped.extend(rules);
    }

    /// Records that a skipped rule was checked after all.
    pub fn settle(&mut self, rule: AdmissionRule) {
        self.skipped.retain(|skipped| *skipped != rule);
    }

    /// Records why a skipped rule could not be checked.
    pub fn leave_open(&mut self, rule: AdmissionRule, why: String) {
        self.open.push((rule, why));
    }

    /// Whether one of these rules has failed.
    pub fn has_failed(&self, rules: &[AdmissionRule]) -> bool {
        self.problems.iter().any(|(failed, _)| rules.contains(failed))
    }

    /// Whether no problem was found.
    pub fn are_none(&self) -> bool {
        self.problems.is_empty()
    }

    /// The verdict on each rule, in the order of [`AdmissionRule::ALL`].
    pub fn verdicts(&self) -> Vec<AdmissionVerdict> {
        let verdict = |rule: AdmissionRule| {
            let of_rule = self.problems.iter().filter(|(failed, _)| *failed == rule);
            let mut problems: Vec<_> = of_rule.map(|(_, problem)| AdmissionProblem::of(problem)).collect();
            let outcome = match (problems.is_empty(), self.skipped.contains(&rule)) {
                (false, _) => AdmissionOutcome::Failed,
                (true, true) => AdmissionOutcome::Skipped,
                (true, false) => AdmissionOutcome::Passed,
            };
            let open = self.open.iter().filter(|(open, _)| *open == rule);
            problems.extend(open.map(|(_, why)| AdmissionProblem::general(why.clone())));
            AdmissionVerdict { rule, outcome, problems }
        };
        AdmissionRule::ALL.map(verdict).into()
    }

    /// `Ok` if every rule has passed, except those that are checked under the project's lock when the row is written: a
    /// request that is repeated with its idempotency key gets its job although there is no room for another.
    ///
    /// # Errors
    /// The problems found.
    pub fn before_quota(self) -> Result<(), ApiErrors> {
        let others = self.problems.into_iter().filter(|(rule, _)| !UNDER_LOCK.contains(rule));
        let problems: Vec<_> = others.map(|(_, problem)| problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(ApiErrors(problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_stands_under_the_rule_of_its_field() {
        let mut findings = Findings::default();
        let problem = |field: &'static str| ApiError::bad_input(field, "no");
        let fields = [
            "input.source.spec.env.3.name",
            "input.overrides.resources.gpu",
            "input.source.commitId",
            "input.source.spec.mounts.0.path",
        ];
        findings.take_fields::<()>(Err(ApiErrors(fields.map(problem).into())));
        findings.skip(&[AdmissionRule::Quota]);
        let told: Vec<_> = findings
            .verdicts()
            .into_iter()
            .filter(|verdict| verdict.outcome != AdmissionOutcome::Passed)
            .map(|verdict| format!("{:?} {:?}", verdict.rule, verdict.outcome))
            .collect();
        let expected = ["Source Failed", "Container Failed", "Resources Failed", "Mounts Failed", "Quota Skipped"];
        assert_eq!(told, expected);
        assert_eq!(findings.before_quota().unwrap_err().0.len(), 4);
    }
}
