//! The object of a job in the cluster, as stored in its row: equal tasks once, with their number.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Jsonb;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cluster::crd::FlashJob;
use crate::db::tables::jobs;
use crate::executor::{ExecutorMode, local};

/// A FlashJob in which equal adjacent tasks are one template. Its expanded size is computed, and it is expanded only
/// for the cluster and for clients that request it.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The object as compact JSON with one task per group.
    json: JsonText,
    groups: Vec<Group>,
}

/// The range of a group's template in the JSON, and the number of tasks that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    template: Range<usize>,
    count: usize,
}

/// The columns in which a manifest is stored.
#[derive(Debug, Clone, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = jobs, check_for_backend(Pg))]
pub struct Kept {
    manifest: JsonText,
    task_counts: Option<Vec<i32>>,
}

/// The parts of a FlashJob that are needed to split a manifest.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    spec: SpecParts<'a>,
}

#[derive(Deserialize)]
struct SpecParts<'a> {
    #[serde(borrow)]
    tasks: Vec<&'a RawValue>,
}

impl Manifest {
    /// A FlashJob as compact JSON, each of whose `spec.tasks` stands for as many tasks as `counts` says; those beyond
    /// `counts` for one.
    pub fn new(json: String, counts: &[usize]) -> Self {
        let json = JsonText(json.into());
        // An invalid FlashJob has no tasks; the cluster reports what is wrong with it.
        let templates = serde_json::from_str::<Parts<'_>>(&json.0).map(|parts| parts.spec.tasks).unwrap_or_default();
        let places = templates.into_iter().map(|template| place(&json.0, template.get()));
        let counts = counts.iter().copied().chain(std::iter::repeat(1));
        let groups = places.zip(counts).map(|(template, count)| Group { template, count }).collect();
        Self { json, groups }
    }

    /// Size of the expanded object as JSON, in bytes.
    pub fn bytes(&self) -> usize {
        self.reckoned(str::len)
    }

    /// Size of the object in the API server, in bytes: Go's encoder writes `<`, `>`, `&`, U+2028 and U+2029 as six
    /// bytes each.
    /// <https://pkg.go.dev/encoding/json#Marshal>
    pub fn bytes_in_cluster(&self) -> usize {
        self.reckoned(escaped_by_go)
    }

    fn reckoned(&self, bytes: impl Fn(&str) -> usize) -> usize {
        let of_group = |group: &Group| {
            // Its copies follow it, each with a comma before it.
            let copies = group.count.saturating_sub(1);
            bytes(self.template(group)).saturating_add(1).saturating_mul(copies)
        };
        self.groups.iter().map(of_group).fold(bytes(&self.json.0), usize::saturating_add)
    }

    /// The number of tasks.
    pub fn task_count(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// The pod template of each group as JSON, and the number of its tasks.
    pub fn templates(&self) -> impl Iterator<Item = (&str, usize)> {
        self.groups.iter().map(|group| (self.template(group), group.count))
    }

    /// The number of tasks of each template, as stored in the column.
    pub fn counts(&self) -> Vec<i32> {
        self.groups.iter().map(|group| i32::try_from(group.count).unwrap_or(i32::MAX)).collect()
    }

    /// The object with one task per group, to which [`Self::counts`] belongs.
    pub fn json(&self) -> &JsonText {
        &self.json
    }

    /// Size of [`Self::json`], in bytes.
    pub fn json_bytes(&self) -> usize {
        self.json.0.len()
    }

    fn template(&self, group: &Group) -> &str {
        self.json.0.get(group.template.clone()).unwrap_or_default()
    }

    /// The expanded object as JSON.
    pub fn expanded(&self) -> Cow<'_, str> {
        if self.groups.iter().all(|group| group.count == 1) {
            return Cow::Borrowed(&self.json.0);
        }
        let mut expanded = String::with_capacity(self.bytes());
        let mut written = 0;
        for group in &self.groups {
            expanded.push_str(self.json.0.get(written..group.template.end).unwrap_or_default());
            for _ in 1..group.count {
                expanded.push(',');
                expanded.push_str(self.template(group));
            }
            written = group.template.end;
        }
        expanded.push_str(self.json.0.get(written..).unwrap_or_default());
        Cow::Owned(expanded)
    }

    /// The expanded object for the cluster.
    ///
    /// # Errors
    /// The stored object is not a valid FlashJob.
    pub fn flash_job(&self) -> Result<FlashJob, serde_json::Error> {
        let mut job: FlashJob = serde_json::from_str(&self.json.0)?;
        let templates = std::mem::take(&mut job.spec.tasks).into_iter().zip(&self.groups);
        job.spec.tasks = templates.flat_map(|(template, group)| vec![template; group.count]).collect();
        Ok(job)
    }

    /// The objects that this executor sends to the cluster, as JSON.
    ///
    /// # Errors
    /// The stored object is not a valid FlashJob.
    pub fn objects(&self, executor: ExecutorMode) -> Result<Vec<String>, serde_json::Error> {
        match executor {
            ExecutorMode::Scheduler => Ok(vec![self.expanded().into_owned()]),
            ExecutorMode::Local => {
                let job = self.flash_job()?;
                let name = job.metadata.name.clone().unwrap_or_default();
                local::objects(&job, &name).iter().map(serde_json::to_string).collect()
            }
        }
    }

