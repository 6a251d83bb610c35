//! Deleting: at once, or by a mark that finalizers and kubelets act on.

use super::{Body, Write, metadata};
use crate::api::request::{Propagation, dry_run, propagation};
use crate::api::schema::{FieldError, Reason};
use crate::api::selector::Selection;
use crate::api::status::{ApiError, ApiResult};
use crate::api::{definitions, kinds, object, versions};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use std::sync::Arc;

/// A century in seconds: a pod may be given more, and the moment that this leads to could not be written down.
const LONGEST_GRACE: i64 = 100 * 365 * 24 * 3600;
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
const ORPHANS_BY_DEFAULT: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";

/// What a deletion is told beside the object: from the query and from the body.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    grace: Option<i64>,
    propagation: Option<Propagation>,
    uid: Option<String>,
    version: Option<String>,
    /// Whether it is only tried.
    pub dry_run: bool,
}

impl DeleteOptions {
    /// The query's options, overruled by the body's where there is one.
    pub fn read(options: &super::Options, body: &Body) -> ApiResult<DeleteOptions> {
        let orphan = |orphan: bool| if orphan { Propagation::Orphan } else { Propagation::Background };
        let mut read = DeleteOptions {
            grace: options.grace_period,
            propagation: options.propagation.or(options.orphan_dependents.map(orphan)),
            dry_run: options.dry_run,
            ..DeleteOptions::default()
        };
        if body.bytes.is_empty() {
            return Ok(read);
        }
        let value = body.value()?;
        if let Some(grace) = value.get("gracePeriodSeconds").and_then(Value::as_i64) {
            read.grace = Some(grace);
        }
        if let Some(policy) = value.get("propagationPolicy").filter(|_| value.get("orphanDependents").is_some()) {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            let error = FieldError::showing("propagationPolicy", Reason::Invalid, policy, detail);
            return Err(ApiError::bad_option("DeleteOptions", error));
        }
        if let Some(policy) = value.get("propagationPolicy").and_then(Value::as_str) {
            read.propagation = Some(propagation(policy)?);
        } else if let Some(dependents) = value.get("orphanDependents").and_then(Value::as_bool) {
            read.propagation = Some(orphan(dependents));
        }
        for directive in value.get("dryRun").and_then(Value::as_array).into_iter().flatten() {
            read.dry_run |= dry_run(directive.as_str().unwrap_or_default(), "DeleteOptions")?;
        }
        let precondition = |field: &str| value.pointer(&format!("/preconditions/{field}"))?.as_str().map(str::to_owned);
        read.uid = precondition("uid");
        read.version = precondition("resourceVersion");
        Ok(read)
    }
}

/// What became of the object.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// It is gone; its last state.
    Gone(Arc<Value>),
    /// It is marked and stays until finalizers or its kubelet are done.
    Marked(Arc<Value>),
}

impl Deleted {
    /// The object, gone or marked.
    pub fn object(&self) -> &Arc<Value> {
        match self {
            Deleted::Gone(value) | Deleted::Marked(value) => value,
        }
    }
}

