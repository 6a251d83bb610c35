//! The user and the profiles that containers run with. What could harm a node is rejected in
//! [`safety`](crate::cluster::safety).

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, WindowsSecurityContextOptions};

use super::names::PROFILE;
use super::report::{At, Report, quoted};

const MAX_ID: i64 = i32::MAX as i64;

pub(super) fn of_pod(pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let Some(context) = &pod.security_context else { return };
    let at = at.field("securityContext");
    report.range(&at.field("runAsUser"), context.run_as_user, 0, MAX_ID);
    report.range(&at.field("runAsGroup"), context.run_as_group, 0, MAX_ID);
    report.range(&at.field("fsGroup"), context.fs_group, 0, MAX_ID);
    let groups = at.field("supplementalGroups");
    for (index, group) in context.supplemental_groups.iter().flatten().enumerate() {
        report.range(&groups.item(index), Some(*group), 0, MAX_ID);
    }
    let sysctls = at.field("sysctls");
    let mut names = HashSet::new();
    for (index, sysctl) in context.sysctls.iter().flatten().enumerate() {
        if !names.insert(&sysctl.name) {
            let why = format!("was {}, which is given twice", quoted(&sysctl.name));
            report.say(&sysctls.item(index).field("name"), why);
        }
    }
    windows(context.windows_options.as_ref(), pod, &at, report);
    let policy = context.fs_group_change_policy.as_deref();
    report.choice(&at.field("fsGroupChangePolicy"), policy, &["OnRootMismatch", "Always"]);
    let policy = context.supplemental_groups_policy.as_deref();
    report.choice(&at.field("supplementalGroupsPolicy"), policy, &["Merge", "Strict"]);
    let policy = context.se_linux_change_policy.as_deref();
    report.choice(&at.field("seLinuxChangePolicy"), policy, &["Recursive"]);
    if let Some(seccomp) = &context.seccomp_profile {
        profile(&seccomp.type_, seccomp.localhost_profile.as_deref(), &at.field("seccompProfile"), report);
    }
    if let Some(armor) = &context.app_armor_profile {
        profile(&armor.type_, armor.localhost_profile.as_deref(), &at.field("appArmorProfile"), report);
    }
}

pub(super) fn of_container(container: &Container, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let at = at.field("securityContext");
    let (own, all) = (container.security_context.as_ref(), pod.security_context.as_ref());
    let user = own.and_then(|own| own.run_as_user).or_else(|| all.and_then(|all| all.run_as_user));
    let not_root = own.and_then(|own| own.run_as_non_root).or_else(|| all.and_then(|all| all.run_as_non_root));
    // The API server accepts it; the kubelet refuses to start the container.
    if user == Some(0) && not_root == Some(true) {
        report.say(&at, "has runAsNonRoot, but the user 0 is root");
    }
    let Some(context) = own else { return };
    report.range(&at.field("runAsUser"), context.run_as_user, 0, MAX_ID);
    report.range(&at.field("runAsGroup"), context.run_as_group, 0, MAX_ID);
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            report.say(&at, "may not be privileged when allowPrivilegeEscalation is false");
        }
        let added = context.capabilities.iter().flat_map(|capabilities| &capabilities.add).flatten();
        if added.into_iter().any(|capability| capability == "CAP_SYS_ADMIN") {
            report.say(&at, "may not add CAP_SYS_ADMIN when allowPrivilegeEscalation is false");
        }
    }
    windows(context.windows_options.as_ref(), pod, &at, report);
    report.choice(&at.field("procMount"), context.proc_mount.as_deref(), &["Default", "Unmasked"]);
    if let Some(seccomp) = &context.seccomp_profile {
        profile(&seccomp.type_, seccomp.localhost_profile.as_deref(), &at.field("seccompProfile"), report);
    }
    if let Some(armor) = &context.app_armor_profile {
        profile(&armor.type_, armor.localhost_profile.as_deref(), &at.field("appArmorProfile"), report);
    }
}

/// The platform's nodes run Linux.
fn windows(options: Option<&WindowsSecurityContextOptions>, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let Some(options) = options else { return };
    let says_nothing = WindowsSecurityContextOptions { host_process: options.host_process, ..Default::default() };
    if *options != says_nothing || pod.os.is_some() {
        report.say(&at.field("windowsOptions"), "is not supported: the nodes run Linux");
    }
}

fn profile(kind: &str, localhost: Option<&str>, at: &At<'_>, report: &mut Report) {
    report.one_of(&at.field("type"), kind, &["RuntimeDefault", "Localhost", "Unconfined"]);
    let at = at.field("localhostProfile");
    match (kind, localhost) {
        ("Localhost", localhost) => report.required(&at, localhost, &PROFILE),
        (_, Some(_)) => report.say(&at, "is only allowed with the type Localhost"),
        (_, None) => {}
    }
}
