//! The limits on a small schema: the measurements and costs of operations, and the messages of rejections.

use std::sync::Arc;

use async_graphql::{Value, Variables};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SDL: &str = r#"
type Query {
  viewer: User
  user(id: ID!): User @cost(weight: "3")
  groups(first: Int, last: Int): Groups! @listSize(assumedSize: 20, slicingArguments: ["first", "last"], sizedFields: ["nodes", "edges"], requireOneSlicingArgument: false)
  nodes(ids: [ID!]!): [User]! @listSize(slicingArguments: ["ids"])
  top(first: Int, rank: Int): [User!]! @listSize(slicingArguments: ["first", "rank"])
  search(text: String @cost(weight: "7")): Int
}
type Mutation { rename: User @cost(weight: "10") }
type Groups {
  nodes: [Group!]!
  edges: [Edge!]! @cost(weight: "0")
  pageInfo: PageInfo! @cost(weight: "0")
  totalCount: Int! @cost(weight: "10")
}
type Edge { cursor: String! node: Group! }
type PageInfo { hasNextPage: Boolean! }
type Group { id: ID! name: String users(first: Int): Users! @listSize(assumedSize: 20, slicingArguments: ["first"], sizedFields: ["nodes"], requireOneSlicingArgument: false) }
type Users { nodes: [User!]! }
type User { id: ID! name: String friends: [User!]! @listSize(assumedSize: 5) }
schema { query: Query mutation: Mutation }
"#;

fn prepared(query: &str) -> Prepared {
    let document = Document::parse(query.into(), &CostTable::read(SDL).unwrap()).unwrap();
    // A limit applies whether the rest is valid or not.
    Prepared::find(Arc::new(document), None).unwrap()
}

fn check(limits: &OperationLimits, query: &str, variables: serde_json::Value) -> Result<Usage, String> {
    limits.check_text(query).map_err(|refusal| refusal.to_string())?;
    prepared(query).check(&Variables::from_json(variables), limits).map_err(|refusal| refusal.to_string())
}

fn usage(query: &str, variables: serde_json::Value) -> Usage {
    check(&OperationLimits::default(), query, variables).unwrap()
}

fn refused(query: &str) -> String {
    check(&OperationLimits::default(), query, json!({})).unwrap_err()
}

/// The maximum cost and number of nodes of an operation, and the actual values of a response.
fn costs(query: &str, variables: serde_json::Value, answer: serde_json::Value) -> (u64, u64, u64) {
    let Usage { cost, nodes, .. } = usage(query, variables);
    (cost, nodes, prepared(query).actual_cost(&Value::from_json(answer).unwrap()))
}

#[test]
fn objects_cost_one_and_scalars_nothing() {
    assert_eq!(costs("{ viewer { id name } }", json!({}), json!({"viewer": {"id": 1, "name": 2}})), (1, 0, 1));
    assert_eq!(costs("{ user(id: 1) { id } }", json!({}), json!({"user": null})), (3, 0, 3));
    assert_eq!(usage("{ search(text: \"a\") }", json!({})).cost, 7);
    assert_eq!(usage("mutation { rename { id } }", json!({})).cost, 10);
    assert_eq!(usage("{ __typename }", json!({})).cost, 1);
    assert_eq!(usage("{ __schema { types { name } } }", json!({})).cost, 100);
}

