//! The API tokens among the actors of the matrices: each scope in the hand of somebody whose roles make it matter, and
//! tokens for one project.

use std::collections::HashMap;
use std::sync::LazyLock;

use platform::auth::api_tokens::ApiSecret;

/// A token of each scope of the platform admin, one of a manager, and some for a project: for the project that everything
/// is about, of an admin of the group and of the platform admin, and for the one beside it in the same group.
pub const TOKENS: [&str; 8] = [
    "admin:READ",
    "admin:SUBMIT",
    "admin:MANAGE",
    "admin:ADMIN",
    "maya:MANAGE",
    "gwen:detection",
    "admin:detection",
    "admin:segmentation",
];

static SECRETS: LazyLock<HashMap<&str, ApiSecret>> =
    LazyLock::new(|| TOKENS.iter().map(|name| (*name, ApiSecret::generate())).collect());

/// What an actor authenticates with: the secret of a token, or the username.
pub fn login_of(actor: &str) -> String {
    SECRETS.get(actor).map_or_else(|| actor.to_owned(), ApiSecret::encode)
}

/// Statements that create the tokens.
pub fn setup() -> String {
    let insert = |actor: &&str| {
        let (user, what) = actor.split_once(':').unwrap();
        let hash: String = SECRETS[*actor].hash().iter().map(|byte| format!("{byte:02x}")).collect();
        let (scope, project) = match what {
            "READ" | "SUBMIT" | "MANAGE" | "ADMIN" => (what, "NULL".to_owned()),
            name => ("ADMIN", format!("(SELECT id FROM projects WHERE name = '{name}')")),
        };
        format!(
            "INSERT INTO api_tokens (id, user_id, name, scope, project_id, token_hash, expires_at)
             SELECT gen_random_uuid(), id, '{actor}', '{scope}', {project}, '\\x{hash}', now() + interval '1 day'
               FROM users WHERE username = '{user}';"
        )
    };
    TOKENS.iter().map(insert).collect()
}
