//! The body of a POST, or the query string of a GET, up to an operation that may run: within all limits, or rejected
//! with a code.

use std::sync::{Arc, LazyLock};

use async_graphql::parser::types::{Selection, SelectionSet};
use platform::graphql::errors::RequestId;
use platform::graphql::limits::account::{Accounts, Principal};
use platform::graphql::limits::{CallerLimits, CostTable, OperationLimits};
use platform::graphql::syntax;
use platform::http::answer;
use platform::http::documents::{DocumentSettings, Documents};
use platform::http::operation::Operation;
use platform::http::params::{Body, InvalidParams, Params};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// The first byte says which of the two it is, and how many operations a batch may have.
pub fn check(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    if *first == b'?' {
        if let Ok(params) = Params::from_query_string(&super::text(rest)) {
            prepare(params);
        }
        return;
    }
    let limit = usize::from(first % 4);
    match Body::parse(rest, limit) {
        Ok(Body::Single(params)) => {
            // The parameters do not depend on how their JSON is written.
            let value: Value = serde_json::from_slice(rest).unwrap_or_default();
            assert_eq!(Params::from_json(value).ok().as_ref(), Some(&*params));
            prepare(*params);
        }
        Ok(Body::Batch(list)) => {
            assert!((1..=limit).contains(&list.len()));
            list.into_iter().for_each(prepare);
        }
        Err(InvalidParams::NotJson(_)) => assert!(serde_json::from_slice::<Value>(rest).is_err()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// How many fields, arguments and values the parser makes of a document.
fn values(query: &str) -> u64 {
    let Ok(syntax::Parsed { document, .. }) = syntax::parse(query) else { return 0 };
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).map(in_selection_set).sum()
}

fn in_selection_set(set: &SelectionSet) -> u64 {
    let of = |selection: &Selection| match selection {
        Selection::Field(field) => {
            let literals = field.node.arguments.iter().filter_map(|(_, value)| {
                value.node.clone().into_const_with::<()>(|_| Ok(async_graphql::Value::Null)).ok()
            });
            1 + literals.map(|value| in_value(&value)).sum::<u64>() + in_selection_set(&field.node.selection_set.node)
        }
        Selection::InlineFragment(fragment) => in_selection_set(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => 1,
    };
    set.items.iter().map(|selection| of(&selection.node)).sum()
}

fn in_value(value: &async_graphql::Value) -> u64 {
    match value {
        async_graphql::Value::List(items) => items.iter().map(in_value).sum(),
        async_graphql::Value::Object(fields) => fields.values().map(|value| 1 + in_value(value)).sum(),
        _ => 1,
    }
}

fn prepare(params: Params) {
    static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| {
        // A schema whose costs cannot be read has no document that may run, and the corpus has some.
        let costs = CostTable::read(&platform::schema::sdl()).unwrap_or_default();
        Documents::new(Arc::new(costs), DocumentSettings::default())
    });
    // Long documents are parsed on its blocking threads.
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime without drivers needs nothing"));
    let operation = OperationLimits {
        tokens: 60,
        depth: 6,
        aliases: 3,
        directives: 3,
        root_fields: 4,
        cost: 500,
        ..Default::default()
    };
    let limits = Arc::new(CallerLimits { operation: operation.clone(), ..CallerLimits::default() });
    let account = Accounts::default().of(Principal::User(1));
    let id = RequestId("fuzz".to_owned());
    let query = params.query().map(str::to_owned);
    let prepared = Operation::prepare(params, &DOCUMENTS, Arc::clone(&limits), &account, &id);
    match RUNTIME.block_on(prepared) {
        Ok(Operation { usage, request, .. }) => {
            assert!(usage.depth <= operation.depth && usage.aliases <= operation.aliases);
            assert!(usage.directives <= operation.directives && usage.root_fields <= operation.root_fields);
            assert!(usage.cost <= operation.cost && usage.page_size <= operation.page_size);
            let query = query.unwrap_or_default();
            assert!(values(&query) <= operation.tokens, "more was parsed than was counted");
            let variables = request.variables.to_string();
            assert!(!variables.contains('\0'), "{variables}");
        }
        Err(response) => {
            let told: Value = serde_json::from_str(&answer::serialize(&response)).unwrap_or_default();
            assert!(told.get("data").is_none(), "{told}");
            let errors = told["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
            assert!(!errors.is_empty());
            for error in errors {
                let extensions = &error["extensions"];
                assert!(extensions["code"].is_string() && extensions["code"] != "INTERNAL", "{told}");
                assert_eq!(extensions["requestId"], "fuzz");
            }
        }
    }
}
