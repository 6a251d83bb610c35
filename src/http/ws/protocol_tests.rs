//! The state machine of a WebSocket, as conversations, and compared with a model that only knows which IDs are open.

use std::collections::HashMap;

use super::*;
use proptest::prelude::*;
use serde_json::json;

const SUBSCRIBE: &str = r#"{"type":"subscribe","id":"1","payload":{"query":"subscription { tick }"}}"#;
pub(super) const INIT: &str = r#"{"type":"connection_init"}"#;

pub(super) fn said(actions: Vec<Action>) -> String {
    let words = actions.into_iter().map(|action| match action {
        Action::Send(text) => format!("send {text}"),
        Action::Ping => "ping".to_owned(),
        Action::Renew(credentials) => format!("renew {credentials}"),
        Action::Authenticate(payload) => format!("authenticate {}", Value::Object(payload)),
        Action::Start(ticket, params) => format!("start #{} {}", ticket.0, params.query().unwrap_or_default()),
        Action::Stop(ticket) => format!("stop #{}", ticket.0),
        Action::Close(close) => format!("close {} {}", close.code(), close.reason()),
    });
    words.collect::<Vec<_>>().join("; ")
}

pub(super) fn text(protocol: &mut Protocol, text: &str) -> String {
    said(protocol.on(Event::Text(text.to_owned())))
}

fn ready() -> Protocol {
    let mut protocol = Protocol::new(SubProtocol::Transport, 2);
    protocol.on(Event::Text(INIT.to_owned()));
    protocol.on(Event::Accepted { ack: json!({}) });
    protocol
}

pub(super) fn event(payload: &str, cursor: Option<&str>) -> Frame {
    Frame::Next { payload: payload.into(), cursor: cursor.map(Into::into) }
}

