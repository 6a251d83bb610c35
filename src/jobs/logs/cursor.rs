//! The position of a reader in a task's log, and the opaque cursor that represents it to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cluster::logs::{After, Mark, Position};
use crate::cursors::CursorKind;
use crate::error::ApiError;
use crate::ids::JobId;

/// The prefix of a cursor, so that another feed's cursor is not accepted.
const MARK: &str = "l2";
/// The prefix of cursors from when only a task's first container could be read.
const OLDER_MARK: &str = "l";

/// The position of a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The job.
    pub job: JobId,
    /// The index of its task.
    pub task: i32,
    /// The uid of the pod being read; `None` before the first.
    pub pod: Option<String>,
    /// The progress with each container that is currently read; those before them have been read.
    pub strands: Vec<Strand>,
    /// Whether lines were lost before they could be delivered.
    pub missing: bool,
    /// Whether everything that the pod will ever write was read.
    pub whole: bool,
}

/// The progress with one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strand {
    /// The container; empty in an older cursor.
    pub container: String,
    /// The run of the container: its number of restarts before. `None` before the first run, and in an older cursor.
    pub run: Option<i32>,
    /// The last line of that run that was read.
    pub after: After,
    /// Whether everything that the container will ever write was read.
    pub whole: bool,
}

impl Strand {
    /// At the beginning of a container's log.
    pub fn of(container: &str) -> Self {
        Self { container: container.to_owned(), run: None, after: After::Start, whole: false }
    }

    fn text(&self) -> String {
        let Self { container, run, after, whole } = self;
        let run = run.map(|run| run.to_string()).unwrap_or_default();
        let after = match after {
            After::Start => String::new(),
            After::Mark(Mark { since, count, last }) => {
                let since = since.map(|since| since.to_string()).unwrap_or_default();
                format!("m{since}.{count}.{last}")
            }
            After::Instant(Position { nanos, nth }) => format!("i{nanos}.{nth}"),
        };
        let whole = if *whole { "whole" } else { "" };
        format!("{container}:{run}:{after}:{whole}")
    }

    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let [container, run, after, whole] = parts[..] else { return None };
        let after = match (after.strip_prefix('m'), after.strip_prefix('i')) {
            (Some(mark), _) => {
                let parts: Vec<&str> = mark.split('.').collect();
                let [since, count, last] = parts[..] else { return None };
                After::Mark(Mark { since: optional(since)?, count: count.parse().ok()?, last: last.parse().ok()? })
            }
            (None, Some(instant)) => After::Instant(position(instant)?),
            (None, None) => after.is_empty().then_some(After::Start)?,
        };
        Some(Self { container: container.to_owned(), run: optional(run)?, after, whole: whole == "whole" })
    }
}

/// A number or an empty text; `None` if it is neither.
fn optional<N: std::str::FromStr>(text: &str) -> Option<Option<N>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

fn position(text: &str) -> Option<Position> {
    let (nanos, nth) = text.split_once('.')?;
    Some(Position { nanos: nanos.parse().ok()?, nth: nth.parse().ok()? })
}

impl Place {
    /// Before everything.
    pub fn start(job: JobId, task: i32) -> Self {
        Self { job, task, pod: None, strands: Vec::new(), missing: false, whole: false }
    }

    /// The cursor for clients.
    pub fn cursor(&self) -> String {
        let Self { job, task, pod, strands, missing, whole } = self;
        let pod = pod.as_deref().unwrap_or_default();
        let strands = strands.iter().map(Strand::text).collect::<Vec<_>>().join(",");
        let missing = if *missing { "missing" } else { "" };
        let whole = if *whole { "whole" } else { "" };
        URL_SAFE_NO_PAD.encode(format!("{MARK}/{job}/{task}/{pod}/{strands}/{missing}/{whole}"))
    }

    /// Parses a client's cursor for the log of this task.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at `after` if it is not a cursor of this log.
    pub fn from_cursor(cursor: &str, job: JobId, task: i32) -> Result<Self, ApiError> {
        let place = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| Self::parse(&String::from_utf8(bytes).ok()?));
        place
            .filter(|place| place.job == job && place.task == task)
            .ok_or_else(|| CursorKind::Log.misplaced("after", cursor, format_args!("the log of task {task} of {job}")))
    }

    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let (job, task, pod, strands, missing, whole) = match parts[..] {
            [MARK, job, task, pod, strands, missing, whole] => {
                let strands = strands.split(',').filter(|strand| !strand.is_empty()).map(Strand::parse);
                (job, task, pod, strands.collect::<Option<Vec<_>>>()?, missing, whole)
            }
            [OLDER_MARK, job, task, pod, after, whole] => {
                let after = if after.is_empty() { None } else { Some(After::Instant(position(after)?)) };
                let strands = after.map(|after| Strand { after, ..Strand::of("") });
                (job, task, pod, strands.into_iter().collect(), "", whole)
            }
            _ => return None,
        };
        Some(Self {
            job: job.parse().ok()?,
            task: task.parse().ok()?,
            pod: Some(pod).filter(|pod| !pod.is_empty()).map(str::to_owned),
            strands,
            missing: missing == "missing",
            whole: whole == "whole",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn job() -> JobId {
        JobId::from_uuid(uuid::Uuid::from_u128(7))
    }

    #[test]
    fn another_task_s_cursor_is_refused() {
        let cursor = Place::start(job(), 1).cursor();
        insta::assert_snapshot!(Place::from_cursor(&cursor, job(), 0).unwrap_err(), @r#""bDIvam9iXzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA3LzEvLy8v" is not a cursor of the log of task 0 of job_00000000000000000000000007"#);
    }

    #[test]
    fn a_cursor_handed_out_before_several_containers_could_be_read_is_good() {
        let text = "l/job_00000000000000000000000007/0/9f2c4a3e-0000-4000-8000-000000000000/1800000000000000001.2/";
        let place = Place::from_cursor(&URL_SAFE_NO_PAD.encode(text), job(), 0).unwrap();
        let after = After::Instant(Position { nanos: 1_800_000_000_000_000_001, nth: 2 });
        assert_eq!(place.strands, [Strand { after, ..Strand::of("") }]);
        assert!(!place.whole && place.pod.is_some());
    }

    fn strand() -> impl Strategy<Value = Strand> {
        let after = prop_oneof![
            Just(After::Start),
            any::<(Option<i64>, u64, i64)>().prop_map(|(since, count, last)| After::Mark(Mark { since, count, last })),
            any::<(i64, u32)>().prop_map(|(nanos, nth)| After::Instant(Position { nanos, nth })),
        ];
        ("[a-z0-9-]{1,63}", any::<Option<i32>>(), after, any::<bool>())
            .prop_map(|(container, run, after, whole)| Strand { container, run, after, whole })
    }

    proptest! {
        #[test]
        fn every_place_comes_back(
            task: i32, pod in "([0-9a-f-]{36})?", strands in proptest::collection::vec(strand(), 0..4), missing: bool, whole: bool
        ) {
            let pod = Some(pod).filter(|pod| !pod.is_empty());
            let place = Place { job: job(), task, pod, strands, missing, whole };
            prop_assert_eq!(Place::from_cursor(&place.cursor(), job(), task).unwrap(), place);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,80}") {
            let _ = Place::from_cursor(&text, job(), 0);
            let _ = Place::parse(&text);
        }
    }
}
