//! The rules of the code base, checked on the source tree. A violation names the file, the line and the rule. Rules about a
//! single file apply to `crates/` too; that the crates do not depend on the server is checked by the compiler.
//!
//! The doc comment of `src/lib.rs` lists the modules. Code after `#[cfg(test)]`, in a file `tests.rs` or in a directory
//! `tests` is test code, to which these rules do not apply.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

/// From the roof to the cellar. Each room may know those below it, but not those beside it. Between the two stands the
/// floor of the [`DOMAINS`].
const ABOVE: [&[&str]; 5] = [&["cli"], &["app"], &["http"], &["schema"], &["watch"]];
const BELOW: [&[&str]; 12] = [
    &["change"],
    &["executor"],
    &["feeds", "reconcile"],
    &["auth"],
    &["trail"],
    &["events"],
    &["cluster", "objects"],
    &["graphql"],
    &["db"],
    &["cursors"],
    &["config", "error", "ids", "quantity", "tasks"],
    &["outbound"],
];

/// The rooms with a subject of their own, as the map lists them. Of each other they may know what [`SHARED`] lists.
static DOMAINS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let floor = map.lines().find(|line| line.ends_with("| one room a domain |")).unwrap();
    let names = Regex::new(r"\[`(\w+)`\]").unwrap();
    names.captures_iter(floor).map(|name| name[1].to_owned()).collect()
});

fn is_domain(room: &str) -> bool {
    DOMAINS.iter().any(|domain| domain == room)
}

/// The parts of a domain room that other domain rooms may know.
const SHARED: [&str; 3] = ["model", "loader", "types"];

/// What `dev` may know of the server: it meets it over the wire, so only what both have to write alike.
const KNOWN_TO_DEV: [&str; 6] = ["dev", "cluster", "config", "error", "ids", "tasks"];

/// The rooms that know the development cluster: `cli` starts it, `dev` shares its lock of a folder.
const KNOWS_DEV_CLUSTER: [&str; 2] = ["dev", "cli"];

/// Rooms that may not know GraphQL, though one of them stands above the toolkit.
const WITHOUT_GRAPHQL: [&str; 4] = ["cluster", "events", "db", "objects"];

const LONGEST_FILE: usize = 450;
/// The tables as diesel prints them: one declaration for each, however many there are.
const PRINTED: &str = "src/db/tables.rs";

/// A source file of the server: its text without test code.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        let first = self.path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn file_name(&self) -> &str {
        self.path.file_name().unwrap().to_str().unwrap()
    }

    fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(Path::new("src").join(folder))
    }

    /// Lines of code, numbered from 1; comments are blank.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| {
            let comment = line.trim_start().starts_with("//");
            (index + 1, if comment { "" } else { line })
        })
    }

    /// The lines that match, as violations of `rule`.
    fn matching(&self, pattern: &Regex, rule: &str) -> Vec<String> {
        let lines = self.code().filter(|(_, line)| pattern.is_match(line));
        lines.map(|(number, line)| violation(&self.path, number, rule, line)).collect()
    }
}

fn violation(path: &Path, line: usize, rule: &str, text: &str) -> String {
    format!("{}:{line}: {rule}\n    {}", path.display(), text.trim())
}

/// Every file of `src`, sorted.
fn sources() -> Vec<Source> {
    let found = sources_in(vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")]);
    assert!(found.len() > 20, "the tree is not where this test looks for it");
    found
}

/// The same with the sources of the crates.
fn all_sources() -> Vec<Source> {
    let crates = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")).unwrap();
    let found = sources_in(crates.map(|entry| entry.unwrap().path().join("src")).collect());
    assert!(found.len() > 20, "the crates are not where this test looks for them");
    sources().into_iter().chain(found).collect()
}

fn sources_in(mut folders: Vec<PathBuf>) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && name != "tests.rs"
                && !name.to_string_lossy().ends_with("_tests.rs")
            {
                let text = without_tests(&fs::read_to_string(&path).unwrap());
                found.push(Source { path: path.strip_prefix(root).unwrap().to_owned(), text });
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

/// `text` up to its test module, which stands last in a file; a test module in a file of its own is only named.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.contains("mod ") && next.ends_with('{'))
        {
            break;
        }
        writeln!(kept, "{line}").unwrap();
    }
    kept
}

