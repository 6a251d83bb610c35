//! The templates of a Workflow: each does one thing, and everything it refers to exists.

use std::collections::{BTreeMap, HashMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::depends::{self, OF_ITEMS, RESULTS, is_task};
use super::order;
use crate::cluster::objects::workflow::fields::{
    Arguments, Artifact, DAGTask, DAGTemplate, LifecycleHook, Metadata, Parameter, RetryStrategy, Template,
    WorkflowSpec, WorkflowStep,
};
use crate::cluster::pod_rules::metadata;
use crate::cluster::pod_rules::report::{At, Form, Report, quoted};

const NAME: Form = Form { fits: is_task, allowed: "1 to 128 letters, digits and '-', with a letter or a digit first" };
const PARAMETER: Form = Form {
    fits: |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
    allowed: "letters, digits, '-' and '_'",
};
/// The hook that needs no expression: it runs at the end.
const EXIT: &str = "exit";

pub(super) fn check(spec: &WorkflowSpec, at: &At<'_>, report: &mut Report) {
    // Pod safety rejects it; the templates are elsewhere.
    if spec.workflow_template_ref.is_some() {
        return;
    }
    let names = spec.templates.iter().map(|template| template.name.as_str()).filter(|name| !name.is_empty());
    let names: Vec<&str> = names.collect();
    let templates = Templates { known: names.iter().copied().collect(), names };
    if spec.entrypoint.is_empty() {
        report.say(&at.field("entrypoint"), "is required: the name of the template to start with");
    } else {
        templates.exists(&spec.entrypoint, &at.field("entrypoint"), report);
    }
    templates.exists_if_given(&spec.on_exit, &at.field("onExit"), report);
    templates.hooks(&spec.hooks, &at.field("hooks"), report);
    arguments(&spec.arguments, false, &at.field("arguments"), report);
    retry(spec.retry_strategy.as_ref(), &at.field("retryStrategy"), report);
    if let Some(Metadata { annotations, labels }) = spec.pod_metadata.clone() {
        let metadata = ObjectMeta { annotations: Some(annotations), labels: Some(labels), ..ObjectMeta::default() };
        metadata::of_object(&metadata, &at.field("podMetadata"), report);
    }
    let strategies = ["", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"];
    if let Some(gc) = &spec.pod_gc {
        report.one_of(&at.field("podGC").field("strategy"), &gc.strategy, &strategies);
    }
    if let Some(defaults) = &spec.template_defaults {
        retry(defaults.retry_strategy.as_ref(), &at.field("templateDefaults").field("retryStrategy"), report);
    }
    let places = at.field("templates");
    let mut seen = HashSet::new();
    for (index, template) in spec.templates.iter().enumerate() {
        if report.is_full() {
            return;
        }
        let at = places.item(index);
        report.required(&at.field("name"), Some(&template.name), &NAME);
        if !template.name.is_empty() && !seen.insert(template.name.as_str()) {
            report.say(&at.field("name"), format!("was {}, which is given twice", quoted(&template.name)));
        }
        templates.template(template, &at, report);
    }
}

/// The templates that may be referred to.
struct Templates<'s> {
    names: Vec<&'s str>,
    known: HashSet<&'s str>,
}

/// A step or a task.
struct Call<'s> {
    name: &'s str,
    template: &'s str,
    inline: Option<&'s Template>,
    has_reference: bool,
    arguments: &'s Arguments,
    hooks: &'s BTreeMap<String, LifecycleHook>,
    on_exit: &'s str,
    /// How many of `withItems`, `withParam` and `withSequence` it has.
    loops: usize,
}

impl<'s> From<&'s WorkflowStep> for Call<'s> {
    fn from(step: &'s WorkflowStep) -> Self {
        Self {
            name: &step.name,
            template: &step.template,
            inline: step.inline.as_deref(),
            has_reference: step.template_ref.is_some(),
            arguments: &step.arguments,
            hooks: &step.hooks,
            on_exit: &step.on_exit,
            loops: loops(step.with_items.len(), &step.with_param, step.with_sequence.is_some()),
        }
    }
}

impl<'s> From<&'s DAGTask> for Call<'s> {
    fn from(task: &'s DAGTask) -> Self {
        Self {
            name: &task.name,
            template: &task.template,
            inline: task.inline.as_deref(),
            has_reference: task.template_ref.is_some(),
            arguments: &task.arguments,
            hooks: &task.hooks,
            on_exit: &task.on_exit,
            loops: loops(task.with_items.len(), &task.with_param, task.with_sequence.is_some()),
        }
    }
}

fn loops(items: usize, param: &str, has_sequence: bool) -> usize {
    usize::from(items > 0) + usize::from(!param.is_empty()) + usize::from(has_sequence)
}

