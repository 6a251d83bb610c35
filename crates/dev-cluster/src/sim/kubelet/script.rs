//! What a pretend pod does, as the annotations on its template tell.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long each container runs: a Go duration (`1m30s`, `250ms`), plain seconds, or `forever`.
pub const DURATION: &str = "sim.platform/duration";
/// The exit code each container ends with (0 unless told).
pub const EXIT_CODE: &str = "sim.platform/exit-code";
/// How many lines a run writes, evenly spread over its duration.
pub const LOG_LINES: &str = "sim.platform/log-lines";
/// The very lines a run writes, evenly spread over its duration.
pub const LOG: &str = "sim.platform/log";
/// `true`: the container ends as one that used too much memory (137, `OOMKilled`).
pub const OOM: &str = "sim.platform/oom";
/// How long the image pull takes.
pub const PULL: &str = "sim.platform/pull";
/// The image cannot be pulled; the value is what the registry says.
pub const PULL_ERROR: &str = "sim.platform/pull-error";
/// The container cannot be started; the value is what the runtime says.
pub const START_ERROR: &str = "sim.platform/start-error";
/// The node evicts the pod at the time its containers would have ended; the value is the node's message.
pub const EVICT: &str = "sim.platform/evict";

const DEFAULT_RUN: Duration = Duration::from_secs(3);
const DEFAULT_INIT_RUN: Duration = Duration::from_secs(1);
const DEFAULT_PULL: Duration = Duration::from_millis(500);
const DEFAULT_LOG_LINES: u32 = 5;
const MAX_LOG_LINES: u32 = 1_000_000;

/// What one container does, in the pod's own time (not yet divided by the speed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// How long the image pull takes.
    pub pull: Duration,
    /// What the registry says when the image cannot be pulled.
    pub pull_error: Option<String>,
    /// What the runtime says when the container cannot be started.
    pub start_error: Option<String>,
    /// How long the container runs; `None` is until it is stopped.
    pub duration: Option<Duration>,
    /// How it ends.
    pub exit_code: i32,
    /// Whether it is killed for its memory.
    pub oom: bool,
    /// What it writes.
    pub log: LogScript,
}

/// What a container writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogScript {
    /// So many made-up lines.
    Lines(u32),
    /// These lines.
    Text(Vec<String>),
}

/// An annotation that does not mean anything.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("annotation {key} is {value:?}: {expected} expected")]
pub struct BadAnnotation {
    key: String,
    value: String,
    expected: &'static str,
}

/// Which of a pod's containers a script is for; it decides the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An init container: short, and deaf to annotations without its name.
    Init,
    /// An init container that runs beside the others until they have ended; deaf to annotations without its name.
    Sidecar,
    /// A container of a pod that is expected to end.
    Task,
    /// A container of a pod that is always restarted.
    Service,
}

impl Script {
    /// Reads the script of one container. `sim.platform/duration.NAME` speaks to the container of that name only and wins
    /// over `sim.platform/duration`, which speaks to all but init containers and sidecars; the other annotations likewise.
    pub fn read(annotations: &BTreeMap<String, String>, container: &str, role: Role) -> (Self, Vec<BadAnnotation>) {
        let mut reader = Reader { annotations, container, role, bad: Vec::new() };
        let duration = reader.parse(DURATION, "a duration such as 90s or 1m30s, or forever", |text| match text {
            "forever" => Some(None),
            text => parse_duration(text).map(Some),
        });
        let exit_code =
            reader.parse(EXIT_CODE, "a number from 0 to 255", |text| text.parse::<u8>().ok().map(i32::from));
        let lines = reader.parse(LOG_LINES, "a number up to 1000000", |text| {
            text.parse().ok().filter(|lines| *lines <= MAX_LOG_LINES)
        });
        let text = reader.find(LOG).map(|(_, text)| text.lines().map(str::to_owned).collect());
        let script = Self {
            pull: reader.parse(PULL, "a duration", parse_duration).unwrap_or(DEFAULT_PULL),
            pull_error: reader.find(PULL_ERROR).map(|(_, text)| text.to_owned()),
            start_error: reader.find(START_ERROR).map(|(_, text)| text.to_owned()),
            duration: duration.unwrap_or(match role {
                Role::Init => Some(DEFAULT_INIT_RUN),
                Role::Task => Some(DEFAULT_RUN),
                Role::Sidecar | Role::Service => None,
            }),
            exit_code: exit_code.unwrap_or(0),
            oom: reader.parse(OOM, "true or false", |text| text.parse().ok()).unwrap_or(false),
            log: match text {
                Some(text) => LogScript::Text(text),
                None => LogScript::Lines(lines.unwrap_or(DEFAULT_LOG_LINES)),
            },
        };
        (script, reader.bad)
    }
}

