//! Every place of every mutation that takes an ID: one of another kind, and one of another tenant, are answered like one
//! that does not exist, with the exception of the kind of the ID.

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, Selection};
use platform::ids::Id;
use uuid::Uuid;

use super::*;

/// A kind of objects: its prefix, and an object of the group language, or of Ben, whom nobody in the group vision knows who
/// is not in both.
const KINDS: [(&str, &str); 15] = [
    ("user", "SELECT id FROM users WHERE username = 'ben'"),
    ("session", "SELECT id FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = 'ben') LIMIT 1"),
    ("token", "SELECT id FROM api_tokens WHERE user_id = (SELECT id FROM users WHERE username = 'ben')"),
    ("group", "SELECT id FROM groups WHERE name = 'language'"),
    ("membership", "SELECT id FROM group_members WHERE user_id = (SELECT id FROM users WHERE username = 'ben')"),
    ("project", "SELECT id FROM projects WHERE name = 'corpus'"),
    ("config", "SELECT id FROM config_files WHERE project_id = (SELECT id FROM projects WHERE name = 'corpus')"),
    (
        "commit",
        "SELECT id FROM config_commits WHERE config_file_id IN (SELECT id FROM config_files WHERE name = 'tokenize.yaml')",
    ),
    (
        "template",
        "SELECT id FROM job_templates WHERE config_file_id IN (SELECT id FROM config_files WHERE name = 'tokenize.yaml')",
    ),
    ("job", "SELECT id FROM jobs WHERE project_id = (SELECT id FROM projects WHERE name = 'corpus') LIMIT 1"),
    ("pvc", "SELECT id FROM storage_claims WHERE name = 'of-language'"),
    ("audit", "SELECT id FROM audit_log WHERE action = 'ofLanguage'"),
    ("request", "SELECT id FROM requests WHERE title = 'of language'"),
    ("message", "SELECT id FROM request_messages WHERE text = 'of language'"),
    (
        "notification",
        "SELECT id FROM notifications WHERE user_id = (SELECT id FROM users WHERE username = 'ben') LIMIT 1",
    ),
];

const OF_LANGUAGE: &str = "
    INSERT INTO sessions (id, user_id, refresh_hash, family_hash, expires_at)
        SELECT gen_random_uuid(), id, 'y', 'y', now() + interval '1 hour' FROM users WHERE username = 'ben';
    INSERT INTO api_tokens (id, user_id, name, scope, token_hash, expires_at)
        SELECT gen_random_uuid(), id, 'of language', 'READ', 'y', now() + interval '1 hour' FROM users WHERE username = 'ben';
    INSERT INTO audit_log (id, action, subject, \"group\")
        SELECT gen_random_uuid(), 'ofLanguage', 'x', id FROM groups WHERE name = 'language';
    INSERT INTO storage_claims (id, group_id, namespace, name, display_name, access_mode, size, size_bytes, sent_bytes, phase, default_access)
        SELECT gen_random_uuid(), id, 'group-language', 'of-language', 'x', 'READ_WRITE_MANY', '1Gi', 1073741824, 0, 'SUBMITTED', 'WRITE'
          FROM groups WHERE name = 'language';
    WITH request AS (
        INSERT INTO requests (id, author_id, tag, title, group_id, created_at, updated_at)
        SELECT gen_random_uuid(), users.id, 'OTHER', 'of language', groups.id, now(), now()
          FROM users, groups WHERE username = 'ben' AND groups.name = 'language' RETURNING *)
    INSERT INTO request_messages (id, request_id, author_id, text, created_at)
        SELECT gen_random_uuid(), id, author_id, 'of language', created_at FROM request;";

/// The text of an ID with this prefix.
fn text(prefix: &str, uuid: Uuid) -> String {
    // The suffix is the same for all kinds.
    let of_job = Id::<platform::ids::JobKind>::from_uuid(uuid).to_text();
    of_job.replace("job_", &format!("{prefix}_"))
}

/// The input types of the schema: the fields of each, with the type and whether it is a list; and those of which only one field
/// can be given.
struct Inputs {
    fields: BTreeMap<String, Vec<(String, String, bool)>>,
    one_of: BTreeSet<String>,
}

impl Inputs {
    async fn of(world: &World) -> Self {
        let query =
            "{ __schema { types { name kind isOneOf inputFields(includeDeprecated: true) { name type { ...t } } } } }
            fragment t on __Type { name kind ofType { name kind ofType { name kind ofType { name kind } } } }";
        let answer = world.ask("admin", query, json!({})).await;
        let types = answer["data"]["__schema"]["types"].as_array().unwrap();
        let inputs = || types.iter().filter(|of_type| of_type["kind"] == "INPUT_OBJECT");
        let name = |of_type: &Value| of_type["name"].as_str().unwrap().to_owned();
        let field = |field: &Value| {
            let (mut inner, mut is_list) = (&field["type"], false);
            while !inner["ofType"].is_null() {
                is_list |= inner["kind"] == "LIST";
                inner = &inner["ofType"];
            }
            (name(field), name(inner), is_list)
        };
        let fields = |of_type: &Value| of_type["inputFields"].as_array().unwrap().iter().map(field).collect();
        Self {
            fields: inputs().map(|of_type| (name(of_type), fields(of_type))).collect(),
            one_of: inputs().filter(|of_type| of_type["isOneOf"] == true).map(name).collect(),
        }
    }

    /// The input with an ID at each of its places: the path of the place, and the input.
    fn with_id(&self, of_type: &str, input: &Value, id: &str) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        for (name, inner, is_list) in &self.fields[of_type] {
            let listed = |value: Value| if *is_list { json!([value]) } else { value };
            let values: Vec<(String, Value)> = if inner == "ID" {
                vec![(name.clone(), json!(id))]
            } else if self.fields.contains_key(inner) {
                let given = if *is_list { &input[name][0] } else { &input[name] };
                let below = self.with_id(inner, given, id);
                below.into_iter().map(|(path, value)| (format!("{name}.{path}"), value)).collect()
            } else {
                Vec::new()
            };
            for (path, value) in values {
                let mut whole = match self.one_of.contains(of_type) {
                    true => json!({}),
                    false if input.is_object() => input.clone(),
                    false => json!({}),
                };
                whole[name] = listed(value);
                all.push((path, whole));
            }
        }
        all
    }
}