#[test]
fn a_subscription_from_init_to_complete() {
    let mut socket = Protocol::new(SubProtocol::Transport, 2);
    let init = r#"{"type":"connection_init","payload":{"authorization":"Bearer t"}}"#;
    insta::assert_snapshot!(text(&mut socket, init), @r#"authenticate {"authorization":"Bearer t"}"#);
    insta::assert_snapshot!(said(socket.on(Event::Accepted { ack: json!({"a": 1}) })), @r#"send {"type":"connection_ack","payload":{"a":1}}"#);
    insta::assert_snapshot!(text(&mut socket, SUBSCRIBE), @"start #0 subscription { tick }");
    insta::assert_snapshot!(said(socket.on(Event::Frame(Ticket(0), event("{}", None)))), @r#"send {"type":"next","id":"1","payload":{}}"#);
    insta::assert_snapshot!(said(socket.on(Event::Ended(Ticket(0)))), @r#"send {"type":"complete","id":"1"}"#);
}

#[test]
fn a_refused_operation_gets_error_and_nothing_after_it() {
    let mut socket = ready();
    text(&mut socket, SUBSCRIBE);
    let refused = Frame::Refused { errors: r#"[{"message":"no"}]"#.into() };
    insta::assert_snapshot!(said(socket.on(Event::Frame(Ticket(0), refused))), @r#"send {"type":"error","id":"1","payload":[{"message":"no"}]}; stop #0"#);
    insta::assert_snapshot!(said(socket.on(Event::Ended(Ticket(0)))), @"");
}

#[test]
fn a_failed_subscription_gets_error_and_not_complete_so_that_its_client_does_not_take_it_for_done() {
    let mut socket = ready();
    text(&mut socket, SUBSCRIBE);
    socket.on(Event::Frame(Ticket(0), event("{}", Some("c7"))));
    let errors = r#"[{"message":"too slow","extensions":{"cursor":"c7","retryable":true}}]"#;
    let failed = Frame::Failed { errors: errors.into(), cursor: Some("c7".into()), retryable: true };
    insta::assert_snapshot!(said(socket.on(Event::Frame(Ticket(0), failed))), @r#"send {"type":"error","id":"1","payload":[{"message":"too slow","extensions":{"cursor":"c7","retryable":true}}]}; stop #0"#);
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @r#"ping; send {"type":"ping"}"#);
}

#[test]
fn a_ping_tells_where_each_subscription_can_be_resumed_although_nothing_was_sent() {
    let mut socket = ready();
    text(&mut socket, SUBSCRIBE);
    let reached = Arc::new(std::sync::Mutex::new(None));
    let asked = Arc::clone(&reached);
    let standing = Some(Standing::by(move || asked.lock().unwrap().clone()));
    socket.on(Event::Frame(Ticket(0), Frame::Begun { cursor: "c0".into(), standing }));
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @r#"ping; send {"type":"ping","payload":{"cursors":{"1":"c0"}}}"#);
    *reached.lock().unwrap() = Some("c5".to_owned());
    socket.on(Event::Alive);
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @r#"ping; send {"type":"ping","payload":{"cursors":{"1":"c5"}}}"#);
    // While it is sending, it stands at what it has sent.
    *reached.lock().unwrap() = None;
    socket.on(Event::Frame(Ticket(0), event("{}", Some("c7"))));
    socket.on(Event::Alive);
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @r#"ping; send {"type":"ping","payload":{"cursors":{"1":"c7"}}}"#);
    text(&mut socket, r#"{"type":"complete","id":"1"}"#);
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @r#"ping; send {"type":"ping"}"#);
}

#[test]
fn every_breach_has_its_close_code() {
    insta::assert_snapshot!(text(&mut Protocol::new(SubProtocol::Transport, 2), "?"), @"close 4400 Invalid message: not a JSON object with a type");
    insta::assert_snapshot!(said(Protocol::new(SubProtocol::Transport, 2).on(Event::Binary)), @"close 4400 Invalid message: binary");
    insta::assert_snapshot!(text(&mut Protocol::new(SubProtocol::Transport, 2), SUBSCRIBE), @"close 4401 Unauthorized");
    insta::assert_snapshot!(said(Protocol::new(SubProtocol::Transport, 2).on(Event::InitTimeout)), @"close 4408 Connection initialisation timeout");
    insta::assert_snapshot!(text(&mut ready(), INIT), @"close 4429 Too many initialisation requests");
    let refused = Event::Refused(Close::Forbidden("Forbidden".to_owned()));
    insta::assert_snapshot!(said(ready().on(refused)), @"close 4403 Forbidden");
    insta::assert_snapshot!(said(ready().on(Event::Broken)), @"close 4500 Internal server error");
    let mut socket = ready();
    text(&mut socket, SUBSCRIBE);
    insta::assert_snapshot!(text(&mut socket, SUBSCRIBE), @"stop #0; close 4409 Subscriber for 1 already exists");
}

#[test]
fn an_operation_before_the_acknowledgement_is_unauthorized_even_after_init() {
    let mut socket = Protocol::new(SubProtocol::Transport, 2);
    text(&mut socket, INIT);
    insta::assert_snapshot!(text(&mut socket, SUBSCRIBE), @"close 4401 Unauthorized");
}

#[test]
fn init_in_time_makes_the_time_out_void() {
    let mut socket = Protocol::new(SubProtocol::Transport, 2);
    text(&mut socket, INIT);
    insta::assert_snapshot!(said(socket.on(Event::InitTimeout)), @"");
}

#[test]
fn ping_is_answered_with_its_payload_even_before_init() {
    let mut socket = Protocol::new(SubProtocol::Transport, 2);
    insta::assert_snapshot!(text(&mut socket, r#"{"type":"ping","payload":{"n":1}}"#), @r#"send {"type":"pong","payload":{"n":1}}"#);
}

#[test]
fn a_ping_with_a_token_renews_it_after_the_init_and_the_pong_does_not_contain_it() {
    let ping = r#"{"type":"ping","payload":{"authorization":"Bearer t","n":1}}"#;
    let mut socket = Protocol::new(SubProtocol::Transport, 2);
    insta::assert_snapshot!(text(&mut socket, ping), @r#"send {"type":"pong","payload":{"authorization":"Bearer t","n":1}}"#);
    insta::assert_snapshot!(text(&mut ready(), ping), @r#"renew Bearer t; send {"type":"pong","payload":{"n":1}}"#);
    let wrong = r#"{"type":"ping","payload":{"authorization":7}}"#;
    insta::assert_snapshot!(text(&mut ready(), wrong), @r#"send {"type":"pong","payload":{}}"#);
}

#[test]
fn a_peer_that_misses_two_pings_is_dead_and_any_word_keeps_it_alive() {
    let mut socket = ready();
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @r#"ping; send {"type":"ping"}"#);
    socket.on(Event::PingDue);
    socket.on(Event::Alive);
    socket.on(Event::PingDue);
    text(&mut socket, r#"{"type":"pong"}"#);
    socket.on(Event::PingDue);
    socket.on(Event::PingDue);
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @"close 1001 No response to two pings");
}

#[test]
fn an_id_may_be_used_again_and_what_the_old_run_still_says_is_dropped() {
    let mut socket = ready();
    text(&mut socket, SUBSCRIBE);
    insta::assert_snapshot!(text(&mut socket, r#"{"type":"complete","id":"1"}"#), @"stop #0");
    insta::assert_snapshot!(text(&mut socket, SUBSCRIBE), @"start #1 subscription { tick }");
    insta::assert_snapshot!(said(socket.on(Event::Frame(Ticket(0), event("{}", None)))), @"");
    insta::assert_snapshot!(said(socket.on(Event::Ended(Ticket(0)))), @"");
    insta::assert_snapshot!(said(socket.on(Event::Frame(Ticket(1), event("{}", None)))), @r#"send {"type":"next","id":"1","payload":{}}"#);
}

#[test]
fn more_operations_than_allowed_are_refused_and_the_socket_lives() {
    let mut socket = ready();
    for id in ["1", "2"] {
        text(&mut socket, &SUBSCRIBE.replace("\"1\"", &format!("\"{id}\"")));
    }
    insta::assert_snapshot!(
        text(&mut socket, &SUBSCRIBE.replace("\"1\"", "\"3\"")),
        @r#"send {"type":"error","id":"3","payload":[{"message":"the limit \"operations per socket\" is reached: at most 2 are allowed","extensions":{"code":"RATE_LIMITED","retryable":true}}]}"#
    );
}

#[test]
fn a_drain_tells_the_cursors_and_closes_with_a_retry_hint() {
    let mut socket = ready();
    text(&mut socket, SUBSCRIBE);
    socket.on(Event::Frame(Ticket(0), event("{}", Some("c7"))));
    insta::assert_snapshot!(
        said(socket.on(Event::Drained { retry_after_ms: 900 })),
        @r#"send {"type":"ping","payload":{"draining":true,"retryAfterMs":900,"cursors":{"1":"c7"}}}; stop #0; close 1012 {"retryAfterMs":900}"#
    );
}

#[test]
fn a_revoked_session_closes_the_socket() {
    insta::assert_snapshot!(said(ready().on(Event::Revoked("Forbidden: the session has ended"))), @"close 4403 Forbidden: the session has ended");
}

/// What a client or an operation may do next; there are only a few IDs, so that they collide.
#[derive(Debug, Clone)]
enum Step {
    Subscribe(u8),
    Complete(u8),
    Frame(u8),
    Refuse(u8),
    End(u8),
    Pong,
}

fn step() -> impl Strategy<Value = Step> {
    (0u8..6, 0u8..3).prop_map(|(kind, id)| match kind {
        0 => Step::Subscribe(id),
        1 => Step::Complete(id),
        2 => Step::Frame(id),
        3 => Step::Refuse(id),
        4 => Step::End(id),
        _ => Step::Pong,
    })
}

proptest! {
    #[test]
    fn the_socket_agrees_with_a_model_of_open_ids(steps in proptest::collection::vec(step(), 0..60)) {
        let mut socket = Protocol::new(SubProtocol::Transport, 3);
        socket.on(Event::Text(INIT.to_owned()));
        socket.on(Event::Accepted { ack: json!({}) });
        let mut open: HashMap<u8, Ticket> = HashMap::new();
        for step in steps {
            match step {
                Step::Subscribe(id) => {
                    let actions = socket.on(Event::Text(SUBSCRIBE.replace("\"1\"", &format!("\"{id}\""))));
                    if open.contains_key(&id) {
                        prop_assert!(matches!(actions.last(), Some(Action::Close(Close::IdInUse(_)))));
                        prop_assert_eq!(actions.len(), open.len() + 1);
                        prop_assert!(socket.is_closed());
                        return Ok(());
                    }
                    let [Action::Start(ticket, _)] = actions[..] else { return Err(TestCaseError::fail("no start")) };
                    prop_assert!(open.values().all(|other| *other != ticket));
                    open.insert(id, ticket);
                }
                Step::Complete(id) => {
                    let actions = socket.on(Event::Text(format!(r#"{{"type":"complete","id":"{id}"}}"#)));
                    match open.remove(&id) {
                        Some(ticket) => prop_assert!(matches!(actions[..], [Action::Stop(stopped)] if stopped == ticket)),
                        None => prop_assert!(actions.is_empty()),
                    }
                }
                Step::Frame(id) => {
                    let Some(ticket) = open.get(&id) else { continue };
                    let actions = socket.on(Event::Frame(*ticket, event("{}", None)));
                    prop_assert!(matches!(&actions[..], [Action::Send(text)] if text.contains("\"next\"")));
                }
                Step::Refuse(id) => {
                    let Some(ticket) = open.remove(&id) else { continue };
                    let actions = socket.on(Event::Frame(ticket, Frame::Refused { errors: "[]".into() }));
                    prop_assert_eq!(actions.len(), 2);
                }
                Step::End(id) => {
                    let Some(ticket) = open.remove(&id) else { continue };
                    prop_assert_eq!(socket.on(Event::Ended(ticket)).len(), 1);
                    prop_assert!(socket.on(Event::Ended(ticket)).is_empty());
                }
                Step::Pong => {
                    let pong = Event::Text(r#"{"type":"pong"}"#.to_owned());
                    prop_assert!(socket.on(pong).is_empty());
                }
            }
        }
        prop_assert!(!socket.is_closed());
    }

    #[test]
    fn nothing_is_said_after_the_close(texts in proptest::collection::vec(".{0,40}", 1..8)) {
        let mut socket = ready();
        socket.on(Event::Binary);
        for text in texts {
            prop_assert!(socket.on(Event::Text(text)).is_empty());
        }
    }
}
