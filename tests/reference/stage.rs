//! A database with the demo tenant, and both servers using it, without their transports.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Executor as _, Request, ServerError, Value, Variables};
use platform::app::App;
use platform::auth::principal::Caller;
use platform::graphql::errors::{RequestId, complete};
use platform::graphql::limits::{CostTable, Document, NotChosen, Prepared};
use platform::graphql::loaders::Loaders;
use platform::http::GraphqlService;
use platform::schema;
use platform::tasks::Tasks;
use serde_json::json;

use super::compared::Outcome;
use super::database;
use super::made::Made;
use super::stock::{Stock, parts};
use super::values::Ids;

const CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);
const LOG_IN: &str = "mutation($input: LoginInput!) { login(input: $input) { accessToken } }";
const ALL_IDS: &str = "{ users { nodes { id } } groups { nodes { id } } projects { nodes { id } } jobs { nodes { id } }
    configFiles { nodes { id commits { nodes { id } } } } }";

/// Both servers.
pub struct Stage {
    pub stock: Stock,
    pub sdl: String,
    app: App,
    costs: Arc<CostTable>,
    _tasks: Tasks,
}

impl Stage {
    pub async fn new() -> Self {
        let tasks = Tasks::default();
        let app = parts(database::demo().await, CONNECTIONS, &tasks).await.unwrap();
        Self { stock: Stock::new(app.clone()), sdl: schema::sdl(), costs: app.costs(), app, _tasks: tasks }
    }

    /// The access token of somebody of the demo tenant.
    pub async fn log_in(&self, username: &str, password: &str) -> String {
        let input = json!({ "input": { "username": username, "password": password } });
        let request = Request::new(LOG_IN).variables(Variables::from_json(input));
        let answer = self.stock.executor(Some(Caller::Anonymous)).execute(request).await;
        let answer = serde_json::to_value(answer).unwrap();
        answer["data"]["login"]["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Somebody of the demo tenant.
    pub async fn caller(&self, username: &str, password: &str) -> Caller {
        let token = self.log_in(username, password).await;
        self.stock.authenticate(Some(&format!("Bearer {token}"))).await.unwrap()
    }

    /// The ids of all that this caller can see.
    pub async fn ids(&self, caller: &Caller) -> Ids {
        fn find(value: &Value, ids: &mut Ids) {
            match value {
                Value::Object(fields) => {
                    for (name, value) in fields {
                        match value {
                            Value::String(id) if name == "id" => ids.push(id.clone()),
                            value => find(value, ids),
                        }
                    }
                }
                Value::List(items) => items.iter().for_each(|item| find(item, ids)),
                _ => {}
            }
        }
        let answer = self.stock.executor(Some(caller.clone())).execute(Request::new(ALL_IDS)).await;
        let mut ids = Ids::new();
        find(&answer.data, &mut ids);
        assert!(ids.len() > 10, "{answer:?}");
        ids
    }

    /// What the stock server makes of it.
    pub async fn theirs(&self, caller: &Caller, made: &Made) -> Outcome {
        let request = Request::new(&made.document).variables(Variables::from_json(made.variables.clone()));
        Outcome::of(&self.stock.executor(Some(caller.clone())).execute(request).await)
    }

    /// What the server makes of it.
    pub async fn ours(&self, caller: &Caller, made: &Made) -> Outcome {
        let refused = |message: String| Outcome::refused(&[ServerError::new(message, None)]);
        let document = match Document::parse(made.document.as_str().into(), &self.costs) {
            Ok(document) => Arc::new(document),
            Err(error) => return Outcome::refused(&[error]),
        };
        let prepared = match Prepared::choose(document, None) {
            Ok(prepared) => prepared,
            Err(NotChosen::Invalid(errors)) => return Outcome::refused(&errors),
            Err(NotChosen::Unknown(message)) => return refused(message),
        };
        let variables = match prepared.coerce(Variables::from_json(made.variables.clone())) {
            Ok(variables) => variables,
            Err(errors) => return refused(format!("variables: {errors:?}")),
        };
        let loaders = Arc::new(Loaders::new(self.app.db.lane()));
        let id = RequestId("ours".to_owned());
        let mut request = Request::new("").data(caller.clone()).data(id.clone());
        request.set_parsed_query(prepared.executable(&variables));
        let request = request.variables(variables);
        let request = schema::event_cursor::read_first(request, &prepared, &self.app.db).await.unwrap();
        let (request, _) = schema::with_request_parts(request, Arc::clone(&loaders), None);
        let answer = self.app.schema().execute(request, &prepared, &loaders, None);
        let mut answer = tokio::time::timeout(Duration::from_secs(20), answer).await.unwrap().response;
        complete(&mut answer, &id);
        Outcome::of(&answer)
    }
}