fn assert_none(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<String> = violations.into_iter().collect();
    assert!(violations.is_empty(), "{} violations\n{}", violations.len(), violations.join("\n"));
}

/// What a file imports from its own crate: line, room, and the part of the room if the path names one.
fn imports(source: &Source) -> Vec<(usize, String, Option<String>)> {
    let path = Regex::new(r"\bcrate::(\w+|\{)(?:::(\w+))?").unwrap();
    let mut found = Vec::new();
    for (number, line) in source.code() {
        for captures in path.captures_iter(line) {
            match &captures[1] {
                "{" => found.extend(grouped(&source.text, number).into_iter().map(|(room, part)| (number, room, part))),
                room => found.push((number, room.to_owned(), captures.get(2).map(|part| part.as_str().to_owned()))),
            }
        }
    }
    found
}

/// The outermost names in the `use crate::{ … };` that begins on `line`.
fn grouped(text: &str, line: usize) -> Vec<(String, Option<String>)> {
    let from_line: String = text.lines().skip(line - 1).flat_map(|line| [line, "\n"]).collect();
    let group = from_line.split_once("crate::{").map(|(_, rest)| rest).unwrap_or_default();
    let (mut depth, mut item, mut found) = (0, String::new(), Vec::new());
    for letter in group.chars() {
        match letter {
            '}' if depth == 0 => break,
            ',' if depth == 0 => found.push(std::mem::take(&mut item)),
            _ => {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                item.push(letter);
            }
        }
    }
    found.push(item);
    let path = |item: &String| {
        let mut names = item.trim().split("::").map(|name| name.split(' ').next().unwrap_or_default().to_owned());
        let room = names.next().filter(|room| !room.is_empty())?;
        Some((room, names.next().filter(|part| !part.starts_with('{'))))
    };
    found.iter().filter_map(path).collect()
}

fn floor(room: &str) -> Option<usize> {
    let among = |floors: &[&[&str]]| floors.iter().position(|rooms| rooms.contains(&room));
    let below = || among(&BELOW).map(|floor| ABOVE.len() + 1 + floor);
    if is_domain(room) { Some(ABOVE.len()) } else { among(&ABOVE).or_else(below) }
}

/// Why `room` may not know `other`, if it may not.
fn arrow_up(room: &str, other: &str, part: Option<&str>) -> Option<String> {
    // A macro of the crate stands at its root, whichever room it is from.
    let (from, to) = (floor(room), floor(other));
    if room == other || (other != "dev" && to.is_none()) {
        return None;
    }
    match (room, other) {
        ("app" | "cli", "dev") => None,
        ("dev", other) if KNOWN_TO_DEV.contains(&other) => None,
        ("dev", _) => Some(format!("dev meets the server over the wire and may not know {other}")),
        (_, "dev") => Some("only app and cli know dev".to_owned()),
        (room, "graphql") if WITHOUT_GRAPHQL.contains(&room) => Some(format!("{room} knows no GraphQL type")),
        (room, other) if is_domain(room) && is_domain(other) => {
            let shared = part.is_some_and(|part| SHARED.contains(&part) || part.starts_with(char::is_uppercase));
            (!shared).then(|| format!("{room} may know the {} of {other} only", SHARED.join(", ")))
        }
        _ if to > from => None,
        _ => Some(format!("arrows point down: {room} may not know {other}")),
    }
}

