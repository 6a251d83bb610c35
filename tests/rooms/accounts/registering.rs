//! Registration where it is open. Where it is not, `tests/accounts` asks a whole server.

use super::*;

const REGISTER: &str = "mutation($i: RegisterInput!) { register(input: $i) { state session { accessToken user { username email platformRole } } } }";

async fn register(world: &World, input: Value) -> Value {
    world.ask_as(Caller::Anonymous, REGISTER, json!({ "i": input })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_registration_is_open_a_newcomer_is_logged_in_at_once() {
    let world = World::new().await;
    let answer = register(&world, json!({ "username": "zoe", "password": FRESH, "email": "zoe@example.org" })).await;
    let session = &answer["data"]["register"]["session"];
    assert_eq!(
        session["user"],
        json!({ "username": "zoe", "email": "zoe@example.org", "platformRole": "USER" }),
        "{answer}"
    );
    let token = format!("Bearer {}", session["accessToken"].as_str().unwrap());
    let zoe = world.authenticator.authenticate(Some(&token)).await.unwrap();
    let sees = "{ viewer { username memberships { totalCount } } users { totalCount } projects { totalCount } }";
    insta::assert_snapshot!(in_short(&world.ask_as(zoe, sees, json!({})).await), @r#"{"viewer":{"username":"zoe","memberships":{"totalCount":0}},"users":{"totalCount":1},"projects":{"totalCount":0}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_name_is_told_and_an_email_address_that_somebody_has_is_not() {
    let world = World::new().await;
    sql(&world.url, "UPDATE users SET email = 'ada@example.org' WHERE username = 'ada'").await;
    let taken = register(&world, json!({ "username": "ada", "password": FRESH })).await;
    insta::assert_snapshot!(errors(&taken), @r#"CONFLICT input.username: a user named "ada" already exists"#);
    let same = register(&world, json!({ "username": "zoe", "password": FRESH, "email": "ada@example.org" })).await;
    assert_eq!(errors(&same), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_register_a_name_at_once_one_gets_it() {
    let world = World::new().await;
    let input = json!({ "username": "zoe", "password": FRESH });
    let (one, other) = tokio::join!(register(&world, input.clone()), register(&world, input.clone()));
    let told = [errors(&one), errors(&other)];
    assert_eq!(told.iter().filter(|told| told.is_empty()).count(), 1, "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("CONFLICT")), "{told:?}");
}
