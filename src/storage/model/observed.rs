//! What the watch saw of claims, written in one transaction: rows that change, claims that were found, claims that are
//! gone, what mounts them, and the events of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, SubsecRound, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::Claim;
use super::due::append;
use crate::cluster::claims::{ClaimState, Mounting, ObjectKey, Seen};
use crate::cluster::names::{Tenant, tenant_of};
use crate::db::tables::{groups, projects, storage_claims, storage_mounts, users};
use crate::events::About;
use crate::ids::{GroupId, ProjectId, PvcId, UserId};
use crate::storage::event::{PvcEvent, about};
use crate::storage::life::{self, Fate};
use crate::storage::phase::{PvcEventKind, PvcPhase};

/// Applies observations in order in one transaction. Those of claims in namespaces that are not the platform's are dropped.
///
/// # Errors
/// The database's; nothing was changed in that case.
pub async fn apply(conn: &mut AsyncPgConnection, observations: &[Seen], now: DateTime<Utc>) -> QueryResult<()> {
    conn.transaction(async |conn| {
        let keys: BTreeSet<&ObjectKey> = observations.iter().flat_map(Seen::keys).collect();
        let mut book = Book::open(conn, &keys).await?;
        for seen in observations {
            match seen {
                Seen::Claim(state) => book.claim(state, now),
                Seen::Gone { key, uid } => book.gone(key, uid.as_deref()),
                Seen::Trouble { key, uid, reason, message } => book.trouble(key, uid.as_deref(), reason, message),
                Seen::Pod(pod) => book.pod(pod, now),
                Seen::PodGone { uid } => drop(book.gone_pods.insert(uid.clone())),
            }
        }
        book.write(conn).await
    })
    .await
}

/// The claims that a batch is about, and what becomes of them.
struct Book {
    before: HashMap<PvcId, Claim>,
    claims: HashMap<ObjectKey, Claim>,
    tenants: HashMap<String, Owner>,
    found: Vec<PvcId>,
    gone: Vec<PvcId>,
    mounts: BTreeMap<(PvcId, String), super::mounts::Mount>,
    gone_pods: BTreeSet<String>,
    events: Vec<(About, PvcEvent)>,
}

/// Whose the claims of a namespace are.
#[derive(Debug, Clone, Copy)]
struct Owner {
    project: Option<ProjectId>,
    group: Option<GroupId>,
    user: Option<UserId>,
}

impl Book {
    async fn open(conn: &mut AsyncPgConnection, keys: &BTreeSet<&ObjectKey>) -> QueryResult<Self> {
        let claims: HashMap<ObjectKey, Claim> =
            lock(conn, keys).await?.into_iter().map(|claim| (key_of(&claim), claim)).collect();
        let unknown = keys.iter().filter(|key| !claims.contains_key(**key)).map(|key| key.namespace.as_str());
        Ok(Self {
            before: claims.values().map(|claim| (claim.id, claim.clone())).collect(),
            tenants: owners(conn, &unknown.collect()).await?,
            claims,
            found: Vec::new(),
            gone: Vec::new(),
            mounts: BTreeMap::new(),
            gone_pods: BTreeSet::new(),
            events: Vec::new(),
        })
    }

    fn claim(&mut self, state: &ClaimState, now: DateTime<Utc>) {
        let claim = match self.claims.get_mut(&state.key) {
            Some(claim) => claim,
            None => {
                let Some(owner) = self.tenants.get(&state.key.namespace) else { return };
                let claim = found(state, *owner, now);
                self.found.push(claim.id);
                self.events.push((about(&claim), PvcEvent::of(&claim, PvcEventKind::Found)));
                self.claims.entry(state.key.clone()).or_insert(claim)
            }
        };
        let topics = about(claim);
        self.events.extend(life::observe(claim, state).into_iter().map(|event| (topics, event)));
        if claim.phase == PvcPhase::Bound && claim.sent_bytes < claim.size_bytes {
            // It was made larger before it had a volume.
            claim.next_attempt_at.get_or_insert(now);
        }
    }