impl Templates<'_> {
    fn exists(&self, name: &str, at: &At<'_>, report: &mut Report) {
        if !self.known.contains(name) && !report.is_full() {
            let meant = order::meant(name, &self.names);
            report.say(at, format!("was {}, which is not a template of the workflow{meant}", quoted(name)));
        }
    }

    fn exists_if_given(&self, name: &str, at: &At<'_>, report: &mut Report) {
        if !name.is_empty() {
            self.exists(name, at, report);
        }
    }

    fn hooks(&self, hooks: &BTreeMap<String, LifecycleHook>, at: &At<'_>, report: &mut Report) {
        for (name, hook) in hooks {
            let at = at.key(name);
            if name != EXIT && hook.expression.is_empty() {
                report.say(&at.field("expression"), "is required: it says when the hook runs");
            }
            if hook.template_ref.is_none() {
                if hook.template.is_empty() {
                    report.missing(&at.field("template"));
                }
                self.exists_if_given(&hook.template, &at.field("template"), report);
            }
            arguments(&hook.arguments, true, &at.field("arguments"), report);
        }
    }

    fn template(&self, template: &Template, at: &At<'_>, report: &mut Report) {
        kind(template, at, report);
        retry(template.retry_strategy.as_ref(), &at.field("retryStrategy"), report);
        for (field, parameters, artifacts) in [
            ("inputs", &template.inputs.parameters, &template.inputs.artifacts),
            ("outputs", &template.outputs.parameters, &template.outputs.artifacts),
        ] {
            names(parameters, artifacts, &at.field(field), report);
        }
        let places = at.field("steps");
        if template.steps.as_ref().is_some_and(Vec::is_empty) {
            report.say(&places, "must have at least one step");
        }
        let mut seen = HashSet::new();
        for (index, group) in template.steps.iter().flatten().enumerate() {
            let group_at = places.item(index);
            for (index, step) in group.iter().enumerate() {
                self.call(&Call::from(step), &mut seen, &group_at.item(index), report);
            }
        }
        if let Some(dag) = &template.dag {
            self.dag(dag, &at.field("dag"), report);
        }
    }

    fn call<'c>(&self, call: &Call<'c>, seen: &mut HashSet<&'c str>, at: &At<'_>, report: &mut Report) {
        report.required(&at.field("name"), Some(call.name), &NAME);
        if !call.name.is_empty() && !seen.insert(call.name) {
            report.say(&at.field("name"), format!("was {}, which is given twice", quoted(call.name)));
        }
        let count = usize::from(!call.template.is_empty())
            + usize::from(call.inline.is_some())
            + usize::from(call.has_reference);
        if count != 1 {
            report.say(
                at,
                format!("has {count} templates; it must have exactly one, named by template or defined in inline"),
            );
        }
        // Argo substitutes the parameters of the workflow before it checks, but not those of a template, nor items.
        if !call.template.contains("{{workflow.parameters.") {
            self.exists_if_given(call.template, &at.field("template"), report);
        }
        self.exists_if_given(call.on_exit, &at.field("onExit"), report);
        self.hooks(call.hooks, &at.field("hooks"), report);
        arguments(call.arguments, true, &at.field("arguments"), report);
        if call.loops > 1 {
            report.say(at, "may have only one of withItems, withParam and withSequence");
        }
        if let Some(template) = call.inline {
            self.template(template, &at.field("inline"), report);
        }
    }

    fn dag(&self, dag: &DAGTemplate, at: &At<'_>, report: &mut Report) {
        let tasks = at.field("tasks");
        if dag.tasks.is_empty() {
            report.say(&tasks, "must have at least one task");
        }
        let mut seen = HashSet::new();
        for (index, task) in dag.tasks.iter().enumerate() {
            self.call(&Call::from(task), &mut seen, &tasks.item(index), report);
        }
        for target in dag.target.split(' ').filter(|target| !target.is_empty() && !target.contains("{{")) {
            if !seen.contains(target) {
                report.say(&at.field("target"), format!("has {}, which is not a task here", quoted(target)));
            }
        }
        if dag.tasks.iter().any(|task| !task.depends.is_empty()) {
            depending(dag, &tasks, report);
        } else {
            let waits = dag.tasks.iter().any(|task| !task.dependencies.is_empty());
            let parts = dag.tasks.iter().enumerate().map(|(index, task)| {
                begins_with_letter(task, waits, &tasks.item(index), report);
                order::Part { name: &task.name, waits_for: task.dependencies.iter().map(String::as_str).collect() }
            });
            let parts: Vec<_> = parts.collect();
            order::check(&parts, "dependencies", "task", &tasks, report);
        }
    }
}

