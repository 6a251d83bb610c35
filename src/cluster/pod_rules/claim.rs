//! The rules for the spec of a storage claim: modes, size and class. They are those of
//! `ValidatePersistentVolumeClaimSpec`; `safety/storage.rs` has the rules about what it may not reach.

use k8s_openapi::api::core::v1::PersistentVolumeClaimSpec;

use super::names::SUBDOMAIN;
use super::report::{At, Report};
use super::{amounts, selectors};

/// Every rule that the spec of a claim violates.
pub(in crate::cluster) fn check(claim: &PersistentVolumeClaimSpec, at: &At<'_>, report: &mut Report) {
    let modes = claim.access_modes.as_deref().unwrap_or_default();
    if modes.is_empty() {
        report.missing(&at.field("accessModes"));
    }
    let all = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    for (index, mode) in modes.iter().enumerate() {
        report.one_of(&at.field("accessModes").item(index), mode, &all);
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        report.say(&at.field("accessModes"), "has ReadWriteOncePod, which may not be combined with other modes");
    }
    let resources = at.field("resources");
    let (requests, limits) = (resources.field("requests"), resources.field("limits"));
    let mut has_size = false;
    // The API server parses every amount, including those of resources that no claim has.
    for (name, amount) in claim.resources.iter().flat_map(|resources| resources.requests.iter().flatten()) {
        let at = requests.key(name);
        let amount = amounts::amount(amount, &at, report);
        if name == "storage" {
            has_size = true;
            if amount.is_some_and(|size| size.is_zero()) {
                report.say(&at, "was 0; it must be greater than 0");
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