    fn gone(&mut self, key: &ObjectKey, uid: Option<&str>) {
        let Some(claim) = self.claims.get_mut(key) else { return };
        let topics = about(claim);
        let (fate, event) = life::gone(claim, uid);
        self.events.extend(event.map(|event| (topics, event)));
        if fate == Fate::Removed
            && let Some(claim) = self.claims.remove(key)
        {
            self.gone.push(claim.id);
        }
    }

    fn trouble(&mut self, key: &ObjectKey, uid: Option<&str>, reason: &str, message: &str) {
        let Some(claim) = self.claims.get_mut(key) else { return };
        let topics = about(claim);
        self.events.extend(life::trouble(claim, uid, reason, message).map(|event| (topics, event)));
    }

    fn pod(&mut self, pod: &Mounting, now: DateTime<Utc>) {
        self.gone_pods.remove(&pod.uid);
        for (key, read_only) in &pod.claims {
            let Some(claim) = self.claims.get(key) else { continue };
            let mount = super::mounts::Mount {
                claim_id: claim.id,
                pod_uid: pod.uid.clone(),
                pod: pod.name.clone(),
                job_id: pod.job,
                read_only: *read_only,
                since: now.trunc_subsecs(6),
            };
            self.mounts.insert((claim.id, pod.uid.clone()), mount);
        }
    }

    async fn write(mut self, conn: &mut AsyncPgConnection) -> QueryResult<()> {
        let new: Vec<&Claim> = self.claims.values().filter(|claim| self.found.contains(&claim.id)).collect();
        if !new.is_empty() {
            diesel::insert_into(storage_claims::table).values(new).execute(conn).await?;
        }
        let differs = |claim: &&Claim| self.before.get(&claim.id).is_some_and(|before| before != *claim);
        let changed: Vec<&Claim> = self.claims.values().filter(differs).collect();
        save(conn, &changed).await?;
        let grown = changed.iter().filter(|claim| {
            self.before.get(&claim.id).is_some_and(|before| before.capacity_bytes < claim.capacity_bytes)
        });
        let shares = grow_shares(conn, grown.map(|claim| claim.id).collect()).await?;
        let told = shares.iter().map(|share| (about(share), PvcEvent::of(share, PvcEventKind::Resized)));
        self.events.extend(told);
        if !self.gone.is_empty() {
            diesel::delete(storage_claims::table.filter(storage_claims::id.eq_any(&self.gone))).execute(conn).await?;
        }
        let mut touched = BTreeSet::new();
        let here = |mount: &&super::mounts::Mount| {
            !self.gone.contains(&mount.claim_id) && !self.gone_pods.contains(&mount.pod_uid)
        };
        let mounts: Vec<_> = self.mounts.values().filter(here).collect();
        if !mounts.is_empty() {
            let added: Vec<PvcId> = diesel::insert_into(storage_mounts::table)
                .values(mounts)
                .on_conflict_do_nothing()
                .returning(storage_mounts::claim_id)
                .get_results(conn)
                .await?;
            touched.extend(added);
        }
        if !self.gone_pods.is_empty() {
            let ended = storage_mounts::table.filter(storage_mounts::pod_uid.eq_any(&self.gone_pods));
            let ended: Vec<PvcId> = diesel::delete(ended).returning(storage_mounts::claim_id).get_results(conn).await?;
            touched.extend(ended);
        }
        let touched: Vec<PvcId> = touched.into_iter().collect();
        let claims = if touched.is_empty() { Vec::new() } else { super::find(conn, &touched).await? };
        let told = claims.iter().map(|claim| (about(claim), PvcEvent::of(claim, PvcEventKind::MountsChanged)));
        self.events.extend(told);
        append(conn, self.events).await
    }
}

fn key_of(claim: &Claim) -> ObjectKey {
    ObjectKey { namespace: claim.namespace.clone(), name: claim.name.clone() }
}