/// Tasks whose dependencies are expressions.
fn depending(dag: &DAGTemplate, tasks: &At<'_>, report: &mut Report) {
    let has_items = |task: &DAGTask| loops(task.with_items.len(), &task.with_param, task.with_sequence.is_some()) > 0;
    let with_items: HashMap<&str, bool> = dag.tasks.iter().map(|task| (task.name.as_str(), has_items(task))).collect();
    let mut parts = Vec::new();
    for (index, task) in dag.tasks.iter().enumerate() {
        let at = tasks.item(index);
        begins_with_letter(task, true, &at, report);
        if !task.dependencies.is_empty() {
            report.say(&at.field("dependencies"), "is not allowed when a task of the same graph uses depends");
        }
        if task.continue_on.is_some() {
            let why = "is not allowed when a task of the same graph uses depends: use results such as task.Failed";
            report.say(&at.field("continueOn"), why);
        }
        let at = at.field("depends");
        let named = if task.depends.is_empty() { Some(Vec::new()) } else { depends::named(&task.depends) };
        let Some(named) = named else {
            let example = "it must be tasks and their results with &&, || and !, such as \"a && b.Failed\"";
            report.say(&at, format!("was {}; {example}", quoted(&task.depends)));
            continue;
        };
        for one in &named {
            let Some(result) = one.result else { continue };
            let has_items = with_items.get(one.task).copied().unwrap_or(true);
            if !RESULTS.contains(&result) {
                report.say(&at, format!("has the result {}; it must be one of {}", quoted(result), RESULTS.join(", ")));
            } else if OF_ITEMS.contains(&result) && !has_items {
                report.say(&at, format!("has {}.{result}, but that task has no items", one.task));
            }
        }
        parts.push(order::Part { name: &task.name, waits_for: named.iter().map(|one| one.task).collect() });
    }
    // One part for each task, so that the indexes match.
    if parts.len() == dag.tasks.len() {
        order::check(&parts, "depends", "task", tasks, report);
    }
}

fn begins_with_letter(task: &DAGTask, waits: bool, at: &At<'_>, report: &mut Report) {
    if waits && task.name.starts_with(|first: char| first.is_ascii_digit()) {
        let why = format!("was {}; it may not begin with a digit when tasks depend on each other", quoted(&task.name));
        report.say(&at.field("name"), why);
    }
}

/// What the template does: exactly one thing, and only the fields that go with it.
fn kind(template: &Template, at: &At<'_>, report: &mut Report) {
    let leaves = [
        template.container.is_some(),
        template.container_set.is_some(),
        template.script.is_some(),
        template.resource.is_some(),
        template.suspend.is_some(),
        template.data.is_some(),
        template.http.is_some(),
        template.plugin.is_some(),
    ];
    let others = [template.steps.is_some(), template.dag.is_some()];
    let is_leaf = leaves.contains(&true);
    match leaves.iter().chain(&others).filter(|is_there| **is_there).count() {
        0 => {
            report.say(at, "does nothing; it must have exactly one of container, script, containerSet, steps, dag and suspend")
        }
        1 => {}
        count => report.say(
            at,
            format!("does {count} things; it must have exactly one of container, script, containerSet, steps, dag and suspend"),
        ),
    }
    if is_leaf && template.parallelism.is_some() {
        report.say(&at.field("parallelism"), "is only allowed for steps and dag");
    }
    if !is_leaf {
        for (field, is_there) in [
            ("activeDeadlineSeconds", template.active_deadline_seconds.is_some()),
            ("timeout", !template.timeout.is_empty()),
        ] {
            if is_there {
                report.say(&at.field(field), "is not allowed for steps and dag");
            }
        }
    }
    if !template.timeout.is_empty() && template.timeout.bytes().all(|byte| byte.is_ascii_digit()) {
        report
            .say(&at.field("timeout"), format!("was {}; it needs a unit, such as \"30s\"", quoted(&template.timeout)));
    }
    if template.container_set.as_ref().is_some_and(|set| set.containers.is_empty()) {
        report.say(&at.field("containerSet").field("containers"), "must have at least one container");
    }
}

fn retry(strategy: Option<&RetryStrategy>, at: &At<'_>, report: &mut Report) {
    let policies = ["", "Always", "OnError", "OnFailure", "OnTransientError"];
    if let Some(strategy) = strategy {
        report.one_of(&at.field("retryPolicy"), &strategy.retry_policy, &policies);
    }
}

/// The arguments of a template; a value is `needed` if nothing can supply one later.
fn arguments(arguments: &Arguments, needed: bool, at: &At<'_>, report: &mut Report) {
    names(&arguments.parameters, &arguments.artifacts, at, report);
    let at = at.field("parameters");
    for (index, parameter) in arguments.parameters.iter().enumerate() {
        if needed && parameter.value.is_none() && parameter.value_from.is_none() {
            report.say(&at.item(index), "must have exactly one of value and valueFrom");
        }
    }
}

fn names(parameters: &[Parameter], artifacts: &[Artifact], at: &At<'_>, report: &mut Report) {
    let parameters = parameters.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>();
    let artifacts = artifacts.iter().map(|artifact| artifact.name.as_str()).collect::<Vec<_>>();
    for (field, names) in [("parameters", parameters), ("artifacts", artifacts)] {
        let places = at.field(field);
        let mut seen = HashSet::new();
        for (index, name) in names.into_iter().enumerate() {
            let at = places.item(index);
            let at = at.field("name");
            report.required(&at, Some(name), &PARAMETER);
            if !name.is_empty() && !seen.insert(name) {
                report.say(&at, format!("was {}, which is given twice", quoted(name)));
            }
        }
    }
}