    /// The pod template of the task with this index as JSON; `None` beyond the last task.
    pub fn template_of(&self, task: usize) -> Option<&str> {
        let mut behind = 0;
        let group = self.groups.iter().find(|group| {
            behind += group.count;
            task < behind
        })?;
        Some(self.template(group))
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Manifest").field(&self.expanded()).finish()
    }
}

impl From<Kept> for Manifest {
    fn from(kept: Kept) -> Self {
        let counts = kept.task_counts.unwrap_or_default();
        let counts: Vec<_> = counts.into_iter().map(|count| usize::try_from(count).unwrap_or(1)).collect();
        Self::new(kept.manifest.0.into(), &counts)
    }
}

/// The range of `part`, a substring of `whole`.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start + part.len()
}

/// Length of JSON when encoded by Go.
fn escaped_by_go(json: &str) -> usize {
    let longer = json.bytes().filter(|byte| matches!(byte, b'<' | b'>' | b'&')).count();
    let separators = json.matches(['\u{2028}', '\u{2029}']).count();
    json.len() + 5 * longer + 3 * separators
}

/// Compact JSON as text: a parsed tree would take many times as much memory.
#[derive(Debug, Clone, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = Jsonb)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The version of PostgreSQL's binary format of jsonb.
const JSONB: u8 = 1;

impl FromSql<Jsonb, Pg> for JsonText {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        match bytes.as_bytes() {
            [JSONB, text @ ..] => Ok(Self(compact(std::str::from_utf8(text)?).into())),
            _ => Err("jsonb of an unknown version".into()),
        }
    }
}

impl ToSql<Jsonb, Pg> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write;
        out.write_all(&[JSONB])?;
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

/// JSON without the whitespace that PostgreSQL adds.
fn compact(json: &str) -> String {
    let mut compacted = String::with_capacity(json.len());
    let (mut in_text, mut escaped) = (false, false);
    compacted.extend(json.chars().filter(|&c| {
        if in_text {
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
            return true;
        }
        in_text = c == '"';
        !c.is_ascii_whitespace()
    }));
    compacted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn task(name: &str, argument: &str) -> Value {
        json!({ "spec": { "containers": [{ "name": name, "image": "a", "args": [argument] }] } })
    }

    fn manifest(tasks: &[Value], counts: &[usize]) -> Manifest {
        let json = json!({ "kind": "FlashJob", "metadata": {}, "spec": { "minAvailable": 1, "tasks": tasks }, "x": 1 });
        Manifest::new(json.to_string(), counts)
    }

    #[test]
    fn an_object_that_is_expanded_has_every_task_in_its_place() {
        let (a, b, c) = (task("a", "]},["), task("b", "\\\""), task("c", ""));
        let kept = manifest(&[a.clone(), b.clone(), c.clone()], &[2, 1, 3]);
        let expanded: Value = serde_json::from_str(&kept.expanded()).unwrap();
        let expected = json!({ "kind": "FlashJob", "metadata": {},
            "spec": { "minAvailable": 1, "tasks": [a, a, b, c, c, c] }, "x": 1 });
        assert_eq!(expanded, expected);
        assert_eq!((kept.task_count(), kept.counts()), (6, vec![2, 1, 3]));
        assert_eq!(kept.flash_job().unwrap().spec.tasks.len(), 6);
    }

    #[test]
    fn the_size_is_known_without_expanding() {
        for counts in [&[1, 1][..], &[7, 1], &[256, 3], &[]] {
            let kept = manifest(&[task("a", "ü"), task("b", "")], counts);
            assert_eq!(kept.bytes(), kept.expanded().len(), "{counts:?}");
            assert_eq!(kept.bytes_in_cluster(), kept.bytes());
        }
        assert_eq!(manifest(&[], &[]).bytes(), manifest(&[], &[]).expanded().len());
    }

    #[test]
    fn what_go_escapes_counts_as_six_bytes() {
        let plain = manifest(&[task("a", "xxxxx")], &[3]);
        let escaped = manifest(&[task("a", "<>&\u{2028}\u{2029}")], &[3]);
        assert_eq!(escaped.bytes_in_cluster(), plain.bytes() + 3 * 5 * 5);
    }

    #[test]
    fn a_row_without_counts_has_each_task_by_itself() {
        let json = r#"{"spec": {"tasks": [{"spec": {"containers": [{"name": "a b"}]}}, {}]}, "kind": "FlashJob"}"#;
        let kept = Manifest::from(Kept { manifest: JsonText(compact(json).into()), task_counts: None });
        assert_eq!(
            kept.expanded(),
            r#"{"spec":{"tasks":[{"spec":{"containers":[{"name":"a b"}]}},{}]},"kind":"FlashJob"}"#
        );
        let templates: Vec<_> = (0..3).map(|task| kept.template_of(task)).collect();
        assert_eq!(templates, [Some(r#"{"spec":{"containers":[{"name":"a b"}]}}"#), Some("{}"), None]);
    }

    #[test]
    fn what_is_no_flash_job_is_shown_as_it_is() {
        let kept = Manifest::new("{}".into(), &[4]);
        assert_eq!((kept.expanded(), kept.task_count(), kept.bytes()), ("{}".into(), 0, 2));
        assert!(kept.flash_job().is_err());
    }
}
