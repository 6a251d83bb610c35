//! Users, groups, projects, config files and jobs, tested through GraphQL with a real database.
//!
//! Every test gets its own database with the demo tenant: the admin, Maya (manager of vision, member of language), Ada
//! (member of vision) and Ben (member of language, but not of vision).

mod access;
mod accounts;
mod api_tokens;
mod audit;
mod changes;
mod configs;
mod edges;
mod files;
mod final_pods;
mod group_limits;
mod groups;
mod jobs;
mod limits;
mod login;
mod members;
mod nested;
mod notifications;
mod nulls;
mod orphans;
mod permissions;
mod projects;
mod queues;
mod quota_usage;
mod requests;
mod retries;
mod schedules;
mod selections;
mod statements;
mod storage;
mod templates;
mod versions;
mod viewer;
mod webhooks;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_graphql::{Request, Response, Variables};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use platform::auth::Authenticator;
use platform::auth::principal::Caller;
use platform::auth::scope::{Scope, ScopeRecorder};
use platform::config::{DatabaseUrl, LoginRates, WebhookConfig};
use platform::db::Db;
use platform::error::{ApiError, ApiErrors};
use platform::graphql::feed::{Left, Operation, Running};
use platform::graphql::likeness::Outline;
use platform::graphql::limits::{CallerLimits, CostTable, Document, NotChosen, Prepared};
use platform::graphql::loaders::Loaders;
use platform::graphql::shares::Told;
use platform::http::{GraphqlService, HttpSettings};
use platform::outbound::AllowedNetworks;
use platform::schema::{self, Schema};
use platform::tasks::Tasks;
use serde_json::{Value, json};

use crate::support::session::password_of;
use crate::support::{app, database};

