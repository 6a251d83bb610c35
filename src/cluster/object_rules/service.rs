//! A Service: its ports, and the fields that depend on its type.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::cluster::pod_rules::names::{LABEL, LABEL_VALUE, PORT_NAME, QUALIFIED, SUBDOMAIN};
use crate::cluster::pod_rules::report::{At, Report, quoted};

/// Maximum time that a client sticks to its pod, in seconds: a day.
const MAX_AFFINITY: i64 = 86_400;
/// Default range of node ports.
const NODE_PORTS: (i64, i64) = (30_000, 32_767);

const CLUSTER_IP: &str = "ClusterIP";
const NODE_PORT: &str = "NodePort";
const BALANCER: &str = "LoadBalancer";
const EXTERNAL_NAME: &str = "ExternalName";

pub(super) fn check(service: &Service, at: &At<'_>, report: &mut Report) {
    let (spec, at) = (service.spec.as_ref(), at.field("spec"));
    let Some(spec) = spec else {
        report.say(&at.field("ports"), "is required: a Service must have at least one port");
        return;
    };
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let of_type = given(&spec.type_).unwrap_or_else(|| CLUSTER_IP.to_owned());
    report.one_of(&at.field("type"), &of_type, &[CLUSTER_IP, NODE_PORT, BALANCER, EXTERNAL_NAME]);
    let is_headless = spec.cluster_ip.as_deref() == Some("None");
    addresses(spec, &of_type, is_headless, &at, report);
    ports(spec, &of_type, is_headless, &at, report);
    traffic(spec, &of_type, &at, report);
    let selector = at.field("selector");
    for (key, value) in spec.selector.iter().flatten() {
        if !(QUALIFIED.fits)(key) {
            report.say(&selector, format!("has the key {}; it must be {}", quoted(key), QUALIFIED.allowed));
        }
        report.form(&selector.key(key), value, &LABEL_VALUE);
    }
}

fn addresses(spec: &ServiceSpec, of_type: &str, is_headless: bool, at: &At<'_>, report: &mut Report) {
    let address = spec.cluster_ip.as_deref().filter(|address| !address.is_empty());
    if of_type == EXTERNAL_NAME {
        let name = spec.external_name.as_deref().map(|name| name.strip_suffix('.').unwrap_or(name));
        report.required(&at.field("externalName"), name, &SUBDOMAIN);
        if address.is_some() {
            report.say(&at.field("clusterIP"), "is not allowed for the type ExternalName");
        }
        if spec.ip_family_policy.is_some() || spec.ip_families.iter().flatten().next().is_some() {
            report.say(&at.field("ipFamilies"), "are not allowed for the type ExternalName, nor is ipFamilyPolicy");
        }
    } else if is_headless && of_type != CLUSTER_IP {
        report.say(&at.field("clusterIP"), format!("was \"None\", which is not allowed for the type {of_type}"));
    } else if !is_headless && address.is_some() {
        // A chosen address may be in use, or not belong to the cluster.
        let why = "is not allowed unless it is \"None\": the cluster chooses the address";
        report.say(&at.field("clusterIP"), why);
    }
    let others = spec.cluster_ips.as_deref().unwrap_or_default();
    let is_same = is_headless && others == ["None"];
    if !others.is_empty() && !is_same {
        report.say(&at.field("clusterIPs"), "is not allowed: the cluster chooses the addresses");
    }
    // Kubernetes accepts any address, even one that belongs to someone else.
    if spec.external_ips.iter().flatten().next().is_some() {
        report.say(&at.field("externalIPs"), "is not allowed: it could take the traffic of others");
    }
    if spec.load_balancer_ip.as_deref().is_some_and(|address| !address.is_empty()) {
        report.say(&at.field("loadBalancerIP"), "is not allowed: the load balancer chooses the address");
    }
    let policies = ["SingleStack", "PreferDualStack", "RequireDualStack"];
    report.choice(&at.field("ipFamilyPolicy"), spec.ip_family_policy.as_deref(), &policies);
    let families = at.field("ipFamilies");
    let mut seen = HashSet::new();
    for (index, family) in spec.ip_families.iter().flatten().enumerate() {
        report.one_of(&families.item(index), family, &["IPv4", "IPv6"]);
        if !seen.insert(family) {
            report.say(&families.item(index), format!("was {}, which is given twice", quoted(family)));
        }
    }
}