#[test]
fn a_page_multiplies_what_is_selected_in_it() {
    let query = "query($n: Int = 4) { groups(first: $n) { totalCount pageInfo { hasNextPage } nodes { id } } }";
    let answer =
        json!({"groups": {"totalCount": 2, "pageInfo": {"hasNextPage": false}, "nodes": [{"id": 1}, {"id": 2}]}});
    assert_eq!(costs(query, json!({"n": 50}), answer.clone()), (1 + 10 + 50, 50, 1 + 10 + 2));
    assert_eq!(costs(query, json!({}), answer).0, 1 + 10 + 4);
    assert_eq!(usage("{ groups { nodes { id } } }", json!({})).cost, 1 + 20);
    assert_eq!(usage("{ groups(last: 3) { edges { node { id } } } }", json!({})).cost, 1 + 3);
    let nested = "{ groups(first: 10) { nodes { users(first: 5) { nodes { friends { id } } } } } }";
    assert_eq!(usage(nested, json!({})).cost, 1 + 10 * (1 + 1 + 5 * (1 + 5)));
    assert_eq!(usage(nested, json!({})).nodes, 10 * (1 + 5 * (1 + 5)));
}

#[test]
fn a_page_reaches_into_fragments() {
    let query = "{ a: groups(first: 3) { ...G } b: groups(first: 7) { ... on Groups { ...G } } }
        fragment G on Groups { nodes { id } }";
    assert_eq!(usage(query, json!({})).cost, 2 + 3 + 7);
}

#[test]
fn a_list_of_ids_is_as_long_as_it_is() {
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    assert_eq!(costs(query, json!({"ids": [1, 2, 3]}), json!({"nodes": [null, {"id": 2}, null]})), (3, 3, 3));
    assert_eq!(usage("query($a: ID!) { nodes(ids: [$a, 2]) { id } }", json!({"a": 1})).nodes, 2);
}

#[test]
fn what_is_skipped_costs_nothing() {
    let query = "query($no: Boolean!, $yes: Boolean = true) {
        viewer @include(if: $no) { id } a: viewer @skip(if: $yes) { id } ...F @include(if: $no) b: viewer @skip(if: true) { id }
    } fragment F on Query { groups { nodes { id } } }";
    assert_eq!(usage(query, json!({"no": false})).cost, 1);
    assert_eq!(usage(query, json!({"no": true, "yes": false})).cost, 1 + 1 + 21);
}

#[test]
fn a_list_that_needs_one_slicing_argument_gets_one() {
    let none = r#""top" needs exactly one of the arguments that say how long its list is"#;
    assert_eq!(refused("{ top { id } }"), none);
    assert_eq!(refused("{ top(first: 1, rank: 2) { id } }"), none);
    assert_eq!(usage("{ top(rank: 2) { id } }", json!({})).cost, 2);
}

#[test]
fn an_answer_that_broke_off_cost_its_root_fields() {
    let query = "mutation { a: rename { id } b: rename { friends { id } } }";
    assert_eq!(prepared(query).actual_cost(&Value::Null), 20);
}