/// A database, and everything that answers over it.
pub struct World {
    pub db: Db,
    pub url: DatabaseUrl,
    pub authenticator: Authenticator,
    schema: Schema,
    costs: Arc<CostTable>,
    /// As the server keeps them: what was valid before is not validated again.
    documents: Mutex<HashMap<String, Arc<Document>>>,
    _tasks: Tasks,
    _objects: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with_access_token_life(Duration::from_secs(900)).await
    }

    pub async fn with_access_token_life(access_token_life: Duration) -> Self {
        Self::over(database::demo().await, access_token_life).await
    }

    async fn over(url: DatabaseUrl, access_token_life: Duration) -> Self {
        let (tasks, objects) = (Tasks::default(), tempfile::tempdir().unwrap());
        let app = app::answering(url.clone(), &tasks, |config| {
            config.auth.access_token_life = access_token_life;
            config.auth.registration = platform::config::Registration::Open;
            config.webhooks = WebhookConfig::new("hooks.example.com".parse().unwrap(), AllowedNetworks::default());
            config.objects = config.objects.clone().or_in(objects.path().to_owned());
            config.limits.logins =
                LoginRates { per_name: std::num::NonZeroU32::new(5), per_address: None, registrations: None };
        });
        let app = app.await.unwrap();
        let (db, authenticator) = (app.db.clone(), app.authenticator.clone());
        Self {
            db,
            url,
            authenticator,
            schema: app.schema().clone(),
            costs: app.costs(),
            documents: Mutex::default(),
            _tasks: tasks,
            _objects: objects,
        }
    }

    /// The access and the refresh token of somebody of the demo tenant.
    pub async fn log_in(&self, username: &str) -> (String, String) {
        let input = json!({ "input": { "username": username, "password": password_of(username) } });
        let answer = self.ask_as(Caller::Anonymous, LOGIN, input).await;
        let token =
            |name: &str| answer["data"]["login"][name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (token("accessToken"), token("refreshToken"))
    }

    /// Somebody of the demo tenant, logged in, or whoever an API token belongs to; `anonymous` is nobody.
    pub async fn caller(&self, username: &str) -> Caller {
        if username == "anonymous" {
            return Caller::Anonymous;
        }
        let token = match username.starts_with("plat_") {
            true => username.to_owned(),
            false => self.log_in(username).await.0,
        };
        self.authenticator.authenticate(Some(&format!("Bearer {token}"))).await.unwrap()
    }

    /// The answer to an operation of somebody of the demo tenant.
    pub async fn ask(&self, username: &str, query: &str, variables: Value) -> Value {
        self.ask_as(self.caller(username).await, query, variables).await
    }

    pub async fn ask_as(&self, caller: Caller, query: &str, variables: Value) -> Value {
        let document = self.documents.lock().unwrap().get(query).cloned();
        let document = document.unwrap_or_else(|| Arc::new(Document::parse(query.into(), &self.costs).unwrap()));
        self.documents.lock().unwrap().insert(query.to_owned(), Arc::clone(&document));
        let prepared = match Prepared::choose(document, None) {
            Ok(prepared) => prepared,
            Err(NotChosen::Invalid(errors)) => return json!({ "errors": errors }),
            Err(NotChosen::Unknown(message)) => panic!("{message}"),
        };
        let loaders = Arc::new(Loaders::new(self.db.lane()));
        let variables = match prepared.coerce(Variables::from_json(variables)) {
            Ok(variables) => variables,
            Err(ApiErrors(invalid)) => {
                let told = |error: &ApiError| json!({ "message": error.message, "extensions": { "code": error.code.as_str(), "field": error.field } });
                return json!({ "errors": invalid.iter().map(told).collect::<Vec<_>>() });
            }
        };
        let mut request = Request::new(query).data(caller).data(Arc::new(CallerLimits::default()));
        request = request.data(HttpSettings::default().limits());
        request.set_parsed_query(prepared.executable(&variables));
        let request = request.variables(variables);
        let request = schema::event_cursor::read_first(request, &prepared, &self.db).await.unwrap();
        let (request, _) = schema::with_request_parts(request, Arc::clone(&loaders), None);
        let answer = self.schema.execute(request, &prepared, &loaders, None).await.response;
        // Who asks next does so after whatever this has changed.
        self.authenticator.rights_may_have_changed();
        serde_json::to_value(answer).unwrap()
    }

    /// The first that a subscription tells, which comes at once.
    pub async fn first_of(&self, username: &str, query: &str, variables: Value) -> Value {
        let caller = self.caller(username).await;
        let left = Arc::<Left<Scope>>::default();
        let variables = Variables::from_json(variables);
        let request = Request::new(query).variables(variables.clone()).data(caller).data(Arc::clone(&left));
        let outline = Outline::of(&request, Document::parse(query.into(), &self.costs).unwrap().parsed());
        let (request, _) = schema::with_request_parts(request, Arc::new(Loaders::new(self.db.lane())), None);
        let mut answers = Box::pin(self.schema.execute_stream(request));
        let first = async {
            if let Some(answer) = answers.next().await {
                return serde_json::to_value(answer).unwrap();
            }
            let again = Again {
                schema: self.schema.clone(),
                db: self.db.clone(),
                query: query.to_owned(),
                variables: variables.clone(),
            };
            match left.take().unwrap().follow(outline.likeness, Box::new(again)).next().await.unwrap() {
                Ok(rendition) => serde_json::from_str(&rendition.told.payload).unwrap(),
                Err(error) => json!({ "errors": [{ "extensions": { "code": error.code.as_str() } }] }),
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), first).await;
        in_time.unwrap_or_else(|_| panic!("{username} was told nothing by {query}"))
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
        let query = format!("{{ __type(name: \"{type_name}\") {{ fields(includeDeprecated: true) {{ name }} }} }}");
        let answer = self.ask_as(Caller::Anonymous, &query, json!({})).await;
        let fields = answer["data"]["__type"]["fields"].as_array().unwrap().clone();
        fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    }
}

pub const LOGIN: &str =
    "mutation($input: LoginInput!) { login(input: $input) { accessToken refreshToken user { username } } }";

/// A subscription that is executed once more, for its events.
struct Again {
    schema: Schema,
    db: Db,
    query: String,
    variables: Variables,
}

