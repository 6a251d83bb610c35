//! The JSON paths of `additionalPrinterColumns`: `.spec.ports[*].name`, `.status.conditions[?(@.type=="Ready")].status`,
//! `.metadata.labels.a\.b`, `.items[-1]`.

use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    Every,
    /// Entries whose field is (or is not) equal to a value.
    Where {
        path: Vec<Step>,
        equal: bool,
        value: Value,
    },
}

/// A path through an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JsonPath {
    steps: Vec<Step>,
}

impl JsonPath {
    /// Reads a path; `None` for one that this does not know (slices, recursive descent).
    pub(super) fn parse(text: &str) -> Option<JsonPath> {
        let mut rest = text;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest)?;
            steps.push(step);
            rest = after;
        }
        Some(JsonPath { steps })
    }

    /// The first value that the path leads to.
    pub(super) fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        follow(&self.steps, value)
    }
}

fn follow<'v>(steps: &[Step], value: &'v Value) -> Option<&'v Value> {
    let [step, rest @ ..] = steps else { return Some(value) };
    match step {
        Step::Field(name) => follow(rest, value.get(name)?),
        Step::Index(index) => {
            let entries = value.as_array()?;
            let index = if *index < 0 { index + i64::try_from(entries.len()).ok()? } else { *index };
            follow(rest, entries.get(usize::try_from(index).ok()?)?)
        }
        Step::Every => children(value).find_map(|child| follow(rest, child)),
        Step::Where { path, equal, value: wanted } => {
            let holds = |child: &&Value| follow(path, child).is_some_and(|found| is_same(found, wanted) == *equal);
            children(value).filter(holds).find_map(|child| follow(rest, child))
        }
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(entries) => Box::new(entries.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn is_same(found: &Value, wanted: &Value) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        (Some(found), Some(wanted)) => (found - wanted).abs() < f64::EPSILON,
        _ => found == wanted,
    }
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, rest) = rest.split_at(end_of_brackets(rest)?);
        return Some((in_brackets(inside)?, rest.strip_prefix(']')?));
    }
    let rest = text.strip_prefix('.').unwrap_or(text);
    let mut name = String::new();
    let mut chars = rest.char_indices();
    let mut end = rest.len();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '.' | '[' => {
                end = at;
                break;
            }
            c => name.push(c),
        }
    }
    let step = match name.as_str() {
        "" => return None,
        "*" => Step::Every,
        _ => Step::Field(name),
    };
    Some((step, &rest[end..]))
}

/// Where the bracket closes, past brackets in quotes and in filters.
fn end_of_brackets(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_u32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1)?,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

fn in_brackets(inside: &str) -> Option<Step> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Step::Every);
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|filter| filter.strip_suffix(')')) {
        let (left, equal, right) = match (filter.split_once("=="), filter.split_once("!=")) {
            (Some((left, right)), _) => (left, true, right),
            (None, Some((left, right))) => (left, false, right),
            (None, None) => return None,
        };
        let path = JsonPath::parse(left.trim().strip_prefix('@')?)?.steps;
        return Some(Step::Where { path, equal, value: literal(right.trim())? });
    }
    match unquoted(inside) {
        Some(name) => Some(Step::Field(name.to_owned())),
        None => inside.parse().ok().map(Step::Index),
    }
}

fn unquoted(text: &str) -> Option<&str> {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"'))
}

fn literal(text: &str) -> Option<Value> {
    match unquoted(text) {
        Some(text) => Some(Value::from(text)),
        None => serde_json::from_str(text).ok(),
    }
}
