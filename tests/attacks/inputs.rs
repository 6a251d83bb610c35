//! Operations that are odd, huge or deep: refused with a code that says why, or answered; never a defect.

use serde_json::{Value, json};

use super::production::Production;
use crate::support::session::password_of;

/// The codes of the errors; none of them may be the server's own fault, and all come in time.
async fn codes(query: &str, variables: Value) -> Vec<String> {
    let answer = Production::server().await.ask(query, variables).await;
    assert!(answer.status < 500, "{} {}", answer.status, answer.body);
    let codes = answer.codes();
    assert!(!codes.iter().any(|code| code == "INTERNAL" || code == "-"), "{query:.200}: {}", answer.body);
    codes
}

const JOBS: &str = "query($f: JobFilter, $a: String) { jobs(filter: $f, after: $a, first: 1) { nodes { id } } }";

#[tokio::test]
async fn a_fragment_bomb_is_refused_without_being_expanded() {
    let mut query = String::from("{ ...F0 } ");
    for n in 0..60 {
        query += &format!("fragment F{n} on Query {{ ...F{next} ...F{next} }} ", next = n + 1);
    }
    query += "fragment F60 on Query { __typename }";
    assert_eq!(codes(&query, json!({})).await, ["QUERY_TOO_COMPLEX"]);
}

#[tokio::test]
async fn fragments_in_a_circle_are_refused() {
    for query in [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ viewer { ...A } } fragment A on User { memberships { nodes { user { ...A } } } }",
    ] {
        assert_eq!(codes(query, json!({})).await, ["GRAPHQL_VALIDATION_FAILED"], "{query}");
    }
}

/// The parser, the checks and the executor are recursive, and the stack is finite.
#[tokio::test]
async fn deep_documents_are_refused() {
    let nested = |open: &str, inner: &str, close: &str, depth| open.repeat(depth) + inner + &close.repeat(depth);
    for depth in [30, 70, 500, 1_600, 2_400, 100_000] {
        for query in [
            format!("{{ jobs(filter: {}) {{ nodes {{ id }} }} }}", nested("[", "1", "]", depth)),
            format!("{{ jobs(filter: {}) {{ nodes {{ id }} }} }}", nested("{a:", "1", "}", depth)),
            format!("query($v: {}) {{ __typename }}", nested("[", "Int", "]", depth)),
            format!("query($v: Int = {}) {{ __typename }}", nested("[", "1", "]", depth)),
            nested("{ node(id: 1) ", "{ id }", "}", depth),
            format!("{{ {} }}", nested("... { ", "__typename", "}", depth)),
            nested("{", "", "", depth),
        ] {
            // Inline fragments add no level to the answer, so a few of them are fine.
            let is_fine = depth == 30 && query.contains("...");
            assert_eq!(codes(&query, json!({})).await.is_empty(), is_fine, "{query:.100}");
        }
    }
}

#[tokio::test]
async fn a_string_that_does_not_end_hides_no_depth() {
    let query = format!("{{ jobs(filter: [\"\"\"a\" {}]) {{ nodes {{ id }} }} }}", "[".repeat(2_000));
    assert_eq!(codes(&query, json!({})).await, ["QUERY_TOO_COMPLEX"]);
}

/// A parser takes these for as many values as there are; a counter that takes them for one lets them in.
#[tokio::test]
async fn values_without_a_space_between_are_counted_one_by_one() {
    for values in ["0".repeat(6_000), "-1".repeat(6_000), format!("\"\"\"a\" {}", "b ".repeat(6_000))] {
        let query = format!("{{ jobs(filter: [{values}]) {{ nodes {{ id }} }} }}");
        assert_eq!(codes(&query, json!({})).await, ["QUERY_TOO_COMPLEX"], "{query:.60}");
    }
}

#[tokio::test]
async fn quotes_that_do_not_end_cost_no_more_than_one_look() {
    for quotes in ["\\\"".repeat(500_000), "\"\"\"".repeat(333_333), "\"a\n".repeat(300_000)] {
        assert!(!codes(&format!("{{ a(b: \"{quotes}"), json!({})).await.is_empty());
    }
}