#[test]
fn depth_counts_through_fragments() {
    let mut query = String::from("query { a { ...F } } fragment F on T { ");
    query.push_str(&"b { ".repeat(15));
    query.push('c');
    query.push_str(&" }".repeat(16));
    insta::assert_snapshot!(refused(&query), @r#"the operation exceeds the limit "depth": it has 17, at most 16 are allowed"#);
}

#[test]
fn a_document_of_too_many_tokens_is_not_parsed() {
    let query = format!("{{ {} }}", "a ".repeat(6_000));
    insta::assert_snapshot!(refused(&query), @r#"the operation exceeds the limit "tokens": it has 6002, at most 5000 are allowed"#);
}

#[test]
fn alias_overloading_is_refused() {
    let aliases: String = (0..101).map(|n| format!("a{n}: viewer {{ id }} ")).collect();
    let limits = OperationLimits { root_fields: 1_000, ..OperationLimits::default() };
    insta::assert_snapshot!(
        check(&limits, &format!("{{ {aliases} }}"), json!({})).unwrap_err(),
        @r#"the operation exceeds the limit "aliases": it has 101, at most 50 are allowed"#
    );
}

#[test]
fn directive_overloading_is_refused() {
    let query = format!("{{ __typename {} }}", "@aa".repeat(60));
    insta::assert_snapshot!(refused(&query), @r#"the operation exceeds the limit "directives": it has 60, at most 50 are allowed"#);
}

#[test]
fn directives_on_what_is_skipped_count() {
    let query =
        format!("{{ __typename @skip(if: true) {} ... @skip(if: true) {} {{ a }} }}", "@a".repeat(30), "@a".repeat(30));
    insta::assert_snapshot!(refused(&query), @r#"the operation exceeds the limit "directives": it has 62, at most 50 are allowed"#);
}

#[test]
fn many_root_fields_are_refused() {
    let fields: String = (0..21).map(|n| format!("f{n} ")).collect();
    insta::assert_snapshot!(refused(&format!("{{ {fields} }}")), @r#"the operation exceeds the limit "root fields": it has 21, at most 20 are allowed"#);
}

#[test]
fn a_large_page_is_refused_even_from_a_variable() {
    let query = "query($n: Int) { groups(first: $n) { nodes { id } } }";
    insta::assert_snapshot!(
        check(&OperationLimits::default(), query, json!({"n": 5000})).unwrap_err(),
        @r#"the operation exceeds the limit "page size": it has 5000, at most 100 are allowed"#
    );
}

#[test]
fn cost_nodes_and_fields_have_a_limit_each() {
    let query = "{ groups(first: 100) { nodes { id users(first: 100) { nodes { id friends { id name } } } } } }";
    insta::assert_snapshot!(
        check(&OperationLimits { cost: 1000, ..OperationLimits::default() }, query, json!({})).unwrap_err(),
        @r#"the operation exceeds the limit "cost": it has 60201, at most 1000 are allowed"#
    );
    insta::assert_snapshot!(refused(query), @r#"the operation exceeds the limit "nodes in the response": it has 60100, at most 50000 are allowed"#);
    insta::assert_snapshot!(
        check(&OperationLimits { nodes: 100_000, fields: 1000, ..OperationLimits::default() }, query, json!({})).unwrap_err(),
        @r#"the operation exceeds the limit "fields in the response": it has 170301, at most 1000 are allowed"#
    );
}

#[test]
fn circular_introspection_is_refused() {
    let query = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    insta::assert_snapshot!(refused(query), @r#"the operation exceeds the limit "introspection nesting": it has 3, at most 2 are allowed"#);
}

#[test]
fn introspection_can_be_switched_off_without_refusing_typename() {
    let limits = OperationLimits { introspection: false, ..OperationLimits::default() };
    insta::assert_snapshot!(
        check(&limits, "{ __schema { types { name } } }", json!({})).unwrap_err(),
        @"introspection is disabled for you on this server"
    );
    assert!(check(&limits, "{ __typename }", json!({})).is_ok());
}

#[test]
fn a_fragment_bomb_is_measured_without_being_expanded() {
    let mut query = String::from("{ viewer { ...F0 } } ");
    for n in 0..60 {
        query.push_str(&format!("fragment F{n} on User {{ ...F{next} ...F{next} }} ", next = n + 1));
    }
    query.push_str("fragment F60 on User { id name }");
    insta::assert_snapshot!(
        refused(&query),
        @r#"the operation exceeds the limit "fields in the response": it has 2305843009213693953, at most 500000 are allowed"#
    );
}

#[test]
fn a_bomb_that_is_skipped_or_under_an_empty_page_is_one_all_the_same() {
    let mut fragments = String::from("fragment F60 on Group { id }");
    for n in 0..60 {
        fragments.push_str(&format!("fragment F{n} on Group {{ ...F{next} ...F{next} }} ", next = n + 1));
    }
    for start in ["{ groups(first: 0) { nodes { ...F0 } } }", "{ groups { nodes { ...F0 @skip(if: true) } } }"] {
        let said = refused(&format!("{start} {fragments}"));
        assert!(said.starts_with(r#"the operation exceeds the limit "fields in the response""#), "{said}");
    }
}

#[test]
fn a_chain_of_very_many_fragments_is_refused() {
    let mut query = String::from("{ viewer { ...F0 } } ");
    for n in 0..600 {
        query.push_str(&format!("fragment F{n} on User {{ ...F{} }} ", n + 1));
    }
    query.push_str("fragment F600 on User { id }");
    let limits = OperationLimits { tokens: 100_000, ..OperationLimits::default() };
    assert!(check(&limits, &query, json!({})).unwrap_err().starts_with(r#"the operation exceeds the limit "fields"#));
}

#[test]
fn fragments_that_spread_themselves_are_left_to_validation() {
    assert!(check(&OperationLimits::default(), "{ ...A } fragment A on Q { x ...A }", json!({})).is_ok());
}

#[test]
fn the_query_of_every_tool_passes() {
    let query = "query IntrospectionQuery { __schema { queryType { name } types { ...FullType } directives { name args { ...InputValue } } } }
        fragment FullType on __Type { kind name fields(includeDeprecated: true) { name args { ...InputValue } type { ...TypeRef } }
          inputFields { ...InputValue } interfaces { ...TypeRef } enumValues { name } possibleTypes { ...TypeRef } }
        fragment InputValue on __InputValue { name type { ...TypeRef } defaultValue }
        fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
          ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";
    assert_eq!(usage(query, json!({})).depth, 1);
}

#[test]
fn an_operation_is_chosen_by_its_name() {
    let of = |query: &str, name: Option<&str>| {
        let document = Document::parse(query.into(), &CostTable::read(SDL).unwrap()).unwrap();
        let chosen = Prepared::choose(Arc::new(document), name).map(|prepared| prepared.operation_type().to_string());
        chosen.map_err(|problem| match problem {
            NotChosen::Unknown(message) => message,
            NotChosen::Invalid(errors) => panic!("{errors:?}"),
        })
    };
    let two = "query A { viewer { id } } mutation B { rename { id } }";
    assert_eq!(of(two, Some("B")).unwrap(), "mutation");
    insta::assert_snapshot!(of(two, None).unwrap_err(), @"the document has 2 operations: specify one with operationName");
    insta::assert_snapshot!(of(two, Some("C")).unwrap_err(), @r#"the document has no operation named "C""#);
    assert_eq!(of("query A { viewer { id } }", Some("A")).unwrap(), "query");
}

proptest! {
    /// The actual cost of the largest possible response is the requested cost: nobody is charged for less.
    #[test]
    fn a_full_answer_costs_what_was_charged(groups in 0..8_u64, users in 0..8_u64, count in any::<bool>()) {
        let query = "query($g: Int, $u: Int, $c: Boolean!) {
            groups(first: $g) { totalCount @include(if: $c) edges { node { ...F } } } }
            fragment F on Group { id users(first: $u) { nodes { id friends { id } } } }";
        let user = json!({"id": 1, "friends": vec![json!({"id": 2}); 5]});
        let group = json!({"id": 1, "users": {"nodes": vec![user; users as usize]}});
        let edge = json!({"node": group});
        let mut answer = json!({"groups": {"edges": vec![edge; groups as usize]}});
        if count {
            answer["groups"]["totalCount"] = json!(groups);
        }
        let (requested, _, actual) = costs(query, json!({"g": groups, "u": users, "c": count}), answer);
        prop_assert_eq!(requested, actual);
    }
}

#[test]
fn an_answer_that_tells_of_its_request_is_shared_with_nobody() {
    let shared = |query: &str| prepared(query).can_be_shared();
    assert!(shared("{ viewer { name } }"));
    assert!(!shared("mutation { rename { name } }"));
    assert!(!shared("{ viewer { name } ...L } fragment L on Query { mine: rateLimit { remaining } }"));
    let schema =
        async_graphql::Schema::new(RateLimitQuery, async_graphql::EmptyMutation, async_graphql::EmptySubscription);
    assert!(schema.sdl().contains(&format!("{}: RateLimit", rate_limit::FIELD)));
}