struct Reader<'a> {
    annotations: &'a BTreeMap<String, String>,
    container: &'a str,
    role: Role,
    bad: Vec<BadAnnotation>,
}

impl<'a> Reader<'a> {
    fn find(&self, key: &str) -> Option<(String, &'a str)> {
        let own = format!("{key}.{}", self.container);
        if let Some(value) = self.annotations.get(&own) {
            return Some((own, value));
        }
        match self.role {
            Role::Init | Role::Sidecar => None,
            Role::Task | Role::Service => self.annotations.get(key).map(|value| (key.to_owned(), value.as_str())),
        }
    }

    fn parse<T>(&mut self, key: &str, expected: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (key, value) = self.find(key)?;
        let parsed = parse(value.trim());
        if parsed.is_none() {
            self.bad.push(BadAnnotation { key, value: value.to_owned(), expected });
        }
        parsed
    }
}

/// Reads plain seconds (`2.5`) or a Go duration (`1h2m3.5s`, `250ms`).
pub fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let number: f64 = rest[..unit_at].parse().ok()?;
        let tail = &rest[unit_at..];
        let unit = &tail[..tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len())];
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &tail[unit.len()..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_pod_without_annotations_runs_three_seconds_and_succeeds() {
        let (script, bad) = Script::read(&BTreeMap::new(), "main", Role::Task);
        assert_eq!(script.duration, Some(Duration::from_secs(3)));
        assert_eq!((script.exit_code, script.oom, script.log), (0, false, LogScript::Lines(5)));
        assert_eq!(bad, []);
    }

    #[test]
    fn a_container_of_a_service_runs_until_it_is_stopped() {
        assert_eq!(Script::read(&BTreeMap::new(), "web", Role::Service).0.duration, None);
    }

    #[test]
    fn an_annotation_with_the_containers_name_wins() {
        let annotations = annotations(&[(EXIT_CODE, "1"), ("sim.platform/exit-code.side", "7")]);
        assert_eq!(Script::read(&annotations, "main", Role::Task).0.exit_code, 1);
        assert_eq!(Script::read(&annotations, "side", Role::Task).0.exit_code, 7);
        assert_eq!(Script::read(&annotations, "setup", Role::Init).0.exit_code, 0);
    }

    #[test]
    fn a_meaningless_annotation_is_reported_and_the_default_holds() {
        let (script, bad) = Script::read(&annotations(&[(DURATION, "soon")]), "main", Role::Task);
        assert_eq!(script.duration, Some(Duration::from_secs(3)));
        insta::assert_snapshot!(bad[0], @r#"annotation sim.platform/duration is "soon": a duration such as 90s or 1m30s, or forever expected"#);
    }

    #[test]
    fn durations_are_seconds_or_go() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(millis("2.5"), Some(2500));
        assert_eq!(millis("1m30s"), Some(90_000));
        assert_eq!(millis("250ms"), Some(250));
        assert_eq!(millis("1h0.5s"), Some(3_600_500));
        for nonsense in ["", "s", "5x", "-1", "1m-3s", "nan", "inf", "1 m", "é"] {
            assert_eq!(millis(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_duration_or_none(text in "\\PC{0,12}") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn whole_units_add_up(h in 0u64..100, m in 0u64..100, s in 0u64..100) {
            prop_assert_eq!(parse_duration(&format!("{h}h{m}m{s}s")), Some(Duration::from_secs(h * 3600 + m * 60 + s)));
        }
    }
}
