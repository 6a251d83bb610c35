//! The same state machine with the messages of the older subprotocol, as conversations.

use super::tests::{INIT, event, said, text};
use super::*;
use serde_json::json;

const START: &str = r#"{"type":"start","id":"1","payload":{"query":"subscription { tick }"}}"#;
const STOP: &str = r#"{"type":"stop","id":"1"}"#;

fn opened() -> Protocol {
    Protocol::new(SubProtocol::Legacy, 2)
}

fn ready() -> Protocol {
    let mut socket = opened();
    socket.on(Event::Text(INIT.to_owned()));
    socket.on(Event::Accepted { ack: json!({}) });
    socket
}

#[test]
fn a_subscription_from_init_to_complete() {
    let mut socket = opened();
    insta::assert_snapshot!(text(&mut socket, INIT), @"authenticate {}");
    insta::assert_snapshot!(said(socket.on(Event::Accepted { ack: json!({"a": 1}) })), @r#"send {"type":"connection_ack","payload":{"a":1}}; send {"type":"ka"}"#);
    insta::assert_snapshot!(text(&mut socket, START), @"start #0 subscription { tick }");
    insta::assert_snapshot!(said(socket.on(Event::Frame(Ticket(0), event("{}", None)))), @r#"send {"type":"data","id":"1","payload":{}}"#);
    insta::assert_snapshot!(said(socket.on(Event::Ended(Ticket(0)))), @r#"send {"type":"complete","id":"1"}"#);
}

#[test]
fn operations_that_come_right_behind_the_init_wait_for_the_acknowledgement() {
    let mut socket = opened();
    text(&mut socket, INIT);
    insta::assert_snapshot!(text(&mut socket, START), @"");
    text(&mut socket, &START.replace("\"1\"", "\"2\""));
    insta::assert_snapshot!(
        text(&mut socket, &START.replace("\"1\"", "\"3\"")),
        @r#"send {"type":"error","id":"3","payload":{"message":"the limit \"operations per socket\" is reached: at most 2 are allowed","extensions":{"code":"RATE_LIMITED","retryable":true}}}"#
    );
    insta::assert_snapshot!(text(&mut socket, STOP), @r#"stop #0; send {"type":"complete","id":"1"}"#);
    insta::assert_snapshot!(
        said(socket.on(Event::Accepted { ack: json!({}) })),
        @r#"send {"type":"connection_ack","payload":{}}; send {"type":"ka"}; start #1 subscription { tick }"#
    );
}

#[test]
fn a_refused_init_is_told_in_a_message_before_the_close() {
    let mut socket = opened();
    text(&mut socket, INIT);
    text(&mut socket, START);
    let refused = Event::Refused(Close::Forbidden("Forbidden: the access token is not valid".to_owned()));
    insta::assert_snapshot!(
        said(socket.on(refused)),
        @r#"stop #0; send {"type":"connection_error","payload":{"message":"Forbidden: the access token is not valid"}}; close 4403 Forbidden: the access token is not valid"#
    );
}

#[test]
fn a_breach_has_the_same_close_code_as_in_the_other_protocol() {
    insta::assert_snapshot!(text(&mut opened(), START), @r#"send {"type":"connection_error","payload":{"message":"Unauthorized"}}; close 4401 Unauthorized"#);
    insta::assert_snapshot!(text(&mut ready(), INIT), @"close 4429 Too many initialisation requests");
    insta::assert_snapshot!(
        text(&mut ready(), r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }"}}"#),
        @r#"send {"type":"connection_error","payload":{"message":"Invalid message: unknown type \"subscribe\"; this WebSocket uses graphql-ws"}}; close 4400 Invalid message: unknown type "subscribe"; this WebSocket uses graphql-ws"#
    );
    insta::assert_snapshot!(said(ready().on(Event::Revoked("Forbidden: the session has ended"))), @"close 4403 Forbidden: the session has ended");
}

#[test]
fn a_refused_operation_gets_one_error_and_the_socket_lives() {
    let mut socket = ready();
    text(&mut socket, START);
    let refused = Frame::Refused { errors: r#"[{"message":"no"},{"message":"neither"}]"#.into() };
    insta::assert_snapshot!(
        said(socket.on(Event::Frame(Ticket(0), refused))),
        @r#"send {"type":"error","id":"1","payload":{"message":"no","errors":[{"message":"no"},{"message":"neither"}]}}; stop #0"#
    );
    insta::assert_snapshot!(text(&mut socket, START), @"start #1 subscription { tick }");
}

#[test]
fn a_stopped_operation_is_completed_once() {
    let mut socket = ready();
    text(&mut socket, START);
    insta::assert_snapshot!(text(&mut socket, STOP), @r#"stop #0; send {"type":"complete","id":"1"}"#);
    insta::assert_snapshot!(text(&mut socket, STOP), @"");
    insta::assert_snapshot!(said(socket.on(Event::Ended(Ticket(0)))), @"");
}

#[test]
fn a_new_operation_takes_the_place_of_the_one_with_its_id() {
    let mut socket = ready();
    text(&mut socket, START);
    insta::assert_snapshot!(text(&mut socket, START), @"stop #0; start #1 subscription { tick }");
    insta::assert_snapshot!(said(socket.on(Event::Frame(Ticket(0), event("{}", None)))), @"");
    insta::assert_snapshot!(said(socket.on(Event::Frame(Ticket(1), event("{}", None)))), @r#"send {"type":"data","id":"1","payload":{}}"#);
}

#[test]
fn a_client_may_end_the_connection() {
    let mut socket = ready();
    text(&mut socket, START);
    insta::assert_snapshot!(text(&mut socket, r#"{"type":"connection_terminate"}"#), @"stop #0; close 1000 ");
}

#[test]
fn signs_of_life_come_with_websocket_s_own_pings() {
    let mut socket = ready();
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @r#"ping; send {"type":"ka"}"#);
    text(&mut socket, START);
    socket.on(Event::Frame(Ticket(0), event("{}", Some("c7"))));
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @r#"ping; send {"type":"ka","payload":{"cursors":{"1":"c7"}}}"#);
    text(&mut socket, STOP);
    socket.on(Event::PingDue);
    socket.on(Event::PingDue);
    insta::assert_snapshot!(said(socket.on(Event::PingDue)), @"close 1001 No response to two pings");
}

#[test]
fn a_drain_closes_with_a_retry_hint() {
    let mut socket = ready();
    text(&mut socket, START);
    insta::assert_snapshot!(said(socket.on(Event::Drained { retry_after_ms: 900 })), @r#"stop #0; close 1012 {"retryAfterMs":900}"#);
}

#[test]
fn a_client_that_offered_both_is_answered_in_what_it_speaks() {
    let either = || {
        let mut socket = Protocol::new(SubProtocol::Either, 2);
        text(&mut socket, INIT);
        let ack = socket.on(Event::Accepted { ack: json!({}) });
        assert_eq!(said(ack), r#"send {"type":"connection_ack","payload":{}}"#);
        assert_eq!(said(socket.on(Event::PingDue)), "ping");
        socket
    };
    let mut older = either();
    text(&mut older, START);
    insta::assert_snapshot!(said(older.on(Event::Frame(Ticket(0), event("{}", None)))), @r#"send {"type":"data","id":"1","payload":{}}"#);
    insta::assert_snapshot!(said(older.on(Event::PingDue)), @r#"ping; send {"type":"ka"}"#);
    let mut newer = either();
    text(&mut newer, &START.replace("start", "subscribe"));
    insta::assert_snapshot!(said(newer.on(Event::Frame(Ticket(0), event("{}", None)))), @r#"send {"type":"next","id":"1","payload":{}}"#);
    insta::assert_snapshot!(said(newer.on(Event::PingDue)), @r#"ping; send {"type":"ping"}"#);
}