#[test]
fn every_room_is_on_the_map() {
    let strangers = sources().into_iter().filter(|source| {
        let room = source.room();
        !matches!(room, "lib" | "main" | "dev") && floor(room).is_none()
    });
    assert_none(strangers.map(|source| {
        violation(&source.path, 1, "this room is neither on the map nor on a floor of tests/house.rs", "")
    }));
}

#[test]
fn arrows_point_down() {
    let mut violations = Vec::new();
    for source in sources().iter().filter(|source| !matches!(source.room(), "lib" | "main")) {
        for (line, other, part) in imports(source) {
            if let Some(rule) = arrow_up(source.room(), &other, part.as_deref()) {
                violations.push(violation(&source.path, line, &rule, &format!("crate::{other}")));
            }
        }
    }
    assert_none(violations);
}

#[test]
fn the_rooms_below_graphql_know_no_graphql_type() {
    let pattern = Regex::new(r"\basync_graphql\b").unwrap();
    let below = sources().into_iter().filter(|source| WITHOUT_GRAPHQL.contains(&source.room()));
    assert_none(
        below.flat_map(|source| source.matching(&pattern, "cluster, events, objects and db know no GraphQL type")),
    );
}

#[test]
fn sql_stands_in_models_and_loaders() {
    let pattern = Regex::new(
        r"\b(sql_query|QueryDsl|RunQueryDsl|ExpressionMethods|batch_execute|insert_into)\b|diesel(_async)?::prelude|diesel::(update|delete|insert_into|select)\b",
    )
    .unwrap();
    let elsewhere = sources().into_iter().filter(|source| {
        let parent = source.path.parent().and_then(Path::file_name).unwrap();
        !matches!(source.file_name(), "model.rs" | "loader.rs")
            && !matches!(parent.to_str(), Some("model" | "loader"))
            && !source.is_below("db")
            // The embedded server makes its own database, over the wire.
            && !source.is_below("dev")
    });
    assert_none(
        elsewhere.flat_map(|source| source.matching(&pattern, "SQL stands in model.rs, loader.rs and db only")),
    );
}

#[test]
fn kubernetes_is_called_in_three_rooms() {
    // Types such as `kube::api::ObjectMeta` are data; what sends a request is not.
    let pattern =
        Regex::new(r"\bkube::(\{|Client|Api\b|client|runtime|api::(\{|Api|Patch|Post|List|Delete|Log|Watch))").unwrap();
    let elsewhere = sources()
        .into_iter()
        .filter(|source| !["cluster", "executor", "watch", "dev"].iter().any(|room| source.is_below(room)));
    assert_none(
        elsewhere.flat_map(|source| source.matching(&pattern, "only cluster, executor and watch speak Kubernetes")),
    );
}

#[test]
fn only_dev_knows_the_development_cluster() {
    let pattern = Regex::new(r"\bdev_cluster::").unwrap();
    let elsewhere = sources().into_iter().filter(|source| !KNOWS_DEV_CLUSTER.contains(&source.room()));
    assert_none(
        elsewhere.flat_map(|source| source.matching(&pattern, "only dev and cli know the development cluster")),
    );
}

#[test]
fn permissions_are_decided_in_one_place() {
    let pattern = Regex::new(r"([!=]=\s*&?|matches!\([^)]*)\b(PlatformRole|GroupRole)::").unwrap();
    let elsewhere = sources().into_iter().filter(|source| !source.is_below("auth") && !source.is_below("dev"));
    assert_none(
        elsewhere.flat_map(|source| source.matching(&pattern, "who may do what is decided in auth/policy.rs only")),
    );
}

