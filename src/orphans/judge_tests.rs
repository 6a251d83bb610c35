//! Orphans, one case each.

use chrono::TimeDelta;

use super::*;
use crate::ids::{Id, suffix};

const NOW: &str = "2026-11-27T12:00:00Z";

fn id<K: crate::ids::Kind>(number: u128) -> Id<K> {
    Id::from_uuid(uuid::Uuid::from_u128(number))
}

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

fn object(kind: Kind, tenant: Tenant, name: &str) -> Object {
    let namespace = tenant.namespace();
    let (namespace, name) = match kind {
        Kind::FilePod | Kind::Claim => (Some(namespace), name.to_owned()),
        Kind::Volume => (None, name.to_owned()),
        Kind::Namespace => (None, namespace),
    };
    Object {
        kind,
        namespace,
        uid: format!("uid-{name}"),
        name,
        created_at: now() - TimeDelta::hours(1),
        tenant: Some(tenant),
        claim: Some(id(7)).filter(|_| kind != Kind::Namespace),
        share_of: None,
        claimed_by: None,
        released: false,
        size: None,
    }
}

fn reasons(objects: Vec<Object>, known: &Known) -> Vec<String> {
    let told = |orphan: Orphan| format!("{:?} {}: {}", orphan.object.kind, orphan.object.name, orphan.reason);
    orphans(objects, known, now() - TimeDelta::minutes(10)).into_iter().map(told).collect()
}

const PROJECT: u128 = 1;

fn project() -> Tenant {
    Tenant::Project(id(PROJECT))
}

/// A project with its namespace, and a claim in it.
fn all_is_known() -> Known {
    Known {
        projects: [id(PROJECT)].into(),
        groups: [id(2)].into(),
        users: [id(3)].into(),
        claims: [id(7)].into(),
        places: [(project().namespace(), "data".to_owned())].into(),
        namespaces: [project().namespace()].into(),
    }
}

fn everything() -> Vec<Object> {
    let mut objects: Vec<Object> = [Kind::Namespace, Kind::Claim, Kind::FilePod]
        .map(|kind| object(kind, project(), if kind == Kind::Claim { "data" } else { "files-7" }))
        .into();
    objects.push(object(Kind::Namespace, Tenant::Group(id(2)), ""));
    objects.push(object(Kind::Namespace, Tenant::User(id(3)), ""));
    let share = Object { share_of: Some(id(8)), ..object(Kind::Volume, project(), "share-7") };
    objects.push(share);
    objects
}

#[test]
fn what_has_a_row_is_no_orphan() {
    assert!(reasons(everything(), &all_is_known()).is_empty());
}

#[test]
fn what_has_no_row_is_one_in_the_order_of_removal() {
    insta::assert_snapshot!(reasons(everything(), &Known::default()).join("\n"), @"
    FilePod files-7: The storage claim pvc_00000000000000000000000007 does not exist any more.
    Volume share-7: The storage claim pvc_00000000000000000000000007 does not exist any more.
    Claim data: The storage claim pvc_00000000000000000000000007 does not exist any more.
    Namespace group-00000000000000000000000002: The group group_00000000000000000000000002 does not exist any more.
    Namespace proj-00000000000000000000000001: The project project_00000000000000000000000001 does not exist any more.
    Namespace user-00000000000000000000000003: The user user_00000000000000000000000003 does not exist any more.
    ");
}

#[test]
fn what_is_young_may_be_being_created() {
    let mut young = everything();
    for object in &mut young {
        object.created_at = now() - TimeDelta::minutes(9);
    }
    assert!(reasons(young, &Known::default()).is_empty());
}

#[test]
fn what_the_platform_removes_by_itself_is_none() {
    let removing = Known { projects: HashSet::new(), claims: HashSet::new(), places: HashSet::new(), ..all_is_known() };
    let inside = everything().into_iter().filter(|object| object.kind != Kind::Volume).collect();
    assert!(reasons(inside, &removing).is_empty());
}

#[test]
fn a_claim_that_was_found_by_its_place_is_none_whatever_its_label_says() {
    let known = Known { claims: HashSet::new(), ..all_is_known() };
    assert!(reasons(vec![object(Kind::Claim, project(), "data")], &known).is_empty());
    assert_eq!(reasons(vec![object(Kind::Claim, project(), "other")], &known).len(), 1);
}

#[test]
fn a_namespace_with_a_claim_that_has_a_row_is_none() {
    let user = Tenant::User(id(3));
    let known = Known { places: [(user.namespace(), "drive".to_owned())].into(), ..Known::default() };
    assert!(reasons(vec![object(Kind::Namespace, user, "")], &known).is_empty());
}

#[test]
fn a_volume_that_kept_the_data_of_a_deleted_claim_is_one_unless_the_claim_has_a_row_again() {
    let volume = Object {
        claim: None,
        tenant: None,
        released: true,
        claimed_by: Some((project().namespace(), "data".to_owned())),
        ..object(Kind::Volume, project(), "pvc-1")
    };
    assert!(reasons(vec![volume.clone()], &all_is_known()).is_empty());
    let known = Known { places: HashSet::new(), ..all_is_known() };
    let reason =
        reasons(vec![volume.clone()], &known).join("\n").replace(&suffix(uuid::Uuid::from_u128(PROJECT)), "ID");
    insta::assert_snapshot!(reason, @"Volume pvc-1: The claim data in the namespace proj-ID was deleted, and its volume has kept the data.");
    assert!(reasons(vec![Object { released: false, ..volume }], &known).is_empty());
}

#[test]
fn only_what_can_lose_data_has_to_be_confirmed() {
    let told: Vec<_> = orphans(everything(), &Known::default(), now() - TimeDelta::minutes(10))
        .into_iter()
        .map(|orphan| (orphan.object.kind, orphan.has_data))
        .collect();
    let (pod, claim, volume, space) = (Kind::FilePod, Kind::Claim, Kind::Volume, Kind::Namespace);
    assert_eq!(told, [(pod, false), (volume, false), (claim, true), (space, true), (space, true), (space, true)]);
}
