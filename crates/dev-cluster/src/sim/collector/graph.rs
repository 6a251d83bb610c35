//! Who owns whom, and what follows from it. It speaks to nobody: it answers duties.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::Kind;

const FOREGROUND: &str = "foregroundDeletion";
pub(super) const ORPHAN: &str = "orphan";

/// An object as far as ownership goes.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) kind: Arc<Kind>,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) version: Option<String>,
    pub(super) finalizers: Vec<String>,
    pub(super) owners: Vec<OwnerReference>,
    deleting: bool,
}

/// Something to be done.
#[derive(Clone, Debug)]
pub(super) enum Duty {
    /// No owner of it is known: one that was not heard of yet may still be there.
    Collect { object: Known, foreground: bool },
    /// What owns it or holds it is being deleted.
    Delete { object: Known, foreground: bool },
    /// Nothing is left that its deletion waited for.
    Release { object: Known, finalizer: &'static str },
    /// Its owner leaves it behind.
    Orphan { object: Known, owner: String },
    /// Nothing is left in it.
    Finalize { namespace: Known },
}

impl Duty {
    fn uid(&self) -> &str {
        match self {
            Self::Collect { object, .. }
            | Self::Delete { object, .. }
            | Self::Release { object, .. }
            | Self::Orphan { object, .. } => &object.uid,
            Self::Finalize { namespace } => &namespace.uid,
        }
    }
}

/// All objects, by uid.
#[derive(Debug)]
pub(super) struct Graph {
    objects: HashMap<String, Known>,
    dependents: HashMap<String, BTreeSet<String>>,
    /// What has to be looked at.
    dirty: BTreeSet<String>,
    /// Kinds whose first list has not ended.
    unlisted: usize,
    listed: HashMap<String, Arc<Kind>>,
    /// Of kinds that are being listed: what has not been seen yet this time.
    missing: HashMap<String, HashSet<String>>,
}

impl Graph {
    /// A graph of `kinds` kinds, none of them listed.
    pub(super) fn new(kinds: usize) -> Self {
        Self {
            objects: HashMap::new(),
            dependents: HashMap::new(),
            dirty: BTreeSet::new(),
            unlisted: kinds,
            listed: HashMap::new(),
            missing: HashMap::new(),
        }
    }

    pub(super) fn seen(&mut self, kind: &Arc<Kind>, metadata: ObjectMeta) {
        let Some(uid) = metadata.uid else { return };
        if let Some(missing) = self.missing.get_mut(&key(kind)) {
            missing.remove(&uid);
        }
        let known = Known {
            kind: kind.clone(),
            namespace: metadata.namespace,
            name: metadata.name.unwrap_or_default(),
            uid: uid.clone(),
            version: metadata.resource_version,
            finalizers: metadata.finalizers.unwrap_or_default(),
            owners: metadata.owner_references.unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
        };
        // An owner that it had until now may have waited for being left.
        let before = self.objects.get(&uid).map(|before| self.around(before)).unwrap_or_default();
        self.dirty.extend(before);
        self.unlink(&uid);
        for owner in &known.owners {
            self.dependents.entry(owner.uid.clone()).or_default().insert(uid.clone());
        }
        let around = self.around(&known);
        self.dirty.extend(around);
        self.dirty.insert(uid.clone());
        self.objects.insert(uid, known);
    }

    pub(super) fn gone(&mut self, metadata: &ObjectMeta) {
        if let Some(uid) = &metadata.uid {
            self.remove(uid);
        }
    }

    pub(super) fn list_begins(&mut self, kind: &Arc<Kind>) {
        let of_kind = self.objects.values().filter(|known| key(&known.kind) == key(kind));
        let uids = of_kind.map(|known| known.uid.clone()).collect();
        self.missing.insert(key(kind), uids);
    }

    pub(super) fn list_ends(&mut self, kind: &Arc<Kind>) {
        for uid in self.missing.remove(&key(kind)).unwrap_or_default() {
            self.remove(&uid);
        }
        if self.listed.insert(key(kind), kind.clone()).is_none() {
            self.unlisted = self.unlisted.saturating_sub(1);
        }
    }

    /// Whether anything waits to be looked at and may be.
    pub(super) fn has_duties(&self) -> bool {
        self.unlisted == 0 && !self.dirty.is_empty()
    }

