//! Accounts as admins and their users change them.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_creates_an_account_with_a_password_and_its_user_logs_in_in_any_case() {
    let world = World::new().await;
    let input =
        json!({ "i": { "username": "zoe", "displayName": "Zoë Lind", "email": "zoe@example.org", "password": FRESH } });
    insta::assert_snapshot!(told(&world, "admin", CREATE, input).await, @r#"{"createUser":{"user":{"username":"zoe","displayName":"Zoë Lind","email":"zoe@example.org","platformRole":"USER","state":"ACTIVE"},"passwordLink":null}}"#);
    insta::assert_snapshot!(log_in(&world, "Zoe", FRESH).await, @r#"logged in as "zoe""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_invalid_field_of_a_new_account_is_told() {
    let world = World::new().await;
    let input = json!({ "i": { "username": "Zoë", "displayName": " ", "email": "zoe", "password": "password1" } });
    insta::assert_snapshot!(told(&world, "admin", CREATE, input).await, @r#"
    BAD_USER_INPUT input.username: "Zoë" is not a valid username: it contains 'ë' (U+00EB), and only the letters a-z are allowed, because others can look the same
    BAD_USER_INPUT input.displayName: a display name must have at least one character
    BAD_USER_INPUT input.email: "zoe" is not an email address
    BAD_USER_INPUT input.password: the password is too weak: it is one of the most common passwords
    "#);
    let input = json!({ "i": { "username": "support", "password": "short" } });
    insta::assert_snapshot!(told(&world, "admin", CREATE, input).await, @r#"
    BAD_USER_INPUT input.username: "support" is a reserved username: others could take the user for somebody who runs the platform
    BAD_USER_INPUT input.password: the password has 5 bytes; it must have 8 to 72
    "#);
    let input = json!({ "i": { "username": "ada", "password": FRESH } });
    insta::assert_snapshot!(told(&world, "admin", CREATE, input).await, @r#"CONFLICT input.username: a user named "ada" already exists"#);
    let input = json!({ "i": { "username": "zoe", "password": "my name is zoe!" } });
    insta::assert_snapshot!(told(&world, "admin", CREATE, input).await, @"BAD_USER_INPUT input.password: the password is too weak: it contains your name or email address");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_was_valid_once_still_logs_in() {
    let world = World::new().await;
    sql(&world.url, "UPDATE users SET username = '7.of_9' WHERE username = 'ada'").await;
    insta::assert_snapshot!(log_in(&world, "7.OF_9", "vision-member").await, @r#"logged in as "7.of_9""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_change_their_own_account_and_nobody_promotes_themselves() {
    let world = World::new().await;
    let ada = id_of(&world, "ada").await;
    let update = |fields: Value| {
        let mut input = fields;
        input["id"] = ada.clone().into();
        json!({ "i": input })
    };
    let fields = json!({ "displayName": "Ada H.", "email": "ada@example.org" });
    insta::assert_snapshot!(told(&world, "ada", UPDATE, update(fields)).await, @r#"{"updateUser":{"user":{"displayName":"Ada H.","email":"ada@example.org","platformRole":"USER"}}}"#);
    insta::assert_snapshot!(told(&world, "ada", UPDATE, update(json!({ "email": "" }))).await, @r#"{"updateUser":{"user":{"displayName":"Ada H.","email":null,"platformRole":"USER"}}}"#);
    insta::assert_snapshot!(told(&world, "ada", UPDATE, update(json!({ "platformRole": "ADMIN", "displayName": "Root" }))).await, @"FORBIDDEN input.platformRole: only platform admins can change platform roles");
    insta::assert_snapshot!(told(&world, "ada", UPDATE, update(json!({}))).await, @r#"{"updateUser":{"user":{"displayName":"Ada H.","email":null,"platformRole":"USER"}}}"#);
    insta::assert_snapshot!(told(&world, "maya", UPDATE, update(json!({ "displayName": "x" }))).await, @"FORBIDDEN input.id: only the user and platform admins can change an account");
    let strange = told(&world, "ben", UPDATE, update(json!({ "displayName": "x" }))).await;
    assert_eq!(strange, format!("NOT_FOUND input.id: user \"{ada}\" not found"));
    insta::assert_snapshot!(told(&world, "admin", UPDATE, update(json!({ "platformRole": "ADMIN" }))).await, @r#"{"updateUser":{"user":{"displayName":"Ada H.","email":null,"platformRole":"ADMIN"}}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_platform_admin_stays() {
    let world = World::new().await;
    let admin = id_of(&world, "admin").await;
    let demote = json!({ "i": { "id": admin, "platformRole": "USER" } });
    insta::assert_snapshot!(told(&world, "admin", UPDATE, demote.clone()).await, @"CONFLICT input.platformRole: this is the last platform admin; make another user a platform admin first");
    insta::assert_snapshot!(told(&world, "admin", DISABLE, json!({ "id": admin })).await, @"CONFLICT input.id: this is the last platform admin; make another user a platform admin first");
    insta::assert_snapshot!(told(&world, "admin", DELETE, json!({ "id": admin, "name": "admin" })).await, @"CONFLICT input.id: this is the last platform admin; make another user a platform admin first");
    // One who is disabled does not count.
    sql(&world.url, "UPDATE users SET platform_role = 'ADMIN', disabled_at = now() WHERE username = 'ben'").await;
    assert!(told(&world, "admin", UPDATE, demote.clone()).await.starts_with("CONFLICT"));
    sql(&world.url, "UPDATE users SET disabled_at = NULL WHERE username = 'ben'").await;
    assert!(told(&world, "admin", UPDATE, demote).await.starts_with("{"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_who_remove_each_other_at_once_one_stays() {
    let world = World::new().await;
    let (admin, ben) = (id_of(&world, "admin").await, id_of(&world, "ben").await);
    for (first, second) in [(DISABLE, DISABLE), (UPDATE, UPDATE), (DELETE, UPDATE), (UPDATE, DISABLE)] {
        let reset = "UPDATE users SET platform_role = 'ADMIN', disabled_at = NULL, deleted_at = NULL
            WHERE username IN ('admin', 'ben')";
        sql(&world.url, reset).await;
        sql(&world.url, "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE username = 'maya')")
            .await;
        let of = |id: &str, name: &str| json!({ "id": id, "name": name, "i": { "id": id, "platformRole": "USER" } });
        let given = |mutation: &str, all: Value| {
            let wanted = all.as_object().unwrap().iter().filter(|(name, _)| mutation.contains(&format!("${name}:")));
            Value::Object(wanted.map(|(name, value)| (name.clone(), value.clone())).collect())
        };
        let caller = async |name: &str| {
            let input = json!({ "input": { "username": name, "password": "vision-manager" } });
            let answer = world.ask_as(Caller::Anonymous, LOGIN, input).await;
            let token =
                answer["data"]["login"]["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
            world.authenticator.authenticate(Some(&format!("Bearer {token}"))).await.unwrap()
        };
        let (one, other) = (caller("admin").await, caller("ben").await);
        let (one, other) = tokio::join!(
            world.ask_as(one, first, given(first, of(&ben, "ben"))),
            world.ask_as(other, second, given(second, of(&admin, "admin"))),
        );
        let told = [errors(&one), errors(&other)];
        assert_eq!(told.iter().filter(|told| told.is_empty()).count(), 1, "{told:?}");
        assert!(told.iter().any(|told| told.starts_with("CONFLICT")), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_user_is_out_at_once_and_an_enabled_one_logs_in_again() {
    let world = World::new().await;
    let ada = id_of(&world, "ada").await;
    let (token, _) = world.log_in("ada").await;
    let token = format!("Bearer {token}");
    insta::assert_snapshot!(told(&world, "admin", DISABLE, json!({ "id": ada })).await, @r#"{"disableUser":{"user":{"state":"DISABLED"}}}"#);
    insta::assert_snapshot!(told(&world, "admin", DISABLE, json!({ "id": ada })).await, @r#"{"disableUser":{"user":{"state":"DISABLED"}}}"#);
    assert!(world.authenticator.authenticate(Some(&token)).await.is_err());
    insta::assert_snapshot!(log_in(&world, "ada", "vision-member").await, @"UNAUTHENTICATED -: the username or the password is incorrect");
    insta::assert_snapshot!(told(&world, "admin", ENABLE, json!({ "id": ada })).await, @r#"{"enableUser":{"user":{"state":"ACTIVE"}}}"#);
    assert!(world.authenticator.authenticate(Some(&token)).await.is_err(), "the sessions of before have ended");
    insta::assert_snapshot!(log_in(&world, "ada", "vision-member").await, @r#"logged in as "ada""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_user_leaves_their_name_on_their_jobs_and_it_is_not_given_out_again() {
    let world = World::new().await;
    let ada = id_of(&world, "ada").await;
    let (token, _) = world.log_in("ada").await;
    insta::assert_snapshot!(told(&world, "admin", DELETE, json!({ "id": ada, "name": "ben" })).await, @r#"BAD_USER_INPUT input.username: "ben" is not the username of this user: enter "ada" to delete them"#);
    insta::assert_snapshot!(told(&world, "admin", DELETE, json!({ "id": ada, "name": "ada" })).await, @r#"{"deleteUser":{"user":{"username":"ada","state":"DELETED"}}}"#);
    assert!(world.authenticator.authenticate(Some(&format!("Bearer {token}"))).await.is_err());
    insta::assert_snapshot!(log_in(&world, "ada", "vision-member").await, @"UNAUTHENTICATED -: the username or the password is incorrect");

    let jobs = "{ jobs(filter: { names: [\"train-resnet\"] }) { nodes { submittedBy { username displayName } } } groups(filter: { names: [\"vision\"] }) { nodes { members { nodes { user { username } } } } } }";
    insta::assert_snapshot!(told(&world, "maya", jobs, json!({})).await, @r#"{"jobs":{"nodes":[{"submittedBy":{"username":"ada","displayName":"Ada Hart"}}]},"groups":{"nodes":[{"members":{"nodes":[{"user":{"username":"maya"}}]}}]}}"#);
    let again = json!({ "i": { "username": "ada", "password": FRESH } });
    insta::assert_snapshot!(told(&world, "admin", CREATE, again).await, @r#"CONFLICT input.username: a user named "ada" already exists"#);
    for (mutation, variables) in [
        (DISABLE, json!({ "id": ada })),
        (ENABLE, json!({ "id": ada })),
        (DELETE, json!({ "id": ada, "name": "ada" })),
        (UPDATE, json!({ "i": { "id": ada, "displayName": "x" } })),
    ] {
        let told = told(&world, "admin", mutation, variables).await;
        assert_eq!(told, "CONFLICT input.id: the user \"ada\" is deleted", "{mutation}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_list_users_by_state_and_see_what_they_can_do() {
    let world = World::new().await;
    sql(
        &world.url,
        "UPDATE users SET deleted_at = now() WHERE username = 'ben';
         UPDATE users SET disabled_at = now(), waiting = true WHERE username = 'ada';",
    )
    .await;
    let query = "query($s: [UserState!]) { users(filter: { states: $s }) { totalCount nodes { username state viewerCanUpdate viewerCanDisable viewerCanEnable viewerCanDelete } } }";
    let seen = async |actor: &str, states: Value| {
        let answer = world.ask(actor, query, json!({ "s": states })).await;
        let Some(nodes) = answer["data"]["users"]["nodes"].as_array().cloned() else { return errors(&answer) };
        let line = |user: &Value| {
            user.as_object()
                .unwrap()
                .values()
                .map(|value| value.to_string().replace('"', ""))
                .collect::<Vec<_>>()
                .join(" ")
        };
        nodes.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(seen("admin", json!(["ACTIVE", "WAITING", "DELETED"])).await, @"
    ada WAITING true true true true
    admin ACTIVE true true false true
    ben DELETED false false false false
    maya ACTIVE true true false true
    ");
    insta::assert_snapshot!(seen("admin", json!(["WAITING"])).await, @"ada WAITING true true true true");
    insta::assert_snapshot!(seen("admin", json!(null)).await, @"
    ada WAITING true true true true
    admin ACTIVE true true false true
    maya ACTIVE true true false true
    ");
    insta::assert_snapshot!(seen("maya", json!(null)).await, @"
    ada null false false false false
    maya ACTIVE true false false false
    ");
    insta::assert_snapshot!(seen("maya", json!(["WAITING"])).await, @"FORBIDDEN filter.states: only platform admins can filter users by state");
}
