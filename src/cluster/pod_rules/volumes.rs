//! Volumes: names, one source each, and what the sources that a pod may have need.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{EphemeralVolumeSource, PodSpec, Volume, VolumeProjection};

use super::files;
use super::names::{LABEL, SUBDOMAIN};
use super::report::{At, Report, quoted};
use super::{amounts, metadata, selectors};

pub(super) fn check(pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let at = at.field("volumes");
    let mut names = HashSet::new();
    for (index, volume) in pod.volumes.iter().flatten().enumerate() {
        let at = at.item(index);
        report.required(&at.field("name"), Some(&volume.name), &LABEL);
        if !names.insert(&volume.name) {
            report.say(&at.field("name"), format!("was {}, which is given twice", quoted(&volume.name)));
        }
        sources(volume, pod, &at, report);
    }
}

fn sources(volume: &Volume, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let written = serde_json::to_value(volume).ok();
    let fields = written.as_ref().and_then(|volume| volume.as_object());
    let count = fields.map_or(0, |fields| fields.keys().filter(|key| *key != "name").count());
    if count != 1 {
        report.say(at, format!("has {count} sources; it must have one, such as emptyDir or configMap"));
    }
    if let Some(scratch) = &volume.empty_dir {
        let at = at.field("emptyDir");
        if let Some(limit) = &scratch.size_limit {
            let _ = amounts::amount(limit, &at.field("sizeLimit"), report);
        }
        let medium = scratch.medium.as_deref().unwrap_or_default();
        let is_pages =
            medium.strip_prefix("HugePages-").is_some_and(|size| size.parse::<crate::quantity::Quantity>().is_ok());
        if !is_pages {
            report.one_of(&at.field("medium"), medium, &["", "Memory", "HugePages"]);
        }
        // The API server takes it; the kubelet cannot mount it.
        if medium.starts_with("HugePages") && !amounts::has_huge_pages(pod) {
            let why = format!("was {}, but no container of the pod has huge pages", quoted(medium));
            report.say(&at.field("medium"), why);
        }
    }
    if let Some(map) = &volume.config_map {
        let at = at.field("configMap");
        report.required(&at.field("name"), Some(&map.name), &SUBDOMAIN);
        files::mode(map.default_mode, &at.field("defaultMode"), report);
        files::keys(map.items.as_deref(), &at.field("items"), report);
    }
    if let Some(secret) = &volume.secret {
        let at = at.field("secret");
        report.required(&at.field("secretName"), secret.secret_name.as_deref(), &SUBDOMAIN);
        files::mode(secret.default_mode, &at.field("defaultMode"), report);
        files::keys(secret.items.as_deref(), &at.field("items"), report);
    }
    if let Some(downward) = &volume.downward_api {
        let at = at.field("downwardAPI");
        files::mode(downward.default_mode, &at.field("defaultMode"), report);
        files::of_pod(downward.items.as_deref(), pod, &at.field("items"), report);
    }
    if let Some(projected) = &volume.projected {
        let at = at.field("projected");
        files::mode(projected.default_mode, &at.field("defaultMode"), report);
        let mut paths = HashSet::new();
        let sources = at.field("sources");
        for (index, source) in projected.sources.iter().flatten().enumerate() {
            projection(source, pod, &mut paths, &sources.item(index), report);
        }
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        let at = at.field("persistentVolumeClaim");
        report.required(&at.field("claimName"), Some(&claim.claim_name), &SUBDOMAIN);
    }
    if let Some(ephemeral) = &volume.ephemeral {
        self::ephemeral(ephemeral, &at.field("ephemeral"), report);
    }
}

