//! Operations generated from the schema: with fragments, aliases, directives and variables, and some with one mistake.

use std::fmt::Write as _;

use async_graphql::parser::types::{FieldDefinition, InputValueDefinition, Type};
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use super::types::{Types, named};
use super::values::{Ids, Values};

/// Selections within selections.
const DEPTH: usize = 5;
/// Fields of an operation, roughly.
const FIELDS: usize = 40;

/// An operation and the values of its variables.
#[derive(Debug, Clone)]
pub struct Made {
    pub document: String,
    pub variables: Value,
}

/// What is wrong in an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Field,
    Argument,
    MissingArgument,
    RepeatedArgument,
    Literal,
    UndefinedVariable,
    UnusedVariable,
    VariableType,
    VariableValue,
    MissingValue,
    LeafSelection,
    NoSelection,
    Spread,
    Condition,
    Directive,
    RepeatedDirective,
    UnusedFragment,
    Cycle,
    TwoOperations,
    Syntax,
}

const WRONGS: [Wrong; 20] = [
    Wrong::Field,
    Wrong::Argument,
    Wrong::MissingArgument,
    Wrong::RepeatedArgument,
    Wrong::Literal,
    Wrong::UndefinedVariable,
    Wrong::UnusedVariable,
    Wrong::VariableType,
    Wrong::VariableValue,
    Wrong::MissingValue,
    Wrong::LeafSelection,
    Wrong::NoSelection,
    Wrong::Spread,
    Wrong::Condition,
    Wrong::Directive,
    Wrong::RepeatedDirective,
    Wrong::UnusedFragment,
    Wrong::Cycle,
    Wrong::TwoOperations,
    Wrong::Syntax,
];

/// Makes operations, the same for the same random numbers.
pub struct Maker<'a> {
    types: &'a Types,
    values: Values<'a>,
    random: &'a mut StdRng,
    /// What is still to be done wrong.
    wrong: Option<Wrong>,
    declared: Vec<String>,
    given: Map<String, Value>,
    fragments: Vec<String>,
    fields: usize,
}

impl<'a> Maker<'a> {
    /// The next operation: a query, or a mutation of something that is not there.
    pub fn make(types: &'a Types, ids: &'a Ids, random: &'a mut StdRng) -> Made {
        let wrong = random.random_bool(0.35).then(|| WRONGS[random.random_range(0..WRONGS.len())]);
        let values = Values { types, ids };
        let (declared, given, fragments) = (Vec::new(), Map::new(), Vec::new());
        Maker { types, values, random, wrong, declared, given, fragments, fields: 0 }.operation()
    }

