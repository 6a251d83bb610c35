//! Which operations need not be validated again: most of what is valid depends on the document alone, which comes again
//! and again, and what depends on variables is quickly seen where these are plain scalars.

use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::parser::types::{BaseType, OperationDefinition, VariableDefinition};
use async_graphql::{Name, Value, Variables};

/// What is known of one operation of a document.
#[derive(Debug)]
pub struct Validity {
    /// Its variables; `None` if only the schema can tell whether their values are right.
    declared: Option<Box<[Declared]>>,
    proven: AtomicBool,
}

#[derive(Debug)]
struct Declared {
    name: Name,
    scalar: Scalar,
    nullable: bool,
    has_default: bool,
}

/// The scalars of the specification (section 3.5), whose values need no schema to be told apart.
#[derive(Debug, Clone, Copy)]
enum Scalar {
    Id,
    String,
    Int,
    Float,
    Boolean,
}

impl Validity {
    /// Nothing is known of an operation that has not run.
    pub fn unknown(operation: &OperationDefinition) -> Self {
        let declared = operation.variable_definitions.iter().map(|variable| Declared::of(&variable.node)).collect();
        Self { declared, proven: AtomicBool::new(false) }
    }

    /// Whether the operation is valid with these variables, as far as is known.
    pub fn holds(&self, variables: &Variables) -> bool {
        self.proven.load(Ordering::Relaxed)
            && self.declared.as_ref().is_some_and(|declared| {
                declared.iter().all(|variable| match variables.get(&variable.name) {
                    Some(Value::Null) => variable.nullable,
                    Some(value) => variable.scalar.takes(value),
                    None => variable.nullable || variable.has_default,
                })
            })
    }

    /// Whether validation with these variables tells whether the operation is valid with others. It looks at no argument
    /// in which a variable stands that was left out.
    pub fn is_told_by(&self, variables: &Variables) -> bool {
        self.declared.as_ref().is_some_and(|all| all.iter().all(|one| variables.contains_key(&one.name)))
    }

    /// Notes that the operation passed a validation that [tells](Self::is_told_by).
    pub fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }
}

impl Declared {
    fn of(variable: &VariableDefinition) -> Option<Self> {
        let BaseType::Named(name) = &variable.var_type.node.base else { return None };
        let scalar = match name.as_str() {
            "ID" => Scalar::Id,
            "String" => Scalar::String,
            "Int" => Scalar::Int,
            "Float" => Scalar::Float,
            "Boolean" => Scalar::Boolean,
            _ => return None,
        };
        Some(Self {
            name: variable.name.node.clone(),
            scalar,
            nullable: variable.var_type.node.nullable,
            has_default: variable.default_value.is_some(),
        })
    }
}

impl Scalar {
    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Id | Self::String, Value::String(_)) | (Self::Boolean, Value::Boolean(_)) => true,
            (Self::Id | Self::Int, Value::Number(number)) => number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            (Self::Float, Value::Number(_)) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::DocumentOperations;
    use serde_json::json;

    fn validity(text: &str) -> Validity {
        let DocumentOperations::Single(operation) = parse_query(text).unwrap().operations else { panic!("{text}") };
        Validity::unknown(&operation.node)
    }

    fn proven(text: &str, given: serde_json::Value) -> Validity {
        let validity = validity(text);
        if validity.is_told_by(&Variables::from_json(given)) {
            validity.prove();
        }
        validity
    }

    #[test]
    fn nothing_holds_before_it_was_proven() {
        assert!(!validity("{ a }").holds(&Variables::default()));
        assert!(proven("{ a }", json!({})).holds(&Variables::default()));
    }

    #[test]
    fn it_holds_for_values_of_the_declared_scalars_only() {
        let validity = proven(
            "query($id: ID!, $n: Int = 1, $s: String, $b: Boolean!, $f: Float) { a }",
            json!({"id": "x", "n": 1, "s": null, "b": true, "f": 1}),
        );
        let holds = |given| validity.holds(&Variables::from_json(given));
        assert!(holds(json!({"id": "y", "n": 7, "s": "t", "b": false, "f": 0.5})));
        assert!(holds(json!({"id": 7, "b": false})), "what is nullable or has a default may be left out");
        assert!(holds(json!({"id": 7, "b": false, "f": null, "more": 1})));
        for wrong in [
            json!({"b": true}),
            json!({"id": null, "b": true}),
            json!({"id": "x", "b": "true"}),
            json!({"id": "x", "b": true, "n": 2_147_483_648_u64}),
            json!({"id": "x", "b": true, "n": 1.5}),
            json!({"id": "x", "b": true, "s": 5}),
            json!({"id": "x", "b": true, "f": "1"}),
            json!({"id": ["x"], "b": true}),
        ] {
            assert!(!holds(wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn a_run_that_left_a_variable_out_proves_nothing() {
        let validity = proven("query($s: String) { a(input: {s: $s, unknown: 1}) }", json!({}));
        assert!(!validity.holds(&Variables::from_json(json!({"s": "x"}))));
    }

    #[test]
    fn what_only_the_schema_can_judge_never_holds() {
        assert!(!proven("query($in: JobFilter) { a }", json!({"in": null})).holds(&Variables::default()));
        assert!(
            !proven("query($ids: [ID!]!) { a }", json!({"ids": []})).holds(&Variables::from_json(json!({"ids": []})))
        );
    }
}