/// Deletes an object.
pub fn delete(write: &mut Write<'_>, name: &str, options: &DeleteOptions) -> ApiResult<Deleted> {
    let old = write.current(name)?;
    check_preconditions(write, name, &old, options)?;
    kinds::check_deletable(write.kind, name)?;
    let mut new = Value::clone(&old);
    let by_default = kinds::orphans_by_default(write.kind).then_some(Propagation::Orphan);
    if by_default.is_some() && options.propagation.is_none() {
        write.warnings.push(ORPHANS_BY_DEFAULT.to_owned());
    }
    settle_finalizers(&mut new, options.propagation.or(by_default));
    definitions::before_delete(write, &old, &mut new);
    let grace = grace(write, &old, options);
    let stays = grace > 0 || !object::finalizers(&new).is_empty() || kinds::has_spec_finalizers(write.kind, &new);
    if !stays {
        if kinds::is_pod(write.kind) && !write.options.dry_run {
            // A pod's end is seen as a modification before its removal, as with the real server.
            mark(&mut new, write.now, 0);
            write.commit(name, new);
        } else if definitions::is_definition(write.kind) && !write.options.dry_run {
            mark(&mut new, write.now, 0);
            let marked = write.commit(name, new);
            let last = write.remove(name, &old);
            definitions::after_remove(write, &last);
            return Ok(Deleted::Gone(marked));
        }
        let last = write.remove(name, &old);
        definitions::after_remove(write, &last);
        return Ok(Deleted::Gone(last));
    }
    if object::is_terminating(&old) {
        let left = object::meta(&old).get("deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
        if grace < left {
            mark(&mut new, write.now, grace);
        }
    } else {
        mark(&mut new, write.now, grace);
        if write.kind.is_core("namespaces") {
            object::meta_mut(&mut new).shift_remove("deletionGracePeriodSeconds");
        }
        kinds::on_terminating(write.kind, &mut new);
    }
    if new == *old {
        return Ok(Deleted::Marked(old));
    }
    Ok(Deleted::Marked(write.commit(name, new)))
}

/// Deletes all objects of a collection that the selectors choose, one after the other.
pub fn delete_collection(write: &mut Write<'_>, options: &DeleteOptions) -> ApiResult<Vec<Arc<Value>>> {
    let selection = Selection::parse(write.kind, &write.options.label_selector, &write.options.field_selector)?;
    let listed = write.cluster.store.list(&write.kind.collection(), write.namespace);
    let mut deleted = Vec::new();
    for (key, value) in listed.objects {
        if !selection.matches(&versions::view(write.kind, &value)) {
            continue;
        }
        let mut one = Write {
            cluster: write.cluster,
            turn: write.turn,
            kind: write.kind,
            namespace: Some(key.namespace.as_str()).filter(|namespace| !namespace.is_empty()),
            subresource: None,
            options: write.options,
            manager: write.manager.clone(),
            now: write.now,
            warnings: Vec::new(),
        };
        deleted.push(delete(&mut one, &key.name, options)?.object().clone());
    }
    Ok(deleted)
}

fn check_preconditions(write: &Write<'_>, name: &str, old: &Value, options: &DeleteOptions) -> ApiResult<()> {
    let checks = [
        ("UID", "deleted and then recreated", &options.uid, object::uid(old)),
        ("ResourceVersion", "modified", &options.version, object::meta_text(old, "resourceVersion")),
    ];
    for (label, happened, wanted, found) in checks {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
            let why = format!(
                "the {label} in the precondition ({wanted}) does not match the {label} in record ({found}). The object might have been {happened}"
            );
            return Err(ApiError::conflict_of_kind(write.kind, name, &why));
        }
    }
    Ok(())
}

/// Foreground and orphan deletion are finalizers that the garbage collector works on.
fn settle_finalizers(value: &mut Value, propagation: Option<Propagation>) {
    match propagation {
        None => {}
        Some(Propagation::Background) => {
            object::remove_finalizer(value, FOREGROUND);
            object::remove_finalizer(value, ORPHAN);
        }
        Some(Propagation::Foreground) => {
            object::remove_finalizer(value, ORPHAN);
            object::add_finalizer(value, FOREGROUND);
        }
        Some(Propagation::Orphan) => {
            object::remove_finalizer(value, FOREGROUND);
            object::add_finalizer(value, ORPHAN);
        }
    }
}

/// Only pods die slowly, and only those that a kubelet runs.
fn grace(write: &Write<'_>, old: &Value, options: &DeleteOptions) -> i64 {
    if !kinds::is_pod(write.kind) {
        return 0;
    }
    let text = |pointer: &str| old.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let finished = matches!(text("/status/phase"), "Succeeded" | "Failed");
    if text("/spec/nodeName").is_empty() || finished {
        return 0;
    }
    let wanted = old.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    // A negative period means one second; no period means the pod's own.
    match options.grace.or(wanted).unwrap_or(30) {
        negative if negative < 0 => 1,
        seconds => seconds,
    }
}

/// When the deletion of an object that goes was asked for.
fn asked_at(value: &Value) -> Option<DateTime<Utc>> {
    let meta = object::meta(value);
    let gone = meta.get("deletionTimestamp")?.as_str()?.parse::<DateTime<Utc>>().ok()?;
    let grace = meta.get("deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    Some(gone - Duration::seconds(grace.clamp(0, LONGEST_GRACE)))
}

fn mark(value: &mut Value, now: DateTime<Utc>, grace: i64) {
    if !object::is_terminating(value) {
        metadata::advance_generation(value);
    }
    // A shorter period counts from when the deletion was asked for first.
    let asked = asked_at(value).unwrap_or(now);
    let at = asked + Duration::seconds(grace.min(LONGEST_GRACE));
    let meta = object::meta_mut(value);
    meta.insert("deletionTimestamp".to_owned(), json!(object::timestamp(at)));
    meta.insert("deletionGracePeriodSeconds".to_owned(), json!(grace));
}