/// A claim that somebody has created in the cluster.
fn found(state: &ClaimState, owner: Owner, now: DateTime<Utc>) -> Claim {
    Claim {
        id: PvcId::generate(),
        project_id: owner.project,
        group_id: owner.group,
        user_id: owner.user,
        display_name: state.key.name.clone(),
        created_at: now.trunc_subsecs(6),
        ..life::found(state)
    }
}

/// The owners of those namespaces that are the platform's.
async fn owners(conn: &mut AsyncPgConnection, namespaces: &BTreeSet<&str>) -> QueryResult<HashMap<String, Owner>> {
    if namespaces.is_empty() {
        return Ok(HashMap::new());
    }
    let of_projects: Vec<(String, ProjectId, GroupId)> = projects::table
        .filter(projects::namespace.eq_any(namespaces))
        .select((projects::namespace, projects::id, projects::group_id))
        .load(conn)
        .await?;
    let owner =
        |(namespace, project, group)| (namespace, Owner { project: Some(project), group: Some(group), user: None });
    let mut owners: HashMap<String, Owner> = of_projects.into_iter().map(owner).collect();
    let (mut of_groups, mut of_users) = (Vec::new(), Vec::new());
    for namespace in namespaces {
        match tenant_of(namespace) {
            Some(Tenant::Group(group)) => of_groups.push(group),
            Some(Tenant::User(user)) => of_users.push(user),
            Some(Tenant::Project(_)) | None => {}
        }
    }
    if !of_groups.is_empty() {
        let known: Vec<GroupId> =
            groups::table.filter(groups::id.eq_any(of_groups)).select(groups::id).load(conn).await?;
        owners.extend(
            known.into_iter().map(|group| {
                (Tenant::Group(group).namespace(), Owner { project: None, group: Some(group), user: None })
            }),
        );
    }
    if !of_users.is_empty() {
        let known: Vec<UserId> = users::table.filter(users::id.eq_any(of_users)).select(users::id).load(conn).await?;
        owners.extend(
            known
                .into_iter()
                .map(|user| (Tenant::User(user).namespace(), Owner { project: None, group: None, user: Some(user) })),
        );
    }
    Ok(owners)
}

async fn lock(conn: &mut AsyncPgConnection, keys: &BTreeSet<&ObjectKey>) -> QueryResult<Vec<Claim>> {
    // In the order of ids, so that transactions that lock several claims cannot deadlock.
    diesel::sql_query(
        "SELECT storage_claims.* FROM storage_claims
           JOIN unnest($1, $2) AS wanted (namespace, name) USING (namespace, name)
          ORDER BY storage_claims.id FOR UPDATE OF storage_claims",
    )
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.namespace.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>())
    .load(conn)
    .await
}

