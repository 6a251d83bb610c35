//! The rooms of people, groups, projects and config files, asked through GraphQL over a real database.
//!
//! Every test gets a database of its own with the demo tenant in it: the admin, Maya (manager of vision, member of
//! language), Ada (member of vision) and Ben (member of language, a stranger to vision).

mod configs;
mod groups;
mod login;
mod permissions;
mod projects;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_graphql::{EmptySubscription, MergedObject, Request, Schema, Variables};
use platform::auth::Authenticator;
use platform::auth::principal::Caller;
use platform::config::{AuthConfig, BcryptCost, DatabaseConfig, DatabaseUrl, JwtKeys, RateLimits};
use platform::db::{Db, migrations};
use platform::dev::postgres::{EmbeddedPostgres, Options};
use platform::dev::seed;
use platform::events::Bus;
use platform::graphql::loaders::Loaders;
use platform::tasks::Tasks;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

#[derive(Default, MergedObject)]
struct Query(
    platform::users::query::UserQuery,
    platform::groups::query::GroupQuery,
    platform::projects::query::ProjectQuery,
    platform::configs::query::ConfigQuery,
);

#[derive(Default, MergedObject)]
struct Mutation(
    platform::users::mutation::UserMutation,
    platform::groups::mutation::GroupMutation,
    platform::projects::mutation::ProjectMutation,
    platform::configs::mutation::ConfigMutation,
);

/// One PostgreSQL for all tests, with one migrated and seeded database that theirs are copies of.
static POSTGRES: OnceCell<EmbeddedPostgres> = OnceCell::const_new();

async fn postgres() -> &'static EmbeddedPostgres {
    POSTGRES
        .get_or_init(|| async {
            let postgres = EmbeddedPostgres::start(Options::ephemeral()).await.unwrap();
            let url: DatabaseUrl = postgres.url().parse().unwrap();
            let tasks = Tasks::default();
            let db = Db::new(&DatabaseConfig::for_dev(url.clone()), &tasks).unwrap();
            migrations::run(&db).await.unwrap();
            seed::demo(&url).await.unwrap();
            tasks.shutdown(Duration::from_secs(5)).await;
            postgres
        })
        .await
}

/// A database, and everything that answers over it.
pub struct World {
    pub db: Db,
    pub url: DatabaseUrl,
    pub authenticator: Authenticator,
    schema: Schema<Query, Mutation, EmptySubscription>,
    _tasks: Tasks,
}

impl World {
    pub async fn new() -> Self {
        Self::with_access_token_life(Duration::from_secs(900)).await
    }

    pub async fn with_access_token_life(access_token_life: Duration) -> Self {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let postgres = postgres().await;
        let name = format!("rooms_{}", COPIES.fetch_add(1, Ordering::Relaxed));
        let server: DatabaseUrl = postgres.connection().url("postgres").parse().unwrap();
        let template = postgres.url().rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
        let copy = format!("CREATE DATABASE {name} TEMPLATE {template}");
        // The server notices a moment later that the connections which seeded the template are gone.
        while let Err(error) = try_sql(&server, &copy).await {
            assert_eq!(error.code().map(|code| code.code()), Some("55006"), "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let url: DatabaseUrl = postgres.connection().url(&name).parse().unwrap();
        let tasks = Tasks::default();
        let db = Db::new(&DatabaseConfig::for_dev(url.clone()), &tasks).unwrap();
        let auth = AuthConfig {
            jwt_keys: JwtKeys::random(),
            bcrypt_cost: BcryptCost::CHEAPEST,
            access_token_life,
            refresh_token_life: Duration::from_secs(3600),
        };
        let limits = RateLimits {
            points_per_second: None,
            burst_points: std::num::NonZeroU32::MIN,
            logins_per_name: std::num::NonZeroU32::new(5),
            logins_per_address: None,
        };
        let bus = Bus::start(&tasks, &db, Duration::from_secs(3600));
        bus.tip().wait_for(Option::is_some).await.unwrap();
        let authenticator = Authenticator::new(db.clone(), bus, &auth, &limits);
        let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription)
            .data(db.clone())
            .data(authenticator.clone())
            .finish();
        Self { db, url, authenticator, schema, _tasks: tasks }
    }

    /// The access and the refresh token of somebody of the demo tenant.
    pub async fn log_in(&self, username: &str) -> (String, String) {
        let input = json!({ "input": { "username": username, "password": password_of(username) } });
        let answer = self.ask_as(Caller::Anonymous, LOGIN, input).await;
        let token =
            |name: &str| answer["data"]["login"][name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (token("accessToken"), token("refreshToken"))
    }

    /// Somebody of the demo tenant, logged in; `anonymous` is nobody.
    pub async fn caller(&self, username: &str) -> Caller {
        if username == "anonymous" {
            return Caller::Anonymous;
        }
        let (token, _) = self.log_in(username).await;
        self.authenticator.authenticate(Some(&format!("Bearer {token}"))).await.unwrap()
    }

    /// The answer to an operation of somebody of the demo tenant.
    pub async fn ask(&self, username: &str, query: &str, variables: Value) -> Value {
        self.ask_as(self.caller(username).await, query, variables).await
    }

    pub async fn ask_as(&self, caller: Caller, query: &str, variables: Value) -> Value {
        let request = Request::new(query)
            .variables(Variables::from_json(variables))
            .data(caller)
            .data(Arc::new(Loaders::new(self.db.clone())));
        serde_json::to_value(self.schema.execute(request).await).unwrap()
    }

    /// How many statements an operation takes.
    pub async fn statements(&self, caller: Caller, query: &str) -> u64 {
        let before = self.db.statements();
        let answer = self.ask_as(caller, query, json!({})).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        self.db.statements() - before
    }

    /// The fields of a root type, by introspection.
    pub async fn fields_of(&self, type_name: &str) -> Vec<String> {
        let query = format!("{{ __type(name: \"{type_name}\") {{ fields {{ name }} }} }}");
        let answer = self.ask_as(Caller::Anonymous, &query, json!({})).await;
        let fields = answer["data"]["__type"]["fields"].as_array().unwrap().clone();
        fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    }
}

pub const LOGIN: &str =
    "mutation($input: LoginInput!) { login(input: $input) { accessToken refreshToken user { username } } }";

fn password_of(username: &str) -> &'static str {
    match username {
        "admin" => "platform-admin",
        "maya" => "vision-manager",
        "ada" => "vision-member",
        "ben" => "language-member",
        other => panic!("{other} is not in the demo tenant"),
    }
}

/// Runs statements on a database.
pub async fn sql(url: &DatabaseUrl, statements: &str) {
    try_sql(url, statements).await.unwrap();
}

async fn try_sql(url: &DatabaseUrl, statements: &str) -> Result<(), tokio_postgres::Error> {
    let (client, driver) = tokio_postgres::connect(url.expose(), tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(driver);
    let done = client.batch_execute(statements).await;
    drop(client);
    driver.await.unwrap()?;
    done
}

/// What went wrong, one line an error: code, field, message.
pub fn errors(answer: &Value) -> String {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let line = |error: &Value| {
        let extensions = &error["extensions"];
        let part = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!("{} {}: {}", part(&extensions["code"]), part(&extensions["field"]), part(&error["message"]))
    };
    errors.iter().map(line).collect::<Vec<_>>().join("\n")
}
