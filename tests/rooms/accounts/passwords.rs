//! Changing passwords, one-time links, and what cannot be found out by guessing.

use super::*;

const CHANGE: &str = "mutation($old: String!, $new: String!) { changePassword(input: { currentPassword: $old, newPassword: $new }) { endedSessions } }";
const LINK: &str = "mutation($id: ID!) { createPasswordReset(input: { userId: $id }) { user { username } passwordLink { token expiresAt } } }";
const RESET: &str =
    "mutation($t: String!, $new: String!) { resetPassword(input: { token: $t, newPassword: $new }) { username } }";

async fn link_for(world: &World, username: &str) -> String {
    let answer = world.ask("admin", LINK, json!({ "id": id_of(world, username).await })).await;
    answer["data"]["createPasswordReset"]["passwordLink"]["token"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

async fn reset(world: &World, token: &str, password: &str) -> String {
    in_short(&world.ask_as(Caller::Anonymous, RESET, json!({ "t": token, "new": password })).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_password_ends_the_other_sessions_and_keeps_this_one() {
    let world = World::new().await;
    let (here, elsewhere) = (world.caller("ada").await, world.log_in("ada").await.0);
    let change = async |old: &str, new: &str| {
        in_short(&world.ask_as(here.clone(), CHANGE, json!({ "old": old, "new": new })).await)
    };
    insta::assert_snapshot!(change("guessed", FRESH).await, @"BAD_USER_INPUT input.currentPassword: the current password is incorrect");
    insta::assert_snapshot!(change("vision-member", "vision-member").await, @"BAD_USER_INPUT input.newPassword: the new password is the current one");
    insta::assert_snapshot!(change("vision-member", "i am ADA, you know").await, @"BAD_USER_INPUT input.newPassword: the password is too weak: it contains your name or email address");
    insta::assert_snapshot!(change("vision-member", FRESH).await, @r#"{"changePassword":{"endedSessions":1}}"#);
    assert!(world.authenticator.authenticate(Some(&format!("Bearer {elsewhere}"))).await.is_err());
    assert!(errors(&world.ask_as(here.clone(), "{ viewer { id } }", json!({})).await).is_empty());
    assert!(world.authenticator.renewed(&here).await.is_ok());
    assert!(log_in(&world, "ada", "vision-member").await.starts_with("UNAUTHENTICATED"));
    insta::assert_snapshot!(log_in(&world, "ada", FRESH).await, @r#"logged in as "ada""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_stolen_a_token_cannot_guess_the_password_with_it() {
    let world = World::new().await;
    let stolen = world.caller("ada").await;
    let guess = async || errors(&world.ask_as(stolen.clone(), CHANGE, json!({ "old": "guessed", "new": FRESH })).await);
    for _ in 0..5 {
        assert!(guess().await.starts_with("BAD_USER_INPUT"));
    }
    insta::assert_snapshot!(guess().await, @"RATE_LIMITED -: RATE_LIMIT_LOGINS_PER_NAME: too many login attempts; a username is allowed 5 per minute");
    assert!(log_in(&world, "ADA", "guessed").await.starts_with("RATE_LIMITED"), "the limit is one for all doors");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_sets_a_password_once_and_ends_all_sessions() {
    let world = World::new().await;
    let (token, _) = world.log_in("ada").await;
    let link = link_for(&world, "ada").await;
    insta::assert_snapshot!(reset(&world, &link, "password1").await, @"BAD_USER_INPUT input.newPassword: the password is too weak: it is one of the most common passwords");
    insta::assert_snapshot!(reset(&world, &link, FRESH).await, @r#"{"resetPassword":{"username":"ada"}}"#);
    assert!(world.authenticator.authenticate(Some(&format!("Bearer {token}"))).await.is_err());
    insta::assert_snapshot!(reset(&world, &link, "another start 8").await, @"BAD_USER_INPUT input.token: the link is not valid: it was used or replaced, or has expired; ask a platform admin for a new one");
    insta::assert_snapshot!(log_in(&world, "ada", FRESH).await, @r#"logged in as "ada""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_use_a_link_at_once_one_sets_the_password() {
    let world = World::new().await;
    for _ in 0..3 {
        let link = link_for(&world, "ada").await;
        let (one, other) = tokio::join!(reset(&world, &link, FRESH), reset(&world, &link, "another start 8"));
        let told = [&one, &other];
        assert_eq!(told.iter().filter(|told| told.starts_with("{")).count(), 1, "{told:?}");
        let set = if one.starts_with('{') { FRESH } else { "another start 8" };
        assert_eq!(log_in(&world, "ada", set).await, "logged in as \"ada\"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_with_the_old_password_does_not_outlive_a_new_one() {
    let world = World::new().await;
    let mut old = "vision-member".to_owned();
    for round in 0..6 {
        let (link, new) = (link_for(&world, "ada").await, format!("a fresh start {round}"));
        let input = json!({ "input": { "username": "ada", "password": old } });
        let (set, begun) = tokio::join!(reset(&world, &link, &new), world.ask_as(Caller::Anonymous, LOGIN, input));
        assert!(set.starts_with('{'), "{set}");
        if let Some(token) = begun["data"]["login"]["accessToken"].as_str() {
            assert!(world.authenticator.authenticate(Some(&format!("Bearer {token}"))).await.is_err(), "round {round}");
        }
        old = new;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_was_replaced_has_expired_or_belongs_to_a_deleted_user_is_not_valid() {
    let world = World::new().await;
    let (old, new) = (link_for(&world, "ada").await, link_for(&world, "ada").await);
    assert!(reset(&world, &old, FRESH).await.starts_with("BAD_USER_INPUT input.token"));
    sql(&world.url, "UPDATE password_resets SET expires_at = now()").await;
    assert!(reset(&world, &new, FRESH).await.starts_with("BAD_USER_INPUT input.token"));
    let last = link_for(&world, "ada").await;
    let variables = json!({ "id": id_of(&world, "ada").await, "name": "ada" });
    assert!(told(&world, "admin", DELETE, variables.clone()).await.starts_with("{"));
    assert!(reset(&world, &last, FRESH).await.starts_with("BAD_USER_INPUT input.token"));
    insta::assert_snapshot!(told(&world, "admin", LINK, json!({ "id": variables["id"] })).await, @r#"CONFLICT input.userId: the user "ada" is deleted"#);
    for token in ["", "x", &"x".repeat(10_000), "\u{0}"] {
        assert!(reset(&world, token, FRESH).await.starts_with("BAD_USER_INPUT input.token"), "{token:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_user_without_a_password_chooses_one_with_the_link_and_cannot_log_in_before() {
    let world = World::new().await;
    let answer = world.ask("admin", CREATE, json!({ "i": { "username": "zoe" } })).await;
    let link = answer["data"]["createUser"]["passwordLink"]["token"].as_str().unwrap().to_owned();
    for guess in ["", "!", "$2b$", &link] {
        assert!(log_in(&world, "zoe", guess).await.starts_with("UNAUTHENTICATED"), "{guess:?}");
    }
    insta::assert_snapshot!(reset(&world, &link, FRESH).await, @r#"{"resetPassword":{"username":"zoe"}}"#);
    insta::assert_snapshot!(log_in(&world, "zoe", FRESH).await, @r#"logged in as "zoe""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_token_of_a_link_nor_a_password_is_stored_or_audited() {
    let world = World::new().await;
    let link = link_for(&world, "ada").await;
    let (client, driver) = tokio_postgres::connect(world.url.expose(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    let row: String = client.query_one("SELECT password_resets::text FROM password_resets", &[]).await.unwrap().get(0);
    assert!(!row.contains(&link), "{row}");
    assert!(reset(&world, &link, FRESH).await.starts_with("{"));
    let log = "SELECT string_agg(action || ' ' || split_part(subject, '_', 1) || ' ' || detail::text, E'\\n' ORDER BY id) FROM audit_log WHERE action <> 'login'";
    let log: String = client.query_one(log, &[]).await.unwrap().get(0);
    assert!(!log.contains(&link) && !log.contains(FRESH), "{log}");
    let first = log.lines().next().unwrap().split(" {").next().unwrap();
    assert_eq!(
        (first, log.lines().last().unwrap()),
        ("createPasswordReset user", r#"resetPassword user {"sessions": 0}"#)
    );
}

/// No timing is measured: the same number of hashes is computed for each, whatever the account is like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refused_log_in_checks_one_password_and_has_the_same_answer() {
    let world = World::new().await;
    sql(
        &world.url,
        "UPDATE users SET disabled_at = now() WHERE username = 'ben';
         UPDATE users SET deleted_at = now() WHERE username = 'maya';
         UPDATE users SET password_hash = '!' WHERE username = 'admin';",
    )
    .await;
    let passwords = [
        ("nobody-at-all", "guessed"),
        ("ada", "guessed"),
        ("ben", "language-member"),
        ("maya", "vision-manager"),
        ("admin", "!"),
        ("a name with \" and \n", "guessed"),
    ];
    for (username, password) in passwords {
        let before = world.authenticator.passwords().verified();
        let told = log_in(&world, username, password).await;
        assert_eq!(told, "UNAUTHENTICATED -: the username or the password is incorrect", "{username}");
        assert_eq!(world.authenticator.passwords().verified() - before, 1, "{username}");
    }
}