/// Writes what the cluster decides about claims, and when the worker looks at them.
///
/// # Errors
/// The database's.
pub(super) async fn save(conn: &mut AsyncPgConnection, claims: &[&Claim]) -> QueryResult<()> {
    if claims.is_empty() {
        return Ok(());
    }
    // One array per column: the statement is the same for one row and for five hundred.
    diesel::sql_query(
        "UPDATE storage_claims SET object_uid = new.object_uid, object_version = new.object_version,
                volume_name = new.volume_name, storage_class = new.storage_class, access_mode = new.access_mode,
                size = new.size, size_bytes = new.size_bytes, sent_bytes = new.sent_bytes,
                capacity_bytes = new.capacity_bytes, phase = new.phase, reason = new.reason, message = new.message,
                resize = new.resize, resize_message = new.resize_message, next_attempt_at = new.next_attempt_at,
                attempts = new.attempts
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
              AS new (id, object_uid, object_version, volume_name, storage_class, access_mode, size, size_bytes,
                      sent_bytes, capacity_bytes, phase, reason, message, resize, resize_message, next_attempt_at,
                      attempts)
         WHERE storage_claims.id = new.id",
    )
    .bind::<Array<SqlUuid>, _>(column(claims, |claim| claim.id))
    .bind::<Array<Nullable<Text>>, _>(column(claims, |claim| claim.object_uid.as_deref()))
    .bind::<Array<Nullable<BigInt>>, _>(column(claims, |claim| claim.object_version))
    .bind::<Array<Nullable<Text>>, _>(column(claims, |claim| claim.volume_name.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(claims, |claim| claim.storage_class.as_deref()))
    .bind::<Array<Text>, _>(column(claims, |claim| claim.access_mode))
    .bind::<Array<Text>, _>(column(claims, |claim| claim.size.as_str()))
    .bind::<Array<BigInt>, _>(column(claims, |claim| claim.size_bytes))
    .bind::<Array<BigInt>, _>(column(claims, |claim| claim.sent_bytes))
    .bind::<Array<Nullable<BigInt>>, _>(column(claims, |claim| claim.capacity_bytes))
    .bind::<Array<Text>, _>(column(claims, |claim| claim.phase))
    .bind::<Array<Nullable<Text>>, _>(column(claims, |claim| claim.reason.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(claims, |claim| claim.message.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(claims, |claim| claim.resize))
    .bind::<Array<Nullable<Text>>, _>(column(claims, |claim| claim.resize_message.as_deref()))
    .bind::<Array<Nullable<Timestamptz>>, _>(column(claims, |claim| claim.next_attempt_at))
    .bind::<Array<Integer>, _>(column(claims, |claim| claim.attempts))
    .execute(conn)
    .await
    .map(drop)
}

/// The shares of claims that have become larger are as large: it is the same storage. Their volumes are to say so, too.
async fn grow_shares(conn: &mut AsyncPgConnection, sources: Vec<PvcId>) -> QueryResult<Vec<Claim>> {
    #[derive(QueryableByName)]
    struct Share {
        #[diesel(sql_type = SqlUuid)]
        id: PvcId,
    }
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let shares: Vec<Share> = diesel::sql_query(
        "UPDATE storage_claims AS share
            SET size = source.size, size_bytes = source.size_bytes, capacity_bytes = source.capacity_bytes,
                next_attempt_at = now(), attempts = 0
           FROM storage_claims AS source
          WHERE share.source_id = source.id AND source.id = ANY($1) AND source.size_bytes > share.size_bytes
          RETURNING share.id",
    )
    .bind::<Array<SqlUuid>, _>(sources)
    .load(conn)
    .await?;
    let ids: Vec<PvcId> = shares.into_iter().map(|share| share.id).collect();
    if ids.is_empty() { Ok(Vec::new()) } else { super::find(conn, &ids).await }
}

fn column<'c, T>(claims: &[&'c Claim], of: impl Fn(&'c Claim) -> T) -> Vec<T> {
    claims.iter().map(|claim| of(claim)).collect()
}

/// The objects that are expected in the cluster: a list of the cluster is compared with them.
///
/// # Errors
/// The database's.
pub async fn in_cluster(conn: &mut AsyncPgConnection) -> QueryResult<Vec<(String, String, String)>> {
    storage_claims::table
        .filter(storage_claims::object_uid.is_not_null())
        .select((storage_claims::namespace, storage_claims::name, storage_claims::object_uid.assume_not_null()))
        .load(conn)
        .await
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    phase: String,
    #[diesel(sql_type = Bool)]
    managed: bool,
    #[diesel(sql_type = BigInt)]
    claims: i64,
}

/// The number of claims in each phase, those that the platform created and the others.
///
/// # Errors
/// The database's.
pub async fn phases(conn: &mut AsyncPgConnection) -> QueryResult<Vec<(String, bool, i64)>> {
    let counted: Vec<Counted> = diesel::sql_query(
        "SELECT phase, created_by IS NOT NULL AS managed, count(*) AS claims FROM storage_claims GROUP BY 1, 2",
    )
    .load(conn)
    .await?;
    Ok(counted.into_iter().map(|Counted { phase, managed, claims }| (phase, managed, claims)).collect())
}