fn ports(spec: &ServiceSpec, of_type: &str, is_headless: bool, at: &At<'_>, report: &mut Report) {
    let ports = spec.ports.as_deref().unwrap_or_default();
    let at = at.field("ports");
    if ports.is_empty() && !is_headless && of_type != EXTERNAL_NAME {
        report.say(
            &at,
            "is required: a Service must have at least one port unless its clusterIP is \"None\" or its type ExternalName",
        );
    }
    let (mut names, mut numbers, mut of_nodes) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (index, port) in ports.iter().enumerate() {
        let at = at.item(index);
        self::port(port, of_type, &at, report);
        let name = port.name.as_deref().filter(|name| !name.is_empty());
        match name {
            Some(name) if !names.insert(name) => {
                report.say(&at.field("name"), format!("was {}, which is given twice", quoted(name)));
            }
            None if ports.len() > 1 => report.say(&at.field("name"), "is required when there are several ports"),
            Some(_) | None => {}
        }
        let protocol = port.protocol.as_deref().filter(|protocol| !protocol.is_empty()).unwrap_or("TCP");
        if !numbers.insert((protocol, port.port)) {
            report.say(&at.field("port"), format!("was {}, which is given twice for {protocol}", port.port));
        }
        if let Some(number) = port.node_port.filter(|number| *number != 0)
            && !of_nodes.insert((protocol, number))
        {
            report.say(&at.field("nodePort"), format!("was {number}, which is given twice for {protocol}"));
        }
    }
}

fn port(port: &ServicePort, of_type: &str, at: &At<'_>, report: &mut Report) {
    if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
        report.form(&at.field("name"), name, &LABEL);
    }
    report.range(&at.field("port"), Some(i64::from(port.port)), 1, 65_535);
    let protocol = port.protocol.as_deref().filter(|protocol| !protocol.is_empty());
    report.choice(&at.field("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
    match &port.target_port {
        Some(IntOrString::Int(0)) | None => {}
        Some(IntOrString::Int(number)) => {
            report.range(&at.field("targetPort"), Some(i64::from(*number)), 1, 65_535);
        }
        Some(IntOrString::String(name)) if name.is_empty() => {}
        Some(IntOrString::String(name)) => report.form(&at.field("targetPort"), name, &PORT_NAME),
    }
    if let Some(protocol) = &port.app_protocol {
        report.form(&at.field("appProtocol"), protocol, &QUALIFIED);
    }
    let number = port.node_port.map(i64::from).filter(|number| *number != 0);
    if number.is_some() && ![NODE_PORT, BALANCER].contains(&of_type) {
        report.say(&at.field("nodePort"), "is only allowed for the types NodePort and LoadBalancer");
    } else {
        report.range(&at.field("nodePort"), number, NODE_PORTS.0, NODE_PORTS.1);
    }
}

fn traffic(spec: &ServiceSpec, of_type: &str, at: &At<'_>, report: &mut Report) {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let affinity = given(&spec.session_affinity);
    report.choice(&at.field("sessionAffinity"), affinity.as_deref(), &["ClientIP", "None"]);
    if let Some(config) = &spec.session_affinity_config {
        let at = at.field("sessionAffinityConfig");
        if affinity.as_deref() == Some("ClientIP") {
            let seconds = config.client_ip.as_ref().and_then(|client| client.timeout_seconds).map(i64::from);
            report.range(&at.field("clientIP").field("timeoutSeconds"), seconds, 1, MAX_AFFINITY);
        } else {
            report.say(&at, "is only allowed with the sessionAffinity ClientIP");
        }
    }
    let is_outside = [NODE_PORT, BALANCER].contains(&of_type);
    let external = given(&spec.external_traffic_policy);
    if external.is_some() && !is_outside {
        report.say(&at.field("externalTrafficPolicy"), "is only allowed for the types NodePort and LoadBalancer");
    } else {
        report.choice(&at.field("externalTrafficPolicy"), external.as_deref(), &["Cluster", "Local"]);
    }
    report.choice(&at.field("internalTrafficPolicy"), spec.internal_traffic_policy.as_deref(), &["Cluster", "Local"]);
    let distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    report.choice(&at.field("trafficDistribution"), spec.traffic_distribution.as_deref(), &distributions);
    if let Some(port) = spec.health_check_node_port.map(i64::from).filter(|port| *port != 0) {
        let at = at.field("healthCheckNodePort");
        if of_type == BALANCER && external.as_deref() == Some("Local") {
            report.range(&at, Some(port), NODE_PORTS.0, NODE_PORTS.1);
        } else {
            report.say(&at, "is only allowed for the type LoadBalancer with the externalTrafficPolicy Local");
        }
    }
    let ranges = spec.load_balancer_source_ranges.as_deref().unwrap_or_default();
    let of_balancers = [
        ("allocateLoadBalancerNodePorts", spec.allocate_load_balancer_node_ports.is_some()),
        ("loadBalancerClass", spec.load_balancer_class.is_some()),
        ("loadBalancerSourceRanges", !ranges.is_empty()),
    ];
    for (field, is_there) in of_balancers {
        if is_there && of_type != BALANCER {
            report.say(&at.field(field), "is only allowed for the type LoadBalancer");
        }
    }
    if let Some(class) = &spec.load_balancer_class {
        report.form(&at.field("loadBalancerClass"), class, &QUALIFIED);
    }
    let at = at.field("loadBalancerSourceRanges");
    for (index, range) in ranges.iter().enumerate() {
        let is_range = range.trim().parse::<ipnet::IpNet>().is_ok_and(|range| range == range.trunc());
        if !is_range {
            report.say(&at.item(index), format!("was {}; it must be a range such as \"10.0.0.0/8\"", quoted(range)));
        }
    }
}