    fn chance(&mut self, likelihood: f64) -> bool {
        self.random.random_bool(likelihood)
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.random.random_range(0..from.len())]
    }

    /// Whether this is the place to do `wrong`.
    fn goes_wrong(&mut self, wrong: Wrong) -> bool {
        let here = self.wrong == Some(wrong) && self.chance(0.5);
        if here {
            self.wrong = None;
        }
        here
    }

    fn operation(mut self) -> Made {
        let is_mutation = self.chance(0.08);
        let body = match is_mutation {
            true => self.cancel(),
            false => self.selection("Query", 0),
        };
        if self.goes_wrong(Wrong::UnusedVariable) {
            self.declared.push("$unused: Int".to_owned());
        }
        let mut document = if is_mutation { "mutation".to_owned() } else { "query".to_owned() };
        if self.chance(0.3) {
            document.push_str(" Named");
        }
        if !self.declared.is_empty() {
            let _ = write!(document, "({})", self.declared.join(", "));
        }
        let _ = write!(document, " {body}");
        for fragment in &self.fragments {
            let _ = write!(document, "\n{fragment}");
        }
        if self.goes_wrong(Wrong::UnusedFragment) {
            document.push_str("\nfragment Unused on User { id }");
        }
        if self.goes_wrong(Wrong::TwoOperations) {
            document.push_str("\nquery Other { viewer { id } }");
        }
        if self.goes_wrong(Wrong::Syntax) {
            let places: Vec<usize> = document.char_indices().map(|(place, _)| place).collect();
            let place = *self.pick(&places);
            document.remove(place);
        }
        Made { document, variables: Value::Object(self.given) }
    }

    /// Mutations of what is not there: they change nothing, so both servers may be told to.
    fn cancel(&mut self) -> String {
        let input = self.argument_text("$input: CancelJobInput!", r#"{id: "job_01h455vb4pex5vsknk084sn02q"}"#);
        let again =
            if self.chance(0.4) { format!("two: cancelJob(input: {input}) {{ job {{ id }} }}") } else { String::new() };
        format!("{{ cancelJob(input: {input}) {{ job {{ id phase }} }} {again} }}")
    }

    fn argument_text(&mut self, declared: &str, literal: &str) -> String {
        if self.chance(0.5) {
            return literal.to_owned();
        }
        self.declared.push(declared.to_owned());
        self.given.insert("input".to_owned(), json!({ "id": "job_01h455vb4pex5vsknk084sn02q" }));
        "$input".to_owned()
    }

    fn selection(&mut self, ty: &str, depth: usize) -> String {
        let mut selected = Vec::new();
        let objects: Vec<String> = self.types.objects_of(ty).into_iter().map(str::to_owned).collect();
        for _ in 0..self.random.random_range(1..=4) {
            if !objects.is_empty() && self.chance(0.6) {
                let object = self.pick(&objects).clone();
                let below = self.selection(&object, depth + 1);
                let condition = self.directives();
                selected.push(format!("... on {object}{condition} {below}"));
                continue;
            }
            match self.random.random_range(0..100) {
                0..6 => {
                    let (condition, below) = (self.directives(), self.selection_of_fields(ty, depth + 1));
                    let on = if self.chance(0.5) { format!(" on {ty}") } else { String::new() };
                    selected.push(format!("...{on}{condition} {below}"));
                }
                6..12 => {
                    let name = format!("F{}", self.fragments.len());
                    // Its place is taken before those of the fragments within.
                    self.fragments.push(String::new());
                    let place = self.fragments.len() - 1;
                    let mut below = self.selection_of_fields(ty, depth + 1);
                    if self.goes_wrong(Wrong::Cycle) {
                        below = below.replacen('{', &format!("{{ ...{name} "), 1);
                    }
                    self.fragments[place] = format!("fragment {name} on {ty} {below}");
                    let condition = self.directives();
                    selected.push(format!("...{name}{condition}"));
                    if self.chance(0.2) {
                        selected.push(format!("...{name}"));
                    }
                }
                _ => selected.extend(self.field(ty, depth)),
            }
        }
        if self.goes_wrong(Wrong::Spread) {
            selected.push("...Nowhere".to_owned());
        }
        if self.goes_wrong(Wrong::Condition) {
            selected.push("... on PageInfo { hasNextPage }".to_owned());
        }
        if selected.is_empty() {
            selected.push("__typename".to_owned());
        }
        format!("{{ {} }}", selected.join(" "))
    }

    fn selection_of_fields(&mut self, ty: &str, depth: usize) -> String {
        let fields: Vec<String> = (0..2).filter_map(|_| self.field(ty, depth)).collect();
        if fields.is_empty() { "{ __typename }".to_owned() } else { format!("{{ {} }}", fields.join(" ")) }
    }

    fn field(&mut self, ty: &str, depth: usize) -> Option<String> {
        if self.goes_wrong(Wrong::Field) {
            return Some("nothingOfTheKind".to_owned());
        }
        if self.chance(0.05) {
            return Some("__typename".to_owned());
        }
        let types = self.types;
        let is_deep = depth >= DEPTH || self.fields >= FIELDS;
        let fields = types.fields(ty).into_iter().filter(|field| {
            // They tell of the moment, and have an ID that is new each time.
            let changes = ["rateLimit", "manifests"].contains(&field.name.node.as_str());
            let leads_on = is_deep && types.is_composite(named(&field.ty.node));
            !changes && !leads_on
        });
        let fields: Vec<&FieldDefinition> = fields.collect();
        if fields.is_empty() {
            return None;
        }
        let field = *self.pick(&fields);
        self.fields += 1;
        let alias =
            if self.chance(0.12) { format!("{}: ", self.pick(&["a", "b", "id", "other"])) } else { String::new() };
        let arguments = self.arguments(field);
        let directives = self.directives();
        let ty = named(&field.ty.node);
        let below = match types.is_composite(ty) {
            true if self.goes_wrong(Wrong::NoSelection) => String::new(),
            true => format!(" {}", self.selection(ty, depth + 1)),
            false if self.goes_wrong(Wrong::LeafSelection) => " { id }".to_owned(),
            false => String::new(),
        };
        Some(format!("{alias}{}{arguments}{directives}{below}", field.name.node))
    }

    fn arguments(&mut self, field: &FieldDefinition) -> String {
        let mut given = Vec::new();
        for argument in &field.arguments {
            let argument = &argument.node;
            let is_needed = !argument.ty.node.nullable && argument.default_value.is_none();
            // Both ends of a page at once are refused, which is told often enough.
            let likelihood =
                if ["before", "last", "after"].contains(&argument.name.node.as_str()) { 0.06 } else { 0.35 };
            if is_needed && self.goes_wrong(Wrong::MissingArgument) || !is_needed && !self.chance(likelihood) {
                continue;
            }
            let value = self.value(field, argument);
            given.push(format!("{}: {value}", argument.name.node));
            if self.goes_wrong(Wrong::RepeatedArgument) {
                given.push(format!("{}: {value}", argument.name.node));
            }
        }
        if self.goes_wrong(Wrong::Argument) {
            given.push("nothingOfTheKind: 1".to_owned());
        }
        if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) }
    }

    fn value(&mut self, field: &FieldDefinition, argument: &InputValueDefinition) -> String {
        let ty = &argument.ty.node;
        if self.goes_wrong(Wrong::UndefinedVariable) {
            return "$undefined".to_owned();
        }
        if self.goes_wrong(Wrong::Literal) {
            return (*self.pick(&["{nothing: 1}", "1.5", "\"text\"", "NOTHING", "[[1]]"])).to_owned();
        }
        let value = self.values.of(self.random, ty, (&field.name.node, &argument.name.node), 0);
        if self.chance(0.65) {
            return value.to_string();
        }
        let name = format!("v{}", self.declared.len());
        let declared = self.declared_type(ty);
        let default = match self.chance(0.25) && !matches!(value, async_graphql::Value::Null) {
            true => format!(" = {value}"),
            false => String::new(),
        };
        // A variable that may be left out: it has a default, or the argument may be.
        let may_be_missing = !default.is_empty() || !declared.ends_with('!');
        self.declared.push(format!("${name}: {declared}{default}"));
        let value = match self.goes_wrong(Wrong::VariableValue) {
            true => self
                .pick(&[json!({ "nothing": 1 }), json!(1.5), json!([[true]]), json!("NOTHING"), json!(null)])
                .clone(),
            false => value.into_json().unwrap(),
        };
        let is_missing = if may_be_missing { self.chance(0.3) } else { self.goes_wrong(Wrong::MissingValue) };
        if !is_missing {
            self.given.insert(name.clone(), value);
        }
        format!("${name}")
    }

    fn declared_type(&mut self, ty: &Type) -> String {
        if self.goes_wrong(Wrong::VariableType) {
            return (*self.pick(&["Boolean", "[Int!]", "Nothing", "User", "Float!"])).to_owned();
        }
        let declared = ty.to_string();
        // What may not be null fits where null may be.
        if ty.nullable && self.chance(0.2) { format!("{declared}!") } else { declared }
    }

    fn directives(&mut self) -> String {
        if self.goes_wrong(Wrong::Directive) {
            return " @nothing".to_owned();
        }
        if !self.chance(0.1) {
            return String::new();
        }
        let name = *self.pick(&["skip", "include"]);
        let condition = match self.random.random_range(0..3) {
            0 => "true".to_owned(),
            1 => "false".to_owned(),
            _ => {
                let name = format!("v{}", self.declared.len());
                let value = self.chance(0.5);
                self.declared.push(format!("${name}: Boolean!"));
                self.given.insert(name.clone(), value.into());
                format!("${name}")
            }
        };
        let directive = format!(" @{name}(if: {condition})");
        if self.goes_wrong(Wrong::RepeatedDirective) { directive.repeat(2) } else { directive }
    }
}