/// The input of a mutation that its room's tests send, as JSON, and the name of its type.
fn input_of(operation: &str, ids: &Value) -> Option<Value> {
    let document = parse_query(operation).unwrap();
    let DocumentOperations::Single(operation) = &document.operations else { panic!("{operation}") };
    let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else { panic!("{operation:?}") };
    let given = field.node.arguments.iter().find(|(name, _)| name.node == "input").map(|(_, value)| &value.node)?;
    let known = |name: async_graphql::Name| {
        let value = ids[name.as_str()].clone();
        Ok::<_, std::convert::Infallible>(async_graphql::Value::from_json(value).unwrap())
    };
    Some(given.clone().into_const_with(known).unwrap().into_json().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_another_kind_or_tenant_is_answered_like_one_that_does_not_exist() {
    let world = tenant().await;
    sql(&world.url, OF_LANGUAGE).await;
    let (ids, inputs) = (ids(&world).await, Inputs::of(&world).await);
    let (client, driver) = tokio_postgres::connect(world.url.expose(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    let mut others = Vec::new();
    for (prefix, query) in KINDS {
        let uuid: Uuid = client.query_one(query, &[]).await.unwrap_or_else(|error| panic!("{prefix}: {error}")).get(0);
        others.push((prefix, text(prefix, uuid), text(prefix, Uuid::from_u128(u128::MAX / 3))));
    }
    let query = "{ __schema { mutationType { fields(includeDeprecated: true) { name args { name type { ofType { name } } } } } } }";
    let answer = world.ask("admin", query, json!({})).await;
    let mut places = 0;
    for mutation in answer["data"]["__schema"]["mutationType"]["fields"].as_array().unwrap() {
        let name = mutation["name"].as_str().unwrap();
        let Some(of_type) = mutation["args"][0]["type"]["ofType"]["name"].as_str() else { continue };
        let baseline = input_of(operation(Some("Mutation"), name).unwrap(), &ids).unwrap();
        for actor in ["gwen", "admin", "gwen:detection"] {
            let caller = world.caller(&login_of(actor)).await;
            let sent = format!("mutation($input: {of_type}!) {{ {name}(input: $input) {{ __typename }} }}");
            for (kind, existing, missing) in &others {
                let of_existing = inputs.with_id(of_type, &baseline, existing);
                for ((place, existing_input), (_, missing_input)) in
                    of_existing.into_iter().zip(inputs.with_id(of_type, &baseline, missing))
                {
                    places += 1;
                    let told = async |input: Value, id: &str| {
                        let answer = world.ask_as(caller.clone(), &sent, json!({ "input": input })).await;
                        assert!(!answer.to_string().contains("INTERNAL"), "{actor} {name} {place} {kind}: {answer}");
                        match super::super::errors(&answer) {
                            none if none.is_empty() => format!("done: {}", answer["data"]),
                            errors => errors,
                        }
                        .replace(id, "ID")
                    };
                    let of_missing = told(missing_input, missing).await;
                    // Of the right kind, the platform admin may change what is of any tenant.
                    if actor == "admin" && !of_missing.starts_with("BAD_USER_INPUT") {
                        continue;
                    }
                    let of_existing = told(existing_input, existing).await;
                    assert_eq!(of_existing, of_missing, "{actor} {name} {place} {kind}");
                }
            }
        }
    }
    assert!(places > 1_000, "{places}");
}