fn projection<'p>(
    source: &'p VolumeProjection,
    pod: &PodSpec,
    paths: &mut HashSet<&'p str>,
    at: &At<'_>,
    report: &mut Report,
) {
    let count = usize::from(source.config_map.is_some())
        + usize::from(source.secret.is_some())
        + usize::from(source.downward_api.is_some())
        + usize::from(source.service_account_token.is_some())
        + usize::from(source.cluster_trust_bundle.is_some())
        + usize::from(source.pod_certificate.is_some());
    if count != 1 {
        report.say(at, format!("has {count} sources; it must have one of configMap, secret and downwardAPI"));
    }
    let map = source.config_map.as_ref().map(|map| ("configMap", &map.name, &map.items));
    let secret = source.secret.as_ref().map(|secret| ("secret", &secret.name, &secret.items));
    for (kind, name, items) in map.into_iter().chain(secret) {
        let at = at.field(kind);
        report.required(&at.field("name"), Some(name), &SUBDOMAIN);
        let items = items.as_deref().unwrap_or_default();
        files::keys(Some(items), &at.field("items"), report);
        once(items.iter().map(|item| item.path.as_str()), paths, &at.field("items"), report);
    }
    if let Some(downward) = &source.downward_api {
        let (at, items) = (at.field("downwardAPI"), downward.items.as_deref().unwrap_or_default());
        files::of_pod(Some(items), pod, &at.field("items"), report);
        once(items.iter().map(|item| item.path.as_str()), paths, &at.field("items"), report);
    }
    // They need keys that this platform's clusters do not give out.
    for (name, is_there) in [
        ("clusterTrustBundle", source.cluster_trust_bundle.is_some()),
        ("podCertificate", source.pod_certificate.is_some()),
    ] {
        if is_there {
            report.say(&at.field(name), "is not supported");
        }
    }
}

fn once<'p>(written: impl Iterator<Item = &'p str>, paths: &mut HashSet<&'p str>, at: &At<'_>, report: &mut Report) {
    for (index, path) in written.enumerate() {
        if !paths.insert(path) {
            let why = format!("was {}, which another file of the volume has", quoted(path));
            report.say(&at.item(index).field("path"), why);
        }
    }
}

fn ephemeral(ephemeral: &EphemeralVolumeSource, at: &At<'_>, report: &mut Report) {
    let at = at.field("volumeClaimTemplate");
    let Some(template) = &ephemeral.volume_claim_template else {
        report.missing(&at);
        return;
    };
    if let Some(metadata) = &template.metadata {
        metadata::of_claim_template(metadata, &at.field("metadata"), report);
    }
    let (claim, at) = (&template.spec, at.field("spec"));
    let modes = claim.access_modes.as_deref().unwrap_or_default();
    if modes.is_empty() {
        report.missing(&at.field("accessModes"));
    }
    let all = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    for (index, mode) in modes.iter().enumerate() {
        report.one_of(&at.field("accessModes").item(index), mode, &all);
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        report.say(&at.field("accessModes"), "has ReadWriteOncePod; it may not have other modes then");
    }
    let resources = at.field("resources");
    let (requests, limits) = (resources.field("requests"), resources.field("limits"));
    let mut has_size = false;
    // The API server reads every amount, also of what no claim has.
    for (name, amount) in claim.resources.iter().flat_map(|resources| resources.requests.iter().flatten()) {
        let at = requests.key(name);
        let amount = amounts::amount(amount, &at, report);
        if name == "storage" {
            has_size = true;
            if amount.is_some_and(|size| size.is_zero()) {
                report.say(&at, "was 0; it must be more than 0");
            }
        }
    }
    for (name, amount) in claim.resources.iter().flat_map(|resources| resources.limits.iter().flatten()) {
        amounts::amount(amount, &limits.key(name), report);
    }
    if !has_size {
        report.missing(&requests.key("storage"));
    }
    if let Some(class) = claim.storage_class_name.as_deref().filter(|class| !class.is_empty()) {
        report.form(&at.field("storageClassName"), class, &SUBDOMAIN);
    }
    report.choice(&at.field("volumeMode"), claim.volume_mode.as_deref(), &["Filesystem", "Block"]);
    if let Some(selector) = &claim.selector {
        selectors::labels(selector, &at.field("selector"), report);
    }
}
