//! Labels and annotations: of any object, and those of a pod that Kubernetes itself interprets.

use k8s_openapi::api::core::v1::{PodSpec, SeccompProfile};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::names::{LABEL_VALUE, QUALIFIED, RELATIVE_PATH};
use super::report::{At, Report, quoted};

/// Maximum size of all annotations of an object together, in bytes: 256 KiB, of which the platform reserves 1 KiB.
const MAX_ANNOTATIONS: usize = 256 * 1024 - 1024;
const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

pub(super) fn check(metadata: &ObjectMeta, pod: Option<&PodSpec>, at: &At<'_>, report: &mut Report) {
    of_object(metadata, at, report);
    let annotations = at.field("annotations");
    for (key, value) in metadata.annotations.iter().flatten() {
        known(key, value, pod, &annotations.key(key), report);
    }
}

/// Labels and annotations of any object.
pub(in crate::cluster) fn of_object(metadata: &ObjectMeta, at: &At<'_>, report: &mut Report) {
    let labels = at.field("labels");
    for (key, value) in metadata.labels.iter().flatten() {
        key_form(key, key, &labels, report);
        report.form(&labels.key(key), value, &LABEL_VALUE);
    }
    let annotations = at.field("annotations");
    let mut size = 0_usize;
    for (key, value) in metadata.annotations.iter().flatten() {
        size = size.saturating_add(key.len()).saturating_add(value.len());
        // Kubernetes accepts capital letters in the domain of an annotation, but not of a label.
        key_form(key, &key.to_ascii_lowercase(), &annotations, report);
    }
    if size > MAX_ANNOTATIONS {
        report.say(&annotations, format!("have {size} bytes together; at most {MAX_ANNOTATIONS} are allowed"));
    }
}

/// The metadata of an ephemeral claim, which is named after its pod.
pub(super) fn of_claim_template(metadata: &ObjectMeta, at: &At<'_>, report: &mut Report) {
    check(metadata, None, at, report);
    let plain = ObjectMeta {
        labels: metadata.labels.clone(),
        annotations: metadata.annotations.clone(),
        ..ObjectMeta::default()
    };
    if *metadata != plain {
        report.say(at, "may only have labels and annotations in the template of a claim");
    }
}

/// `checked` is the key in the form in which it is checked.
fn key_form(key: &str, checked: &str, at: &At<'_>, report: &mut Report) {
    if !(QUALIFIED.fits)(checked) {
        report.say(at, format!("have the key {}; it must be {}", quoted(key), QUALIFIED.allowed));
    }
}

/// Annotations that Kubernetes itself interprets.
fn known(key: &str, value: &str, pod: Option<&PodSpec>, at: &At<'_>, report: &mut Report) {
    match key {
        "kubernetes.io/config.mirror" => report.say(at, "is not allowed: only a kubelet makes mirror pods"),
        "controller.kubernetes.io/pod-deletion-cost" if !is_cost(value) => {
            report.say(at, format!("was {}; it must be a whole number such as \"100\"", quoted(value)));
        }
        "scheduler.alpha.kubernetes.io/tolerations" if !value.is_empty() => {
            report.say(at, "is not allowed: use spec.tolerations");
        }
        key if key == SECCOMP || key.starts_with(SECCOMP_OF_CONTAINER) => {
            let is_profile = ["runtime/default", "docker/default", "unconfined"].contains(&value)
                || value.strip_prefix("localhost/").is_some_and(RELATIVE_PATH.fits);
            if !is_profile {
                let allowed = "\"runtime/default\" or \"localhost/\" followed by the name of a profile";
                report.say(at, format!("was {}; it must be {allowed}", quoted(value)));
            } else if let Some(profile) = pod.and_then(|pod| seccomp_field(pod, key))
                && !is_annotated(profile, value)
            {
                report.say(
                    at,
                    format!("was {}, but the seccompProfile is different; leave out one of the two", quoted(value)),
                );
            }
        }
        key if key.starts_with(APPARMOR) => {
            let named = key.strip_prefix(APPARMOR).unwrap_or_default();
            let has = |pod: &PodSpec| {
                let init = pod.init_containers.iter().flatten();
                init.chain(&pod.containers).any(|container| container.name == named)
            };
            if !pod.is_some_and(has) {
                report.say(at, format!("is for the container {}, which the pod does not have", quoted(named)));
            }
            if pod.is_some_and(|pod| has_field(pod, named)) {
                report.say(at, "is not allowed together with an appArmorProfile");
            }
            let is_profile = ["", "runtime/default", "unconfined"].contains(&value) || value.starts_with("localhost/");
            if !is_profile {
                let allowed = "\"runtime/default\" or \"localhost/\" followed by the name of a profile";
                report.say(at, format!("was {}; it must be {allowed}", quoted(value)));
            }
        }
        _ => {}
    }
}

/// The profile in the fields of the object that the annotation applies to: the pod, or one of its containers.
fn seccomp_field<'p>(pod: &'p PodSpec, key: &str) -> Option<&'p SeccompProfile> {
    let Some(named) = key.strip_prefix(SECCOMP_OF_CONTAINER) else {
        return pod.security_context.as_ref()?.seccomp_profile.as_ref();
    };
    let mut containers = pod.init_containers.iter().flatten().chain(&pod.containers);
    containers.find(|container| container.name == named)?.security_context.as_ref()?.seccomp_profile.as_ref()
}

/// Whether an annotation names the same profile, like Kubernetes' `validateSeccompAnnotationsAndFieldsMatch`.
fn is_annotated(profile: &SeccompProfile, annotation: &str) -> bool {
    match profile.type_.as_str() {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => ["runtime/default", "docker/default"].contains(&annotation),
        "Localhost" => annotation.strip_prefix("localhost/") == profile.localhost_profile.as_deref(),
        // An invalid type is reported at the field itself.
        _ => true,
    }
}

/// Whether a container's AppArmor profile is set in its fields or in those of the pod.
fn has_field(pod: &PodSpec, container: &str) -> bool {
    let of_pod = pod.security_context.as_ref().and_then(|context| context.app_armor_profile.as_ref());
    let mut containers = pod.init_containers.iter().flatten().chain(&pod.containers);
    let own = containers
        .find(|found| found.name == container)
        .and_then(|found| found.security_context.as_ref()?.app_armor_profile.as_ref());
    of_pod.or(own).is_some()
}

/// A 32-bit number as Kubernetes writes it.
fn is_cost(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_written_plainly = digits == "0" || !digits.starts_with(['0', '+']);
    is_written_plainly && value != "-0" && value.parse::<i32>().is_ok()
}
