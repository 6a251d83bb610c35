//! Probes and lifecycle hooks of a container.

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Lifecycle, LifecycleHandler, PodSpec, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::names::{HEADER, PORT_NAME};
use super::report::{At, Report, quoted};

/// Default of `terminationGracePeriodSeconds`.
const DEFAULT_GRACE: i64 = 30;
/// Linux signals that a container may be stopped with.
const SIGNALS: [&str; 31] = [
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGWINCH",
];

pub(super) fn check(container: &Container, pod: &PodSpec, runs_on: bool, at: &At<'_>, report: &mut Report) {
    let probes = [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ];
    for (name, probe) in probes {
        let Some(probe) = probe else { continue };
        let at = at.field(name);
        if runs_on {
            self::probe(probe, name, container, &at, report);
        } else {
            report.say(&at, "is not allowed for an init container without restartPolicy Always");
        }
    }
    if let Some(lifecycle) = &container.lifecycle {
        let at = at.field("lifecycle");
        if runs_on {
            self::lifecycle(lifecycle, container, pod, &at, report);
        } else {
            report.say(&at, "is not allowed for an init container without restartPolicy Always");
        }
    }
}

fn probe(probe: &Probe, name: &str, container: &Container, at: &At<'_>, report: &mut Report) {
    let handlers = [probe.exec.is_some(), probe.http_get.is_some(), probe.tcp_socket.is_some(), probe.grpc.is_some()];
    let count = handlers.iter().filter(|handler| **handler).count();
    if count != 1 {
        report.say(at, format!("has {count} handlers; it must have exactly one of exec, httpGet, tcpSocket and grpc"));
    }
    if let Some(exec) = &probe.exec {
        command(exec.command.as_deref(), &at.field("exec"), report);
    }
    if let Some(get) = &probe.http_get {
        http_get(get, container, &at.field("httpGet"), report);
    }
    if let Some(socket) = &probe.tcp_socket {
        port(&socket.port, container, &at.field("tcpSocket").field("port"), report);
    }
    if let Some(grpc) = &probe.grpc {
        report.range(&at.field("grpc").field("port"), Some(grpc.port.into()), 1, 65535);
    }
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (name, number) in numbers {
        report.at_least(&at.field(name), number.map(i64::from), 0);
    }
    if name == "readinessProbe" {
        if probe.termination_grace_period_seconds.is_some() {
            report.say(&at.field("terminationGracePeriodSeconds"), "is not allowed for a readiness probe");
        }
        return;
    }
    report.at_least(&at.field("terminationGracePeriodSeconds"), probe.termination_grace_period_seconds, 1);
    // 0 stands for the default, which is 1.
    if let Some(successes) = probe.success_threshold.filter(|successes| *successes > 1) {
        report.say(&at.field("successThreshold"), format!("was {successes}; it must be 1 for this probe"));
    }
}

fn lifecycle(lifecycle: &Lifecycle, container: &Container, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    for (name, handler) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(handler) = handler {
            hook(handler, container, pod, &at.field(name), report);
        }
    }
    if let Some(signal) = &lifecycle.stop_signal {
        let at = at.field("stopSignal");
        match pod.os.as_ref().map(|os| os.name.as_str()) {
            Some(_) if is_real_time(signal) || SIGNALS.contains(&signal.as_str()) => {}
            Some(_) => report.say(&at, format!("was {}; it must be a signal such as \"SIGTERM\"", quoted(signal))),
            None => report.say(&at, "is only allowed in a pod that sets spec.os"),
        }
    }
}

fn is_real_time(signal: &str) -> bool {
    let number = |rest: &str, most: u8| {
        rest.is_empty()
            || rest.get(1..).is_some_and(|digits| digits.parse::<u8>().is_ok_and(|n| (1..=most).contains(&n)))
    };
    let from_least = signal.strip_prefix("SIGRTMIN").is_some_and(|rest| !rest.starts_with('-') && number(rest, 15));
    let to_most = signal.strip_prefix("SIGRTMAX").is_some_and(|rest| !rest.starts_with('+') && number(rest, 14));
    from_least || to_most
}

fn hook(handler: &LifecycleHandler, container: &Container, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let handlers =
        [handler.exec.is_some(), handler.http_get.is_some(), handler.tcp_socket.is_some(), handler.sleep.is_some()];
    let count = handlers.iter().filter(|handler| **handler).count();
    if count != 1 {
        report.say(at, format!("has {count} handlers; it must have exactly one of exec, httpGet, tcpSocket and sleep"));
    }
    if let Some(exec) = &handler.exec {
        command(exec.command.as_deref(), &at.field("exec"), report);
    }
    if let Some(get) = &handler.http_get {
        http_get(get, container, &at.field("httpGet"), report);
    }
    if let Some(socket) = &handler.tcp_socket {
        port(&socket.port, container, &at.field("tcpSocket").field("port"), report);
    }
    if let Some(sleep) = &handler.sleep {
        let grace = pod.termination_grace_period_seconds.unwrap_or(DEFAULT_GRACE).max(0);
        report.range(&at.field("sleep").field("seconds"), Some(sleep.seconds), 0, grace);
    }
}

fn command(command: Option<&[String]>, at: &At<'_>, report: &mut Report) {
    if command.unwrap_or_default().is_empty() {
        report.missing(&at.field("command"));
    }
}

fn http_get(get: &HTTPGetAction, container: &Container, at: &At<'_>, report: &mut Report) {
    port(&get.port, container, &at.field("port"), report);
    let scheme = get.scheme.as_deref().filter(|scheme| !scheme.is_empty());
    report.choice(&at.field("scheme"), scheme, &["HTTP", "HTTPS"]);
    let headers = at.field("httpHeaders");
    for (index, header) in get.http_headers.iter().flatten().enumerate() {
        report.form(&headers.item(index).field("name"), &header.name, &HEADER);
    }
}

fn port(port: &IntOrString, container: &Container, at: &At<'_>, report: &mut Report) {
    match port {
        IntOrString::Int(number) => report.range(at, Some((*number).into()), 1, 65535),
        IntOrString::String(name) => {
            report.form(at, name, &PORT_NAME);
            // The API server does not check it; the probe would never succeed.
            let is_named = |name: &str| container.ports.iter().flatten().any(|port| port.name.as_deref() == Some(name));
            if (PORT_NAME.fits)(name) && !is_named(name) {
                report.say(at, format!("was {}, which is not a port of the container", quoted(name)));
            }
        }
    }
}