impl Operation<Scope> for Again {
    fn start(&self, put: Box<dyn FnOnce(Request) -> Request + '_>) -> Box<dyn Running<Scope>> {
        let recorder = Arc::<ScopeRecorder>::default();
        let request = Request::new(&self.query).variables(self.variables.clone());
        let request = put(request.data(Caller::Anonymous).data(Arc::clone(&recorder)));
        let (request, _) = schema::with_request_parts(request, Arc::new(Loaders::new(self.db.lane())), None);
        Box::new(Answering { answers: self.schema.execute_stream(request).boxed(), recorder })
    }
}

struct Answering {
    answers: BoxStream<'static, Response>,
    recorder: Arc<ScopeRecorder>,
}

impl Running<Scope> for Answering {
    fn begin(&mut self) {
        drop(self.recorder.take());
    }

    fn answer(&mut self) -> BoxFuture<'_, Option<Told<Scope>>> {
        async {
            let answer = self.answers.next().await?;
            let payload = serde_json::to_string(&answer).unwrap().into();
            Some(Told { payload, cursor: None, scope: self.recorder.take(), sound: answer.errors.is_empty() })
        }
        .boxed()
    }
}

/// Groups `extra-…`, each with a member, a project, a config file in it and a job with two events.
pub async fn more_groups(world: &World, count: usize) {
    let statement = format!(
        "INSERT INTO groups (id, name) SELECT gen_random_uuid(), 'extra-' || lpad(n::text, 3, '0') FROM generate_series(1, {count}) n;
         INSERT INTO group_members (group_id, user_id, role) SELECT g.id, u.id, 'MEMBER' FROM groups g, users u WHERE g.name LIKE 'extra-%';
         INSERT INTO projects (id, group_id, name, namespace) SELECT gen_random_uuid(), id, 'project', 'proj-' || name FROM groups WHERE name LIKE 'extra-%';
         INSERT INTO config_files (id, project_id, name) SELECT gen_random_uuid(), id, 'file' FROM projects WHERE name = 'project';
         INSERT INTO config_blobs (sha256, yaml, kinds) VALUES (sha256('x'), 'x', '{{Pod}}');
         INSERT INTO config_commits (id, config_file_id, blob_sha256, message, author_id)
         SELECT gen_random_uuid(), f.id, sha256('x'), '', u.id FROM config_files f, users u WHERE f.name = 'file' AND u.username = 'ada';
         INSERT INTO jobs (id, project_id, submitted_by, config_commit_id, name, queue, priority, executor, phase, manifest, namespace, object_name, next_attempt_at)
         SELECT gen_random_uuid(), f.project_id, c.author_id, c.id, 'job', 'default-batch', 0, 'SCHEDULER', 'QUEUED', '{{}}', 'extra', c.id::text, NULL
         FROM config_commits c JOIN config_files f ON f.id = c.config_file_id WHERE f.name = 'file';
         INSERT INTO events (kind, subject, project, \"group\", person, payload)
         SELECT 'job', j.id, p.id, p.group_id, j.submitted_by, jsonb_build_object('kind', 'PHASE_CHANGED', 'phase', told.phase)
         FROM jobs j JOIN projects p ON p.id = j.project_id, unnest('{{SUBMITTED,QUEUED}}'::text[]) told (phase) WHERE j.name = 'job'"
    );
    sql(&world.url, &statement).await;
}

/// Runs statements on a database.
pub async fn sql(url: &DatabaseUrl, statements: &str) {
    database::execute(url, statements).await.unwrap();
}

/// An input of a submit with these fields besides the project. A commit or a spec among them is its source.
pub fn with_source(project: Value, mut fields: Value) -> Value {
    let given = fields.as_object_mut().unwrap();
    let parts = ["commitId", "spec"].map(|name| (name, given.remove(name)));
    let source: serde_json::Map<_, _> =
        parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))).collect();
    if !source.is_empty() {
        given.insert("source".to_owned(), source.into());
    }
    given.insert("projectId".to_owned(), project);
    fields
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
