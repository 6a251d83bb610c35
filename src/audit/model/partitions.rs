//! The partitions of the audit log, one for each month in UTC, and one for entries that have none.

use std::time::Duration;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

/// The number of months after the present one whose partitions are made ahead.
const AHEAD: u32 = 3;

/// The advisory lock of whoever keeps the partitions: "platform audit parts".
const LOCK: i64 = 0x706c_6174_6175_6474;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// The partitions that were made.
    pub made: Vec<String>,
    /// The partitions that were dropped.
    pub dropped: Vec<String>,
}

#[derive(QueryableByName)]
struct Partition {
    #[diesel(sql_type = Text)]
    name: String,
    /// The moment after its last; `None` for that of entries without a partition.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    ends: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

/// Makes the partitions that are missing at `now`, up to three months ahead, and moves the entries into them that had
/// none; then removes what is older than `retention`. Does nothing while another replica does it.
///
/// # Errors
/// The database's, also if a lock on the table is not available for five seconds. Nothing was changed in that case.
pub async fn keep(conn: &mut AsyncPgConnection, now: DateTime<Utc>, retention: Duration) -> QueryResult<Upkeep> {
    let before = now - retention;
    conn.transaction(async |conn| {
        let lock = "SELECT pg_try_advisory_xact_lock($1) AS locked";
        if !diesel::sql_query(lock).bind::<BigInt, _>(LOCK).get_result::<Locked>(conn).await?.locked {
            return Ok(Upkeep::default());
        }
        // Changes wait behind a lock that waits.
        diesel::sql_query("SET LOCAL lock_timeout = '5s'").execute(conn).await?;
        let partitions = list(conn).await?;
        let newest = partitions.iter().filter_map(|partition| partition.ends).max();
        let mut upkeep = Upkeep::default();
        // The ends of partitions are the beginnings of months.
        let mut month = newest.map_or_else(|| month_of(now), |newest| newest.max(month_of(before)));
        while month <= month_of(now) + Months::new(AHEAD) {
            upkeep.made.push(make(conn, month).await?);
            month = month + Months::new(1);
        }
        for Partition { name, ends } in partitions {
            if ends.is_some_and(|ends| ends <= before) {
                diesel::sql_query(format!("DROP TABLE {name}")).execute(conn).await?;
                upkeep.dropped.push(name);
            }
        }
        let forget = "DELETE FROM audit_log_other WHERE at < $1";
        diesel::sql_query(forget).bind::<Timestamptz, _>(before).execute(conn).await?;
        Ok(upkeep)
    })
    .await
}

async fn list(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Partition>> {
    diesel::sql_query(
        "SELECT c.oid::regclass::text AS name,
                substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''([^'']+)''\\)')::timestamptz AS ends
           FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent = 'audit_log'::regclass
          ORDER BY ends NULLS LAST",
    )
    .load(conn)
    .await
}

/// The first moment of the month.
fn month_of(at: DateTime<Utc>) -> DateTime<Utc> {
    let first = NaiveDate::from_ymd_opt(at.year(), at.month(), 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    // Every month has a first day.
    first.map_or(at, |first| first.and_utc())
}

/// Makes the partition of a month, with the entries of the month that have none.
async fn make(conn: &mut AsyncPgConnection, month: DateTime<Utc>) -> QueryResult<String> {
    let name = month.format("audit_log_%Y_%m").to_string();
    let (from, to) = (month.to_rfc3339(), (month + Months::new(1)).to_rfc3339());
    for statement in [
        // Nothing is added to it while it is searched.
        "LOCK TABLE audit_log_other IN ACCESS EXCLUSIVE MODE".to_owned(),
        format!("CREATE TABLE {name} (LIKE audit_log INCLUDING ALL)"),
        format!(
            "WITH moved AS (DELETE FROM audit_log_other WHERE at >= '{from}' AND at < '{to}' RETURNING *)
             INSERT INTO {name} SELECT * FROM moved"
        ),
        format!("ALTER TABLE audit_log ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}')"),
    ] {
        diesel::sql_query(statement).execute(conn).await?;
    }
    Ok(name)
}
