//! An Ingress: the hosts and paths that it routes, and their backends.

use k8s_openapi::api::core::v1::TypedLocalObjectReference;
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressSpec};

use crate::cluster::pod_rules::names::{LABEL_OF_LETTER, PORT_NAME, SUBDOMAIN};
use crate::cluster::pod_rules::report::{At, Form, Report, quoted};

/// The annotation with the class, from before the field existed.
const CLASS: &str = "kubernetes.io/ingress.class";
/// What a path that is compared may not contain, and not end with.
const UNCLEAN: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const UNCLEAN_END: [&str; 2] = ["/..", "/."];

const HOST: Form = Form {
    fits: |host| (SUBDOMAIN.fits)(host.strip_prefix("*.").unwrap_or(host)) && host.parse::<std::net::IpAddr>().is_err(),
    allowed: "a host name such as example.com or *.example.com, not an IP address",
};

/// Kinds and names of other objects.
const SEGMENT: Form = Form {
    fits: |text| ![".", ".."].contains(&text) && !text.contains(['/', '%']),
    allowed: "a name without '/' or '%'",
};

pub(super) fn check(ingress: &Ingress, at: &At<'_>, report: &mut Report) {
    let empty = IngressSpec::default();
    let spec = ingress.spec.as_ref().unwrap_or(&empty);
    let annotations = ingress.metadata.annotations.as_ref();
    if let (Some(old), Some(class)) = (annotations.and_then(|all| all.get(CLASS)), &spec.ingress_class_name)
        && old != class
    {
        let metadata = at.field("metadata");
        let at = metadata.field("annotations");
        report.say(&at.key(CLASS), format!("was {}; it must be the same as spec.ingressClassName", quoted(old)));
    }
    let at = at.field("spec");
    let rules = spec.rules.as_deref().unwrap_or_default();
    if rules.is_empty() && spec.default_backend.is_none() {
        report.say(&at, "must have rules or a defaultBackend");
    }
    if let Some(backend) = &spec.default_backend {
        self::backend(backend, &at.field("defaultBackend"), report);
    }
    let places = at.field("rules");
    for (index, rule) in rules.iter().enumerate() {
        let at = places.item(index);
        if let Some(host) = rule.host.as_deref().filter(|host| !host.is_empty()) {
            report.form(&at.field("host"), host, &HOST);
        }
        let Some(http) = &rule.http else { continue };
        let http_at = at.field("http");
        let at = http_at.field("paths");
        if http.paths.is_empty() {
            report.missing(&at);
        }
        for (index, path) in http.paths.iter().enumerate() {
            self::path(path, &at.item(index), report);
        }
    }
    let places = at.field("tls");
    for (index, tls) in spec.tls.iter().flatten().enumerate() {
        let at = places.item(index);
        let hosts = at.field("hosts");
        for (index, host) in tls.hosts.iter().flatten().enumerate() {
            // Kubernetes accepts addresses here, for which no certificate is chosen.
            report.form(&hosts.item(index), host, &HOST);
        }
        if let Some(secret) = tls.secret_name.as_deref().filter(|secret| !secret.is_empty()) {
            report.form(&at.field("secretName"), secret, &SUBDOMAIN);
        }
    }
    if let Some(class) = &spec.ingress_class_name {
        report.form(&at.field("ingressClassName"), class, &SUBDOMAIN);
    }
}

fn path(path: &HTTPIngressPath, at: &At<'_>, report: &mut Report) {
    let written = path.path.as_deref().unwrap_or_default();
    let at_path = at.field("path");
    let compared = ["Exact", "Prefix"].contains(&path.path_type.as_str());
    if path.path_type.is_empty() {
        report.say(&at.field("pathType"), "is required: \"Exact\", \"Prefix\" or \"ImplementationSpecific\"");
    } else {
        report.one_of(&at.field("pathType"), &path.path_type, &["Exact", "Prefix", "ImplementationSpecific"]);
    }
    if !written.starts_with('/') && (compared || !written.is_empty()) {
        report.say(&at_path, format!("was {}; it must begin with '/'", quoted(written)));
    }
    let unclean = UNCLEAN.iter().find(|part| written.contains(**part));
    let unclean = unclean.or_else(|| UNCLEAN_END.iter().find(|end| written.ends_with(**end)));
    if let Some(part) = unclean.filter(|_| compared) {
        report.say(&at_path, format!("was {}; it may not contain {part:?}", quoted(written)));
    }
    backend(&path.backend, &at.field("backend"), report);
}

fn backend(backend: &IngressBackend, at: &At<'_>, report: &mut Report) {
    let service = match (&backend.service, &backend.resource) {
        (Some(service), None) => service,
        (None, Some(resource)) => return self::resource(resource, &at.field("resource"), report),
        (Some(_), Some(_)) | (None, None) => return report.say(at, "must have exactly one of service and resource"),
    };
    let at = at.field("service");
    report.required(&at.field("name"), Some(&service.name), &LABEL_OF_LETTER);
    let at = at.field("port");
    let port = service.port.as_ref();
    let name = port.and_then(|port| port.name.as_deref()).filter(|name| !name.is_empty());
    let number = port.and_then(|port| port.number).filter(|number| *number != 0);
    match (name, number) {
        (Some(name), None) => report.form(&at.field("name"), name, &PORT_NAME),
        (None, Some(number)) => report.range(&at.field("number"), Some(i64::from(number)), 1, 65_535),
        (Some(_), Some(_)) | (None, None) => report.say(&at, "must have exactly one of name and number"),
    }
}

fn resource(resource: &TypedLocalObjectReference, at: &At<'_>, report: &mut Report) {
    if let Some(group) = &resource.api_group {
        report.form(&at.field("apiGroup"), group, &SUBDOMAIN);
    }
    report.required(&at.field("kind"), Some(&resource.kind), &SEGMENT);
    report.required(&at.field("name"), Some(&resource.name), &SEGMENT);
}