    /// A duty was not done.
    pub(super) fn again(&mut self, duty: &Duty) {
        self.dirty.insert(duty.uid().to_owned());
        if let Duty::Collect { object, .. } | Duty::Delete { object, .. } | Duty::Orphan { object, .. } = duty {
            let around = self.around(object);
            self.dirty.extend(around);
        }
    }

    /// What follows from the changes since the last time; nothing until every kind is listed.
    pub(super) fn take_duties(&mut self) -> Vec<Duty> {
        if self.unlisted > 0 {
            return Vec::new();
        }
        let dirty = std::mem::take(&mut self.dirty);
        dirty.iter().filter_map(|uid| self.objects.get(uid)).flat_map(|known| self.duties(known)).collect()
    }

    fn duties(&self, known: &Known) -> Vec<Duty> {
        let has = |finalizer: &str| known.deleting && known.finalizers.iter().any(|name| name == finalizer);
        let dependents =
            || self.dependents.get(&known.uid).into_iter().flatten().filter_map(|uid| self.objects.get(uid));
        if known.deleting && known.kind.resource.kind == "Namespace" {
            let mut held =
                self.objects.values().filter(|other| other.namespace.as_ref() == Some(&known.name)).peekable();
            if held.peek().is_none() {
                return vec![Duty::Finalize { namespace: known.clone() }];
            }
            return held.filter(|other| !other.deleting).map(|other| self.delete(other)).collect();
        }
        if has(ORPHAN) {
            let mut left: Vec<_> =
                dependents().map(|object| Duty::Orphan { object: object.clone(), owner: known.uid.clone() }).collect();
            if left.is_empty() {
                left.push(Duty::Release { object: known.clone(), finalizer: ORPHAN });
            }
            return left;
        }
        if has(FOREGROUND) {
            let blocks = |object: &&Known| {
                let of_this = |owner: &&OwnerReference| owner.uid == known.uid;
                object.owners.iter().find(of_this).is_some_and(|owner| owner.block_owner_deletion == Some(true))
            };
            if !dependents().any(|object| blocks(&object)) {
                return vec![Duty::Release { object: known.clone(), finalizer: FOREGROUND }];
            }
            return dependents().filter(|object| !object.deleting).map(|object| self.delete(object)).collect();
        }
        let abandoned = !known.owners.is_empty()
            && known.owners.iter().all(|owner| !self.objects.contains_key(&owner.uid) && self.would_know(known, owner));
        if !abandoned || known.deleting {
            return Vec::new();
        }
        vec![Duty::Collect { object: known.clone(), foreground: self.has_dependents(known) }]
    }

    /// An owner of a kind that is not watched may well be there; and one in a namespace is never found from outside of all.
    fn would_know(&self, known: &Known, owner: &OwnerReference) -> bool {
        self.listed.get(&owner_key(owner)).is_some_and(|kind| known.namespace.is_some() || !kind.namespaced)
    }

    fn delete(&self, known: &Known) -> Duty {
        Duty::Delete { object: known.clone(), foreground: self.has_dependents(known) }
    }

    /// What owns other things takes them along, in its own good time.
    fn has_dependents(&self, known: &Known) -> bool {
        self.dependents.get(&known.uid).is_some_and(|uids| !uids.is_empty())
    }

    /// What may have waited for a change of this object: its owners, and its namespace.
    fn around(&self, known: &Known) -> Vec<String> {
        let namespace = known.namespace.as_ref().and_then(|name| {
            let is_it = |other: &&Known| other.kind.resource.kind == "Namespace" && &other.name == name;
            self.objects.values().find(is_it).filter(|namespace| namespace.deleting)
        });
        let owners = known.owners.iter().map(|owner| owner.uid.clone());
        owners.chain(namespace.map(|namespace| namespace.uid.clone())).collect()
    }

    fn unlink(&mut self, uid: &str) {
        for owner in self.objects.get(uid).into_iter().flat_map(|before| &before.owners) {
            if let Some(dependents) = self.dependents.get_mut(&owner.uid) {
                dependents.remove(uid);
            }
        }
    }

    fn remove(&mut self, uid: &str) {
        self.unlink(uid);
        if let Some(known) = self.objects.remove(uid) {
            let around = self.around(&known);
            self.dirty.extend(around);
        }
        self.dirty.extend(self.dependents.remove(uid).unwrap_or_default());
    }
}

pub(super) fn key(kind: &Kind) -> String {
    format!("{}/{}", kind.resource.api_version, kind.resource.kind)
}

pub(super) fn owner_key(owner: &OwnerReference) -> String {
    format!("{}/{}", owner.api_version, owner.kind)
}
