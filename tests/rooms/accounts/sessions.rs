//! The sessions of a user, and their settings.

use super::*;

const SESSIONS: &str = "{ viewer { sessions { totalCount nodes { id isCurrent device address user { username } } } } }";
const END: &str = "mutation($id: ID!) { endSession(input: { id: $id }) { session { id } } }";

/// The IDs of the caller's sessions, the current one first.
async fn sessions_of(world: &World, caller: &Caller) -> Vec<String> {
    let answer = world.ask_as(caller.clone(), SESSIONS, json!({})).await;
    let mut nodes =
        answer["data"]["viewer"]["sessions"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
    nodes.sort_by_key(|session| session["isCurrent"] == false);
    nodes.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_sees_their_sessions_and_ends_one() {
    let world = World::new().await;
    let (here, elsewhere) = (world.caller("ada").await, world.caller("ada").await);
    world.caller("ben").await;
    let sessions = sessions_of(&world, &here).await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions_of(&world, &elsewhere).await, [sessions[1].clone(), sessions[0].clone()]);
    let ended = world.ask_as(here.clone(), END, json!({ "id": sessions[1] })).await;
    assert_eq!(ended["data"]["endSession"]["session"]["id"], sessions[1].as_str(), "{ended}");
    assert!(world.authenticator.renewed(&elsewhere).await.is_err());
    assert_eq!(sessions_of(&world, &here).await, sessions[..1]);
    let again = world.ask_as(here, END, json!({ "id": sessions[1] })).await;
    assert_eq!(errors(&again), format!("NOT_FOUND input.id: session \"{}\" not found", sessions[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_an_admin_sees_or_ends_the_session_of_another() {
    let world = World::new().await;
    let ada = world.caller("ada").await;
    let session = sessions_of(&world, &ada).await.remove(0);
    let missing = format!("NOT_FOUND input.id: session \"{session}\" not found");
    for other in ["maya", "ben"] {
        assert_eq!(errors(&world.ask(other, END, json!({ "id": session })).await), missing);
        let node = world.ask(other, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": session })).await;
        assert_eq!(node["data"]["node"], Value::Null, "{node}");
    }
    let kinds = [
        id_of(&world, "ada").await,
        session.replace("session_", "job_"),
        session.replace("session_", ""),
        "x".to_owned(),
    ];
    for id in kinds {
        let told = errors(&world.ask_as(ada.clone(), END, json!({ "id": id })).await);
        assert!(told.starts_with("BAD_USER_INPUT input.id"), "{told}");
    }
    let of_ada = "query($id: ID!) { user(id: $id) { sessions { nodes { id } } settings { theme } state } }";
    let seen = world.ask("maya", of_ada, json!({ "id": id_of(&world, "ada").await })).await;
    insta::assert_snapshot!(in_short(&seen), @r#"{"user":{"sessions":null,"settings":null,"state":null}}"#);
    let seen = world.ask("admin", of_ada, json!({ "id": id_of(&world, "ada").await })).await;
    assert_eq!(seen["data"]["user"]["sessions"]["nodes"], json!([{ "id": session }]));
    assert_eq!(errors(&world.ask("admin", END, json!({ "id": session })).await), "");
    assert!(world.authenticator.renewed(&ada).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_out_everywhere_ends_all_sessions_of_the_user_and_no_other() {
    let world = World::new().await;
    let (one, other, ben) = (world.caller("ada").await, world.caller("ada").await, world.caller("ben").await);
    let answer = world.ask_as(one.clone(), "mutation { logoutEverywhere { endedSessions } }", json!({})).await;
    insta::assert_snapshot!(in_short(&answer), @r#"{"logoutEverywhere":{"endedSessions":2}}"#);
    assert!(world.authenticator.renewed(&one).await.is_err() && world.authenticator.renewed(&other).await.is_err());
    assert!(world.authenticator.renewed(&ben).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_use_of_a_session_is_stored_at_most_once_a_minute_and_by_no_request() {
    let world = World::new().await;
    let ada = world.caller("ada").await;
    let (client, driver) = tokio_postgres::connect(world.url.expose(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    let age = async || -> bool {
        let young = "SELECT last_used_at > now() - interval '1 minute' FROM sessions";
        client.query_one(young, &[]).await.unwrap().get(0)
    };
    sql(&world.url, "UPDATE sessions SET last_used_at = now() - interval '2 minutes'").await;
    world.authenticator.rights_may_have_changed();
    assert!(world.authenticator.renewed(&ada).await.is_ok());
    assert!(!age().await, "a request stores nothing");
    world.authenticator.store_last_uses().await.unwrap();
    assert!(age().await);

    sql(&world.url, "UPDATE sessions SET last_used_at = now() - interval '50 seconds'").await;
    world.authenticator.rights_may_have_changed();
    assert!(world.authenticator.renewed(&ada).await.is_ok());
    world.authenticator.store_last_uses().await.unwrap();
    let kept = "SELECT last_used_at < now() - interval '40 seconds' FROM sessions";
    assert!(client.query_one(kept, &[]).await.unwrap().get::<_, bool>(0), "it was stored within the minute");
}

const SETTINGS: &str = "theme language notifications { requestAnswered roleChanged jobEnded quotaNearlyUsed }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_have_defaults_and_keep_what_is_not_given() {
    let world = World::new().await;
    let read = format!("{{ viewer {{ settings {{ {SETTINGS} }} }} }}");
    insta::assert_snapshot!(told(&world, "ada", &read, json!({})).await, @r#"{"viewer":{"settings":{"theme":"SYSTEM","language":null,"notifications":{"requestAnswered":true,"roleChanged":true,"jobEnded":true,"quotaNearlyUsed":true}}}}"#);
    let update = format!(
        "mutation($i: UpdateUserSettingsInput!) {{ updateUserSettings(input: $i) {{ settings {{ {SETTINGS} }} }} }}"
    );
    let set = async |input: Value| told(&world, "ada", &update, json!({ "i": input })).await;
    insta::assert_snapshot!(set(json!({ "theme": "DARK", "language": "PT-br" })).await, @r#"{"updateUserSettings":{"settings":{"theme":"DARK","language":"pt-BR","notifications":{"requestAnswered":true,"roleChanged":true,"jobEnded":true,"quotaNearlyUsed":true}}}}"#);
    insta::assert_snapshot!(set(json!({ "notifications": { "jobEnded": false, "roleChanged": true } })).await, @r#"{"updateUserSettings":{"settings":{"theme":"DARK","language":"pt-BR","notifications":{"requestAnswered":true,"roleChanged":true,"jobEnded":false,"quotaNearlyUsed":true}}}}"#);
    insta::assert_snapshot!(set(json!({ "language": "", "notifications": { "jobEnded": true } })).await, @r#"{"updateUserSettings":{"settings":{"theme":"DARK","language":null,"notifications":{"requestAnswered":true,"roleChanged":true,"jobEnded":true,"quotaNearlyUsed":true}}}}"#);
    insta::assert_snapshot!(set(json!({ "language": "engl!sh" })).await, @r#"BAD_USER_INPUT input.language: "engl!sh" is not a language tag (BCP 47), such as en, pt-BR or zh-Hant"#);
    let theirs = told(&world, "ben", &read, json!({})).await;
    assert!(theirs.contains("SYSTEM"), "{theirs}");
}
