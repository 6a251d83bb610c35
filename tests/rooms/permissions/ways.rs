//! Whatever way leads to an object: who comes to it along an edge also finds it by its ID, with every query that takes one,
//! and whoever does not find it comes to it along no edge.

use super::*;

/// The edges along which a name is shown that cannot be found otherwise: what somebody did keeps the name, after they have
/// left the group, and if they are platform admins who are in no group.
const NAMES_ON_WHAT_THEY_DID: [&str; 9] = [
    "AuditEntry.actor",
    "ConfigCommit.author",
    "Job.submittedBy",
    "Membership.user",
    "PersonQuota.user",
    "Request.author",
    "Request.resolvedBy",
    "RequestMessage.author",
    "AccessHolder.user",
];

/// The types with an ID that `node` finds.
async fn nodes_of(world: &World) -> Vec<String> {
    let query = "{ __type(name: \"Node\") { possibleTypes { name } } }";
    let answer = world.ask("anonymous", query, json!({})).await;
    let types = answer["data"]["__type"]["possibleTypes"].as_array().unwrap();
    types.iter().map(|of_type| of_type["name"].as_str().unwrap().to_owned()).collect()
}

/// The queries that find an object of a type by its ID.
fn direct(of_type: &str) -> Option<&'static str> {
    Some(match of_type {
        "User" => "query($id: ID!) { it: user(id: $id) { id } }",
        "Group" => "query($id: ID!) { it: group(id: $id) { id } }",
        "Project" => "query($id: ID!) { it: project(id: $id) { id } }",
        "ConfigFile" => "query($id: ID!) { it: configFile(id: $id) { id } }",
        "Job" => "query($id: ID!) { it: job(id: $id) { id } }",
        "Request" => "query($id: ID!) { it: request(id: $id) { id } }",
        _ => return None,
    })
}

/// Every object with an ID in an answer: the edge that it was reached along, its type, and the ID.
fn reached_objects(value: &Value, edge: &str, found: &mut BTreeSet<(String, String, String)>) {
    match value {
        Value::Object(fields) => {
            let of_type = fields.get("__typename").and_then(Value::as_str).unwrap_or_default();
            if let Some(id) = fields.get("id").and_then(Value::as_str) {
                found.insert((edge.to_owned(), of_type.to_owned(), id.to_owned()));
            }
            for (field, inner) in fields {
                // The nodes of a connection are reached along the edge that is the connection.
                let along = if field == "nodes" { edge.to_owned() } else { format!("{of_type}.{field}") };
                reached_objects(inner, &along, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| reached_objects(item, edge, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What can be reached from the root, from there along each edge.
async fn reached_by(world: &World, actor: &str, query: &str) -> BTreeSet<(String, String, String)> {
    let answer = world.ask(&login_of(actor), query, json!({})).await;
    let mut found = BTreeSet::new();
    reached_objects(&answer["data"], "Query", &mut found);
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_found_by_its_id_by_whoever_comes_to_it_along_an_edge() {
    let world = tenant().await;
    let (types, nodes) = (types(&world).await, nodes_of(&world).await);
    let everywhere = format!("{{ {} }}", everything(&types, "Query", 3));
    // The platform admin comes to everything, and on the way to what others must not find.
    let by_admin = everywhere.replacen("{ ", "{ auditExports { nodes { __typename id } } ", 1);
    let all: BTreeSet<_> = reached_by(&world, "admin", &by_admin)
        .await
        .into_iter()
        .filter(|(_, of_type, _)| nodes.contains(of_type))
        .map(|(_, of_type, id)| (of_type, id))
        .collect();
    let kinds: BTreeSet<&str> = all.iter().map(|(of_type, _)| of_type.as_str()).collect();
    assert_eq!(kinds.len(), nodes.len(), "{kinds:?} of {nodes:?}");

    let mut only_along_an_edge = BTreeSet::new();
    for actor in ACTORS.into_iter().filter(|actor| *actor != "anonymous") {
        let caller = world.caller(&login_of(actor)).await;
        let mut by_id = BTreeSet::new();
        for (of_type, id) in &all {
            let query = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
            let answer = world.ask_as(caller.clone(), query, json!({ "id": id })).await;
            let (one, many) = (!answer["data"]["node"].is_null(), !answer["data"]["nodes"][0].is_null());
            assert_eq!(one, many, "{actor} {of_type}: {answer}");
            if let Some(query) = direct(of_type) {
                let answer = world.ask_as(caller.clone(), query, json!({ "id": id })).await;
                let found = !answer["data"]["it"].is_null();
                assert_eq!(found, one, "{actor} {of_type}: {answer}");
                let code = &answer["errors"][0]["extensions"]["code"];
                assert!(found || *code == "NOT_FOUND", "{actor} {of_type}: {answer}");
            }
            if one {
                by_id.insert(id.clone());
            }
        }
        // From the root, and from each object that is found by its ID.
        let mut along = reached_by(&world, actor, &everywhere).await;
        for (of_type, id) in all.iter().filter(|(_, id)| by_id.contains(id)) {
            let below = everything(&types, of_type, 2);
            let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on {of_type} {{ {below} }} }} }}");
            let answer = world.ask_as(caller.clone(), &query, json!({ "id": id })).await;
            reached_objects(&answer["data"], "Query", &mut along);
        }
        for (edge, of_type, id) in along {
            if !nodes.contains(&of_type) || by_id.contains(&id) {
                continue;
            }
            // What only they come to, such as their own session, was not asked about.
            let query = "query($id: ID!) { node(id: $id) { id } }";
            let answer = world.ask_as(caller.clone(), query, json!({ "id": id })).await;
            if answer["data"]["node"].is_null() {
                only_along_an_edge.insert((edge, of_type, actor));
            }
        }
    }
    let unexpected: Vec<_> = only_along_an_edge
        .iter()
        .filter(|(edge, of_type, _)| of_type != "User" || !NAMES_ON_WHAT_THEY_DID.contains(&edge.as_str()))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}
