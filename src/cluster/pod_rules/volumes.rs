//! Volumes: names, one source each, and the requirements of the allowed sources.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{EphemeralVolumeSource, PodSpec, Volume, VolumeProjection};

use super::files;
use super::names::{LABEL, SUBDOMAIN};
use super::report::{At, Report, quoted};
use super::{amounts, claim, metadata};

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
        // The API server accepts it; the kubelet cannot mount it.
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
        report.say(at, format!("has {count} sources; it must have exactly one of configMap, secret and downwardAPI"));
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
    // They need keys that this platform's clusters do not issue.
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
            let why = format!("was {}, which another file of the volume already has", quoted(path));
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
    claim::check(&template.spec, &at.field("spec"), report);
}
