//! A few thousand operations, the same in each run, executed by the server and by the stock server with the same
//! database: they must return the same data, and errors at the same paths with the same codes. graphql-js decides what
//! is correct: for every document, every variable, and the response to the values found. All differences of the stock
//! server are known deviations.

use std::collections::BTreeMap;

use platform::auth::principal::Caller;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::compared::{Outcome, is_same_text};
use super::deviations::{DEVIATIONS, may_be_out_of_order};
use super::judge::{Asked, Verdict, judge};
use super::made::Maker;
use super::skip::skip_part;
use super::stage::Stage;
use super::types::Types;

const OPERATIONS: usize = 2_500;
const SEED: u64 = 20_261_126;

/// Differences that are shown when the test fails.
const SHOWN: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_answered_as_graphql_js_would_and_as_the_stock_server_does_but_for_known_deviations() {
    let stage = Stage::new().await;
    let types = Types::read(&stage.sdl);
    let admin = stage.caller("admin", "platform-admin").await;
    let callers = [admin.clone(), stage.caller("ada", "vision-member").await, Caller::Anonymous];
    let ids = stage.ids(&admin).await;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut asked = Vec::with_capacity(OPERATIONS);
    for number in 0..OPERATIONS {
        let made = Maker::make(&types, &ids, &mut random);
        let caller = &callers[[0, 0, 1, 1, 2][number % 5]];
        let (ours, theirs) = (stage.ours(caller, &made).await, stage.theirs(caller, &made).await);
        asked.push(Asked { made, ours, theirs });
    }
    let refused = asked.iter().filter(|asked| asked.ours.is_refused()).count();
    assert!(refused > OPERATIONS / 10 && refused < OPERATIONS / 2, "{refused} of {OPERATIONS} were refused");
    let verdicts = judge(&stage.sdl, &asked);
    match &verdicts {
        Some(verdicts) => server_is_right(&asked, verdicts),
        None => skip_part("graphql-js as the judge: install node and run npm ci in tests/clients"),
    }
    deviations_are_known(&asked);
}

fn server_is_right(asked: &[Asked], verdicts: &[Verdict]) {
    assert_eq!(asked.len(), verdicts.len());
    let (mut out_of_order, mut wrong_pairs) = (0, Vec::new());
    for (asked, verdict) in asked.iter().zip(verdicts) {
        match verdict.agrees(&asked.ours) {
            true if verdict.agrees_on_order(&asked.ours) => {}
            true if may_be_out_of_order(&asked.made.document) => out_of_order += 1,
            _ => wrong_pairs.push((asked, verdict)),
        }
    }
    println!("{out_of_order:5} times the server has a field where an earlier selection of it does not apply");
    let pairs = wrong_pairs.into_iter();
    let wrong: Vec<String> = pairs.map(|(asked, verdict)| format!("{}  judged: {verdict:?}\n", told(asked))).collect();
    assert!(wrong.is_empty(), "graphql-js differs on {}:\n{}", wrong.len(), shown(&wrong));
}

fn deviations_are_known(asked: &[Asked]) {
    let (mut counts, mut unknown) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for asked in asked.iter().filter(|asked| !alike(&asked.ours, &asked.theirs)) {
        match DEVIATIONS.iter().find(|deviation| (deviation.is)(&asked.ours, &asked.theirs)) {
            Some(deviation) => *counts.entry(deviation.what).or_default() += 1,
            None => unknown.push(told(asked)),
        }
    }
    for (what, count) in &counts {
        println!("{count:5} times the stock server {what}");
    }
    assert!(unknown.is_empty(), "{} deviations are not known:\n{}", unknown.len(), shown(&unknown));
    for deviation in DEVIATIONS {
        let found = counts.contains_key(deviation.what);
        assert!(found, "not found any more: {} ({})", deviation.what, deviation.why);
    }
}

/// Reasons are worded differently; that there is one has to be the same.
fn alike(ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        (Outcome::Refused(_), Outcome::Refused(_)) => true,
        (Outcome::Executed { data, errors }, Outcome::Executed { data: their_data, errors: their_errors }) => {
            is_same_text(data, their_data) && errors == their_errors
        }
        _ => false,
    }
}

fn told(Asked { made, ours, theirs }: &Asked) -> String {
    let (ours, theirs) = (ours.told(), theirs.told());
    format!("{}\n  {}\n  ours:   {ours}\n  theirs: {theirs}\n", made.document, made.variables)
}

fn shown(told: &[String]) -> String {
    told[..told.len().min(SHOWN)].join("\n")
}