/// What a caller changes is changed by a `Change`, with permission, audit entry, events and key.
#[test]
fn mutations_write_through_one_construct() {
    let transaction = Regex::new(r"\.transaction\(|begin_transaction|\b(audit_log|idempotency_keys)::").unwrap();
    let rule = "a mutation writes through change::Writes only";
    // A model's transactions are those of the platform itself, as it takes in what it has observed.
    let rooms = sources().into_iter().filter(|source| is_domain(source.room()) && source.file_name() != "model.rs");
    let rooms = rooms.filter(|source| !source.path.components().any(|part| part.as_os_str() == "model"));
    assert_none(rooms.flat_map(|source| source.matching(&transaction, rule)));
    // These permits ask nobody: the operator's is for the command line, the platform's for what it does by itself.
    let permits: [(&str, &[&str]); 2] =
        [("of_operator", &["users/service.rs"]), ("of_platform", &["projects/keeper.rs", "webhooks/worker.rs"])];
    for (permit, places) in permits {
        let granted = Regex::new(&format!(r"\b{permit}\(")).unwrap();
        let rule = "only the operator's commands and the platform's own work go without a caller's permit";
        let is_known = |source: &Source| places.iter().any(|place| source.path.ends_with(place));
        let elsewhere = sources().into_iter().filter(|source| !is_known(source) && !source.is_below("auth"));
        assert_none(elsewhere.flat_map(|source| source.matching(&granted, rule)));
    }
}

#[test]
fn a_file_has_one_subject_and_says_which() {
    let mut violations = Vec::new();
    for Source { path, .. } in all_sources() {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        let lines = text.lines().count();
        if lines > LONGEST_FILE && path != Path::new(PRINTED) {
            violations.push(violation(&path, lines, &format!("a file has at most {LONGEST_FILE} lines"), ""));
        }
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") {
            violations.push(violation(&path, 1, "a file starts with a `//!` line that says what it is for", first));
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        if ["common", "data", "helper", "helpers", "manager", "misc", "util", "utils"].contains(&name) {
            violations.push(violation(&path, 1, "a file's name says what it is about", ""));
        }
    }
    assert_none(violations);
}

#[test]
fn nothing_panics_outside_tests() {
    let pattern = Regex::new(r"\.unwrap\(\)|\.expect\(|\b(panic|todo|unimplemented)!\(|\bdbg!\(").unwrap();
    let excused = Regex::new(r"clippy::(expect|unwrap)_used, reason = ").unwrap();
    let mut violations = Vec::new();
    for source in all_sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.code().filter(|(_, line)| pattern.is_match(line)) {
            let before = &lines[number.saturating_sub(4)..number];
            if !before.iter().any(|line| excused.is_match(line)) {
                violations.push(violation(&source.path, number, "nothing panics outside tests", line));
            }
        }
    }
    assert_none(violations);
}

#[test]
fn imports_are_read_in_all_their_forms() {
    let text = "use crate::db::Pool;\nuse crate::{\n    auth,\n    users::model::User, groups::{model::Group, types},\n};\n// crate::cli\nlet x = crate::http::serve();\n";
    let source = Source { path: "src/jobs/query.rs".into(), text: text.to_owned() };
    let found = imports(&source);
    let found: Vec<_> = found.iter().map(|(line, room, part)| (*line, room.as_str(), part.as_deref())).collect();
    assert_eq!(
        found,
        [
            (1, "db", Some("Pool")),
            (2, "auth", None),
            (2, "users", Some("model")),
            (2, "groups", None),
            (7, "http", Some("serve"))
        ]
    );
}

#[test]
fn arrows_are_judged() {
    let judged = |room, other, part| arrow_up(room, other, part).unwrap_or_else(|| "fine".to_owned());
    assert_eq!(judged("jobs", "executor", None), "fine");
    assert_eq!(judged("jobs", "users", Some("model")), "fine");
    assert_eq!(judged("jobs", "users", Some("mutation")), "jobs may know the model, loader, types of users only");
    assert_eq!(judged("db", "jobs", None), "arrows point down: db may not know jobs");
    assert_eq!(judged("cluster", "graphql", None), "cluster knows no GraphQL type");
    assert_eq!(judged("http", "dev", None), "only app and cli know dev");
    assert_eq!(judged("dev", "jobs", None), "dev meets the server over the wire and may not know jobs");
    assert_eq!(judged("auth", "text_enum", None), "fine");
}
