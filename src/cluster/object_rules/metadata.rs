//! An object's own name, labels and annotations, and the metadata that its author may not set.

use kube::api::ObjectMeta;

use crate::cluster::names::MAX_LABEL;
use crate::cluster::objects::Kind;
use crate::cluster::pod_rules::metadata;
use crate::cluster::pod_rules::names::{LABEL_OF_LETTER, SUBDOMAIN};
use crate::cluster::pod_rules::report::{At, Form, Report};

/// Maximum length of a CronJob's name: the names of its Jobs are 11 characters longer.
const MAX_CRON_NAME: usize = MAX_LABEL - 11;

pub(super) fn check(kind: Kind, metadata: &ObjectMeta, at: &At<'_>, report: &mut Report) {
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(name) = given(&metadata.name) {
        self::name(kind, &name, &at.field("name"), report);
    }
    if let Some(name) = given(&metadata.generate_name) {
        generated(kind, &name, &at.field("generateName"), report);
    }
    if given(&metadata.namespace).is_some() {
        report.say(&at.field("namespace"), "is not allowed: the platform chooses the namespace, one for each project");
    }
    metadata::of_object(metadata, at, report);
    let of_authors = [
        (
            "finalizers",
            metadata.finalizers.iter().flatten().next().is_some(),
            "nothing would remove them, and the object would stay forever",
        ),
        (
            "ownerReferences",
            metadata.owner_references.iter().flatten().next().is_some(),
            "the platform owns what it creates",
        ),
    ];
    const CLUSTER: &str = "the cluster sets it";
    let of_cluster = [
        ("creationTimestamp", metadata.creation_timestamp.is_some()),
        ("deletionGracePeriodSeconds", metadata.deletion_grace_period_seconds.is_some()),
        ("deletionTimestamp", metadata.deletion_timestamp.is_some()),
        ("generation", metadata.generation.is_some_and(|generation| generation != 0)),
        ("managedFields", metadata.managed_fields.iter().flatten().next().is_some()),
        ("resourceVersion", given(&metadata.resource_version).is_some()),
        ("selfLink", given(&metadata.self_link).is_some()),
        ("uid", given(&metadata.uid).is_some()),
    ];
    let of_cluster = of_cluster.map(|(field, is_there)| (field, is_there, CLUSTER));
    for (field, is_there, why) in of_authors.into_iter().chain(of_cluster) {
        if is_there {
            report.say(&at.field(field), format!("is not allowed: {why}"));
        }
    }
}

/// The form of a name of this kind, and its maximum length if the form alone does not say it.
fn form(kind: Kind) -> (&'static Form, Option<(usize, &'static str)>) {
    match kind {
        // Since Kubernetes 1.36 a digit may come first; earlier versions reject it.
        Kind::Service => (&LABEL_OF_LETTER, None),
        Kind::CronJob => (&SUBDOMAIN, Some((MAX_CRON_NAME, "the names of its Jobs are 11 characters longer"))),
        Kind::Job | Kind::Workflow => (&SUBDOMAIN, Some((MAX_LABEL, "its pods have the name as a label"))),
        Kind::Pod
        | Kind::Deployment
        | Kind::ConfigMap
        | Kind::Ingress
        | Kind::FlashJob
        | Kind::PersistentVolumeClaim => (&SUBDOMAIN, None),
    }
}

fn name(kind: Kind, name: &str, at: &At<'_>, report: &mut Report) {
    let (form, most) = form(kind);
    report.form(at, name, form);
    if let Some((most, why)) = most.filter(|(most, _)| name.len() > *most) {
        report.say(at, format!("has {} characters; at most {most} are allowed: {why}", name.len()));
    }
}

/// A name prefix to which the cluster appends five characters.
fn generated(kind: Kind, beginning: &str, at: &At<'_>, report: &mut Report) {
    if kind.runs() || kind == Kind::Workflow {
        let masked = beginning.strip_suffix('-').filter(|rest| !rest.is_empty()).unwrap_or(beginning);
        report.form(at, masked, form(kind).0);
    } else {
        report.say(at, "is not allowed: the object needs a fixed name; use metadata.name");
    }
}
