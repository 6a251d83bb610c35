//! Which objects of the cluster are orphans, and why: a decision about a list of objects and what the database knows of them.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::cluster::names::{Tenant, tenant_of};
use crate::cluster::orphans::{Kind, Object};
use crate::ids::{GroupId, ProjectId, PvcId, UserId};

/// What the database knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The projects that exist.
    pub projects: HashSet<ProjectId>,
    /// The groups that exist.
    pub groups: HashSet<GroupId>,
    /// The users that are not deleted.
    pub users: HashSet<UserId>,
    /// The storage claims that exist, and the shares whose volumes are being removed.
    pub claims: HashSet<PvcId>,
    /// The places of the storage claims that exist, whoever has created them.
    pub places: HashSet<(String, String)>,
    /// The namespaces that the platform keeps in order or is removing.
    pub namespaces: HashSet<String>,
}

/// An object that nobody knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Orphan {
    /// The object.
    pub object: Object,
    /// Why it is one: a sentence.
    pub reason: String,
    /// Whether removing it can lose data, so that its name has to confirm it.
    pub has_data: bool,
}

/// The orphans among the objects, in the order in which they are best removed. What was created after `before` may be being created:
/// its row, or the watch, comes later.
pub fn orphans(objects: Vec<Object>, known: &Known, before: DateTime<Utc>) -> Vec<Orphan> {
    let old = objects.into_iter().filter(|object| object.created_at <= before);
    let judged = |object: Object| {
        let reason = reason(&object, known)?;
        let has_data = match object.kind {
            Kind::FilePod => false,
            // What a share shows is the storage of its source, which stays.
            Kind::Claim | Kind::Volume => object.share_of.is_none(),
            Kind::Namespace => true,
        };
        Some(Orphan { object, reason, has_data })
    };
    let mut found: Vec<Orphan> = old.filter_map(judged).collect();
    // Shares before their sources, what is in a namespace before the namespace, and the oldest first.
    found.sort_by_key(|orphan| {
        let Object { kind, share_of, created_at, ref uid, .. } = orphan.object;
        (share_of.is_none() && kind != Kind::FilePod, kind, created_at, uid.clone())
    });
    found
}

fn reason(object: &Object, known: &Known) -> Option<String> {
    match object.kind {
        Kind::Namespace => owner_is_gone(object.tenant?, &object.name, known),
        Kind::Claim => {
            let place = (object.namespace.clone()?, object.name.clone());
            if known.places.contains(&place) || is_being_removed(&place.0, known) {
                return None;
            }
            claim_is_gone(object.claim?, known)
        }
        Kind::FilePod if is_being_removed(object.namespace.as_deref()?, known) => None,
        Kind::FilePod => claim_is_gone(object.claim?, known),
        Kind::Volume => match object.claim {
            Some(claim) => claim_is_gone(claim, known),
            None => {
                let (namespace, name) = object.claimed_by.as_ref().filter(|_| object.released)?;
                let place = (namespace.clone(), name.clone());
                let text = || {
                    format!(
                        "The claim {name} in the namespace {namespace} was deleted, and its volume has kept the data."
                    )
                };
                (!known.places.contains(&place)).then(text)
            }
        },
    }
}

fn claim_is_gone(claim: PvcId, known: &Known) -> Option<String> {
    (!known.claims.contains(&claim)).then(|| format!("The storage claim {claim} does not exist any more."))
}

/// The platform removes the namespaces of deleted projects by itself, with everything in them.
fn is_being_removed(namespace: &str, known: &Known) -> bool {
    let project = match tenant_of(namespace) {
        Some(Tenant::Project(project)) => project,
        Some(Tenant::Group(_) | Tenant::User(_)) | None => return false,
    };
    known.namespaces.contains(namespace) && !known.projects.contains(&project)
}

fn owner_is_gone(tenant: Tenant, namespace: &str, known: &Known) -> Option<String> {
    // Also that of something else, if the platform keeps it in order.
    if known.namespaces.contains(namespace) || known.places.iter().any(|(place, _)| place == namespace) {
        return None;
    }
    let gone = |exists: bool, what: String| (!exists).then(|| format!("The {what} does not exist any more."));
    match tenant {
        Tenant::Project(project) => gone(known.projects.contains(&project), format!("project {project}")),
        Tenant::Group(group) => gone(known.groups.contains(&group), format!("group {group}")),
        Tenant::User(user) => gone(known.users.contains(&user), format!("user {user}")),
    }
}

/// The IDs and places that objects mention, for the database to be asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentioned {
    /// Projects.
    pub projects: Vec<ProjectId>,
    /// Groups.
    pub groups: Vec<GroupId>,
    /// Users.
    pub users: Vec<UserId>,
    /// Storage claims.
    pub claims: Vec<PvcId>,
    /// Namespaces.
    pub namespaces: Vec<String>,
}

impl Mentioned {
    /// What these objects mention.
    pub fn by(objects: &[Object]) -> Self {
        let (mut mentioned, mut namespaces) = (Self::default(), HashMap::new());
        for object in objects {
            let own =
                if object.kind == Kind::Namespace { Some(object.name.as_str()) } else { object.namespace.as_deref() };
            let claimed = object.claimed_by.as_ref().map(|(namespace, _)| namespace.as_str());
            for namespace in own.into_iter().chain(claimed) {
                namespaces.entry(namespace.to_owned()).or_insert_with(|| tenant_of(namespace));
            }
            mentioned.claims.extend(object.claim);
            mentioned.add(object.tenant);
        }
        for (namespace, tenant) in namespaces {
            mentioned.namespaces.push(namespace);
            mentioned.add(tenant);
        }
        mentioned
    }

    fn add(&mut self, tenant: Option<Tenant>) {
        match tenant {
            Some(Tenant::Project(project)) => self.projects.push(project),
            Some(Tenant::Group(group)) => self.groups.push(group),
            Some(Tenant::User(user)) => self.users.push(user),
            None => {}
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
