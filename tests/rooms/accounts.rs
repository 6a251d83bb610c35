//! Accounts: creating, changing, disabling and deleting them, their passwords, sessions and settings.

mod changing;
mod passwords;
mod registering;
mod sessions;

use platform::auth::principal::Caller;
use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{LOGIN, World, errors, sql};

/// Who sees what of accounts: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "INSERT INTO password_resets (token_hash, user_id, expires_at)
            SELECT sha256('the token of a link'), id, now() + interval '1 hour' FROM users WHERE username = 'ada';
        INSERT INTO sessions (id, user_id, refresh_hash, family_hash, expires_at, user_agent, address)
            SELECT '00000000-0000-0000-0000-000000000001', id, 'x', 'x', now() + interval '1 hour', 'curl/8', '192.0.2.7'
            FROM users WHERE username = 'ada';",
    operations: &[
        ("registration", "{ registration }"),
        ("register", "mutation { register(input: { username: \"newcomer\", password: \"a fresh start 7\" }) { state } }"),
        ("createUser", "mutation { createUser(input: { username: \"newcomer\" }) { user { id } } }"),
        (
            "updateUser",
            "mutation($ada: ID!) { updateUser(input: { id: $ada, displayName: \"A. Hart\" }) { user { id } } }",
        ),
        ("disableUser", "mutation($ada: ID!) { disableUser(input: { id: $ada }) { user { id } } }"),
        ("enableUser", "mutation($ada: ID!) { enableUser(input: { id: $ada }) { user { id } } }"),
        ("deleteUser", "mutation($ada: ID!) { deleteUser(input: { id: $ada, username: \"ada\" }) { user { id } } }"),
        // It is the password of some of them.
        (
            "changePassword",
            "mutation { changePassword(input: { currentPassword: \"vision-member\", newPassword: \"a fresh start 7\" }) { endedSessions } }",
        ),
        (
            "createPasswordReset",
            "mutation($ada: ID!) { createPasswordReset(input: { userId: $ada }) { passwordLink { expiresAt } } }",
        ),
        (
            "resetPassword",
            "mutation { resetPassword(input: { token: \"the token of a link\", newPassword: \"a fresh start 7\" }) { username } }",
        ),
        (
            "endSession",
            "mutation { endSession(input: { id: \"session_00000000000000000000000001\" }) { session { id } } }",
        ),
        ("logoutEverywhere", "mutation { logoutEverywhere { endedSessions } }"),
        ("updateUserSettings", "mutation { updateUserSettings(input: { theme: DARK }) { settings { theme } } }"),
    ],
    types: &[
        ("RegisterPayload", Below("register")),
        ("CreateUserPayload", Below("createUser")),
        ("UpdateUserPayload", Below("updateUser")),
        ("DisableUserPayload", Below("disableUser")),
        ("EnableUserPayload", Below("enableUser")),
        ("DeleteUserPayload", Below("deleteUser")),
        ("PasswordLink", Below("createPasswordReset")),
        ("ChangePasswordPayload", Below("changePassword")),
        ("CreatePasswordResetPayload", Below("createPasswordReset")),
        ("ResetPasswordPayload", Below("resetPassword")),
        ("EndSessionPayload", Below("endSession")),
        ("LogoutEverywherePayload", Below("logoutEverywhere")),
        ("UpdateUserSettingsPayload", Below("updateUserSettings")),
        ("Session", By("{ node(id: \"session_00000000000000000000000001\") { ... on Session { FIELD } } }")),
        ("SessionConnection", By("query($ada: ID!) { user(id: $ada) { sessions { FIELD } } }")),
        ("SessionEdge", By("query($ada: ID!) { user(id: $ada) { sessions { edges { FIELD } } } }")),
        ("UserSettings", By("query($ada: ID!) { user(id: $ada) { settings { FIELD } } }")),
        ("NotificationSettings", By("query($ada: ID!) { user(id: $ada) { settings { notifications { FIELD } } } }")),
    ],
};

/// A new password that nothing is wrong with.
const FRESH: &str = "a fresh start 7";

async fn id_of(world: &World, username: &str) -> String {
    let query = "query($n: [String!]) { users(filter: { usernames: $n, states: [ACTIVE, WAITING, DISABLED, DELETED] }) { nodes { id } } }";
    let answer = world.ask("admin", query, json!({ "n": [username] })).await;
    answer["data"]["users"]["nodes"][0]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The answer to a mutation about a user: its errors in short, or its data.
async fn told(world: &World, actor: &str, mutation: &str, variables: Value) -> String {
    in_short(&world.ask(actor, mutation, variables).await)
}

fn in_short(answer: &Value) -> String {
    match errors(answer) {
        none if none.is_empty() => answer["data"].to_string(),
        errors => errors,
    }
}

/// What a log-in with this name and password comes to.
async fn log_in(world: &World, username: &str, password: &str) -> String {
    let input = json!({ "input": { "username": username, "password": password } });
    let answer = world.ask_as(Caller::Anonymous, LOGIN, input).await;
    match errors(&answer) {
        none if none.is_empty() => format!("logged in as {}", answer["data"]["login"]["user"]["username"]),
        errors => errors,
    }
}

const CREATE: &str = "mutation($i: CreateUserInput!) { createUser(input: $i) { user { username displayName email platformRole state } passwordLink { token } } }";
const DISABLE: &str = "mutation($id: ID!) { disableUser(input: { id: $id }) { user { state } } }";
const ENABLE: &str = "mutation($id: ID!) { enableUser(input: { id: $id }) { user { state } } }";
const DELETE: &str = "mutation($id: ID!, $name: String!) { deleteUser(input: { id: $id, username: $name }) { user { username state } } }";
const UPDATE: &str =
    "mutation($i: UpdateUserInput!) { updateUser(input: $i) { user { displayName email platformRole } } }";