#[tokio::test]
async fn a_message_does_not_give_back_all_that_was_sent() {
    let text = "x".repeat(100_000);
    for query in [format!("{{ jobs(filter: \"{text}\") {{ nodes {{ id }} }} }}"), format!("{{ {text} }}"), text.clone()]
    {
        let answer = Production::server().await.ask(&query, json!({})).await;
        assert!(answer.body.len() < 5_000, "{} bytes", answer.body.len());
    }
    let answer = Production::server().await.ask("{ node(id: 1) { id } }", json!({ &text: text })).await;
    assert!(answer.body.len() < 5_000, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn a_long_chain_of_fragments_is_answered_or_refused() {
    for length in [50, 600] {
        let links: String = (0..length).map(|n| format!("fragment F{n} on Query {{ ...F{} }} ", n + 1)).collect();
        codes(&format!("{{ ...F0 }} {links} fragment F{length} on Query {{ __typename }}"), json!({})).await;
    }
}

#[tokio::test]
async fn deep_and_long_variables_are_refused() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert_eq!(codes(JOBS, json!({ "f": deep })).await, ["BAD_USER_INPUT"]);
    assert_eq!(codes(JOBS, json!({ "f": { "phases": deep } })).await, ["BAD_USER_INPUT"]);
    let long = json!({ "f": { "phases": vec!["RUNNING"; 50_000] } });
    assert!(codes(JOBS, long).await.len() <= 1);
    let ids = json!({ "i": vec!["job_01h455vb4pex5vsknk084sn02q"; 5_000] });
    assert!(!codes("query($i: [ID!]!) { nodes(ids: $i) { id } }", ids).await.is_empty());
}

#[tokio::test]
async fn numbers_out_of_range_are_refused() {
    let jobs = "query($n: Int) { jobs(first: $n) { nodes { id } } }";
    for number in [json!(-1), json!(2_147_483_648_u64), json!(u64::MAX), json!(i64::MIN), json!(1e300), json!(0.5)] {
        assert_eq!(codes(jobs, json!({ "n": number })).await.len(), 1, "{number}");
    }
    for number in ["-1", "2147483648", "99999999999999999999999999999", "1e400", "-0.0", "0x10", "1.", "00"] {
        let query = format!("{{ jobs(first: {number}) {{ nodes {{ id }} }} }}");
        assert_eq!(codes(&query, json!({})).await.len(), 1, "{number}");
    }
}

#[tokio::test]
async fn a_nul_is_told_with_its_place() {
    let login = "mutation($i: LoginInput!) { login(input: $i) { accessToken } }";
    let answer = Production::server().await.ask(login, json!({ "i": { "username": "a\0", "password": "x" } })).await;
    let error = &answer.json()["errors"][0];
    assert_eq!(error["extensions"]["field"], "input.username");
    assert_eq!(error["message"], "strings cannot contain the character U+0000 (NUL)");
}

#[tokio::test]
async fn text_that_no_database_keeps_is_refused_or_finds_nothing() {
    let texts =
        ["\0", "a\0b", "\u{feff}", "\u{202e}x", "\u{fffd}", "' OR 1=1 --", "%_\\", "\u{1f600}", "a\r\nset-cookie: x"];
    for text in texts.map(str::to_owned).into_iter().chain(["x".repeat(100_000)]) {
        let user = "query($t: [String!]) { users(filter: { usernames: $t }) { nodes { id } } }";
        codes(user, json!({ "t": [text] })).await;
        for query in [
            "query($t: ID!) { node(id: $t) { id } }",
            "query($t: ID!) { job(id: $t) { id } }",
            "query($t: String) { jobs(after: $t) { nodes { id } } }",
        ] {
            assert!(!codes(query, json!({ "t": text })).await.is_empty(), "{query}");
        }
        let login = "mutation($t: String!) { login(input: { username: $t, password: $t }) { accessToken } }";
        assert_eq!(codes(login, json!({ "t": text })).await.len(), 1, "{text:.20?}");
    }
}

/// Cursors that decode, and stand for moments and texts that no row can have.
#[tokio::test]
async fn cursors_beyond_the_database_s_range_are_refused_or_find_nothing() {
    use base64::Engine as _;
    let id = "0".repeat(32);
    for place in [
        format!("t{id}{}", i64::MAX),
        format!("t{id}{}", i64::MIN),
        format!("t{id}8210266876799999999"),
        format!("t{id}-62135596800000001"),
        format!("t{id}-210866803200000001"),
        format!("s{id}a\0b"),
        format!("s{id}{}", "x".repeat(100_000)),
        format!("n{id}{}", i64::MAX),
    ] {
        let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(place);
        for list in ["jobs", "users", "groups", "projects", "configFiles"] {
            for argument in ["after", "before"] {
                let query = format!("query($c: String) {{ {list}({argument}: $c) {{ nodes {{ id }} }} }}");
                codes(&query, json!({ "c": cursor })).await;
            }
        }
        let order = "query($c: String) { groups(after: $c, orderBy: { field: CREATED_AT }) { nodes { id } } }";
        codes(order, json!({ "c": cursor })).await;
    }
}

#[tokio::test]
async fn documents_of_odd_text_are_refused() {
    for query in [
        "",
        " ",
        "# nothing",
        "\u{feff}",
        "\0",
        "{ viewer { id } }\0",
        "{ v\u{ed}ewer { id } }",
        "{ viewer { id } } }",
        "type Query { a: Int }",
        "query { a } query { b }",
        "query A { viewer { id } } query A { viewer { id } }",
        "{ \"viewer\" }",
        "{ jobs(first: \"\\uD800\") { nodes { id } } }",
        "{ job(id: \"\\u{110000}\") { id } }",
        "{ job(id: \"\\q\") { id } }",
        "subscription { __typename }",
    ] {
        assert!(!codes(query, json!({})).await.is_empty(), "{query:?}");
    }
}

#[tokio::test]
async fn a_last_event_id_that_is_none_is_refused_in_the_stream() {
    let server = Production::server().await;
    let member = server.member();
    for id in ["rubbish", "ZS0x", "bC8v", "' OR 1=1 --", "-1", &"x".repeat(5_000)] {
        let headers = [("authorization", member.as_str()), ("accept", "text/event-stream"), ("last-event-id", id)];
        let answer = server.post(r#"{"query":"subscription { jobEvents { cursor } }"}"#, &headers).await;
        assert!(answer.body.contains(r#""code":"BAD_USER_INPUT""#), "{id:.20}: {}", answer.body);
        assert!(answer.body.contains(r#""field":"after""#), "{}", answer.body);
        assert!(answer.body.ends_with("event: complete\ndata:\n\n"), "{}", answer.body);
    }
}

/// A JSON string in which every character is escaped.
fn escaped(text: &str) -> String {
    let units = text.encode_utf16();
    format!("\"{}\"", units.map(|unit| format!("\\u{unit:04x}")).collect::<String>())
}

#[tokio::test]
async fn a_config_file_within_its_limit_can_be_sent_whatever_its_writer_escapes() {
    let server = Production::server().await;
    let login = "mutation($i: LoginInput!) { login(input: $i) { accessToken } }";
    let input = json!({ "i": { "username": "maya", "password": password_of("maya") } });
    let answer = server.post(&json!({ "query": login, "variables": input }).to_string(), &[]).await.json();
    let token = format!("Bearer {}", answer["data"]["login"]["accessToken"].as_str().unwrap());
    let headers = [("authorization", token.as_str())];
    let query = json!({ "query": "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }" }).to_string();
    let answer = server.post(&query, &headers).await.json();
    let project = &answer["data"]["projects"]["nodes"][0]["id"];
    let create = "mutation($p: ID!, $n: String!, $y: String!) { createConfigFile(input: { projectId: $p, name: $n, yaml: $y }) { commit { kinds } } }";
    let begin = "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: '";
    let room = 1024 * 1024 - begin.len() - 2;
    for (name, text) in
        [("ascii", "a".repeat(room)), ("accents", "é".repeat(room / 2)), ("clefs", "𝄞".repeat(room / 4))]
    {
        let yaml = escaped(&format!("{begin}{text}'\n"));
        let body = format!(
            r#"{{"query": {}, "variables": {{"p": {project}, "n": "{name}", "y": {yaml}}}}}"#,
            Value::from(create)
        );
        let answer = server.post(&body, &headers).await;
        assert_eq!(
            answer.json()["data"]["createConfigFile"]["commit"]["kinds"],
            json!(["CONFIG_MAP"]),
            "{}",
            answer.status
        );
    }
    let yaml = escaped(&format!("{begin}{}'\n", "a".repeat(room + 1)));
    let body =
        format!(r#"{{"query": {}, "variables": {{"p": {project}, "n": "more", "y": {yaml}}}}}"#, Value::from(create));
    let answer = server.post(&body, &headers).await;
    assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "the limit of the file is told, not that of the body");
    assert!(answer.body.contains("the YAML has 1048577 bytes; at most 1048576 are allowed"), "{}", answer.body);
}
