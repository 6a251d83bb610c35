//! WebSocket frames as a hostile client writes them, byte by byte.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use platform::config::AllowedOrigins;
use platform::http::{HttpSettings, SocketSettings};

use super::toy::Server;

const PATIENCE: Duration = Duration::from_secs(10);
const INIT: &str = r#"{"type":"connection_init"}"#;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;

/// A socket whose frames are written by hand.
struct Raw(TcpStream);

impl Raw {
    /// The status line that answers an upgrade with these headers, and the rest of the head.
    async fn upgrade(server: &Server, headers: &str) -> (Self, String) {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "GET /graphql HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            server.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            heard.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
        }
        (Self(stream), String::from_utf8(heard).unwrap())
    }

    async fn open(server: &Server) -> Self {
        let (raw, head) = Self::upgrade(server, "sec-websocket-protocol: graphql-transport-ws\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        raw
    }

    async fn ready(server: &Server) -> Self {
        let mut raw = Self::open(server).await;
        raw.send(FIN | TEXT, INIT.as_bytes()).await;
        let ack = raw.text().await;
        assert!(ack.contains("connection_ack"), "{ack}");
        raw
    }

    /// A masked frame: `first` is its first byte.
    async fn send(&mut self, first: u8, payload: &[u8]) {
        let _ = self.0.write_all(&masked(first, payload)).await;
    }

    /// The next frame's opcode and payload; `None` when the connection is over.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let read = async {
            let first = self.0.read_u8().await?;
            let length = match self.0.read_u8().await? {
                126 => u64::from(self.0.read_u16().await?),
                127 => self.0.read_u64().await?,
                length => u64::from(length),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut payload).await?;
            Ok::<_, std::io::Error>((first & 0xF, payload))
        };
        timeout(PATIENCE, read).await.expect("the server says something").ok()
    }

    async fn text(&mut self) -> String {
        match self.frame().await {
            Some((TEXT, payload)) => String::from_utf8(payload).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// How the server ends the socket: the close code, or none when it drops the connection.
    async fn end(&mut self) -> Option<u16> {
        loop {
            match self.frame().await? {
                (CLOSE, payload) => return Some(u16::from_be_bytes([payload[0], payload[1]])),
                _ => continue,
            }
        }
    }
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn subscribe(id: &str, query: &str) -> Vec<u8> {
    serde_json::json!({ "type": "subscribe", "id": id, "payload": { "query": query } }).to_string().into_bytes()
}

#[tokio::test]
async fn a_message_in_fragments_is_one_message() {
    let server = Server::start().await;
    let mut raw = Raw::ready(&server).await;
    let message = subscribe("1", "{ hello }");
    let (head, tail) = message.split_at(9);
    raw.send(TEXT, head).await;
    raw.send(FIN | PING, b"between").await;
    raw.send(CONTINUATION, &tail[..5]).await;
    raw.send(FIN | CONTINUATION, &tail[5..]).await;
    assert_eq!(raw.frame().await, Some((PONG, b"between".to_vec())));
    assert!(raw.text().await.contains("hello world"));
}

#[tokio::test]
async fn a_message_that_grows_over_the_limit_by_fragments_is_1009() {
    let server = Server::start().await;
    let mut raw = Raw::ready(&server).await;
    raw.send(TEXT, &[b' '; 32 << 10]).await;
    raw.send(CONTINUATION, &[b' '; 32 << 10]).await;
    raw.send(FIN | CONTINUATION, b" ").await;
    assert_eq!(raw.end().await, Some(1009));
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_is_read() {
    let server = Server::start().await;
    let mut raw = Raw::ready(&server).await;
    let mut message = subscribe("1", "{ hello }");
    message.resize(64 << 10, b' ');
    raw.send(TEXT, &message[..60_000]).await;
    raw.send(FIN | CONTINUATION, &message[60_000..]).await;
    assert!(raw.text().await.contains("hello world"));
}

/// Each breaks RFC 6455, which has the server fail the connection with a code that says how (section 7.4.1).
#[tokio::test]
async fn broken_frames_end_the_socket_and_run_nothing() {
    let server = Server::start().await;
    let mutation = subscribe("1", "{ hello }");
    let mut unmasked = vec![FIN | TEXT, u8::try_from(mutation.len()).unwrap()];
    unmasked.extend(&mutation);
    for (what, bytes, code) in [
        ("an unmasked frame", unmasked, 1002),
        ("a reserved opcode", masked(FIN | 0x3, &mutation), 1002),
        ("a reserved bit, as compression uses it", masked(FIN | 0x40 | TEXT, &mutation), 1002),
        ("a continuation of nothing", masked(FIN | CONTINUATION, &mutation), 1002),
        ("a second beginning", [masked(TEXT, b"{"), masked(FIN | TEXT, &mutation)].concat(), 1002),
        ("a ping in fragments", masked(PING, b"x"), 1002),
        ("a ping over 125 bytes", masked(FIN | PING, &[0; 126]), 1002),
        ("a length of 2^63", [&[FIN | TEXT, 0xFF], &[0x7F; 8][..], &[0; 4]].concat(), 1009),
        ("text that is no UTF-8", masked(FIN | TEXT, b"\xff\xfe"), 1007),
    ] {
        let mut raw = Raw::ready(&server).await;
        let _ = raw.0.write_all(&bytes).await;
        assert_eq!(raw.end().await, Some(code), "{what}");
    }
}

#[tokio::test]
async fn nothing_is_read_after_a_close() {
    let server = Server::start().await;
    let mut raw = Raw::ready(&server).await;
    raw.send(FIN | CLOSE, &1000_u16.to_be_bytes()).await;
    raw.send(FIN | TEXT, &subscribe("1", "{ hello }")).await;
    assert_eq!(raw.frame().await, Some((CLOSE, 1000_u16.to_be_bytes().to_vec())), "the handshake is completed");
    assert_eq!(raw.frame().await, None);
}

#[tokio::test]
async fn binary_messages_are_4400() {
    let server = Server::start().await;
    let mut raw = Raw::ready(&server).await;
    raw.send(FIN | BINARY, &subscribe("1", "{ hello }")).await;
    assert_eq!(raw.end().await, Some(4400));
}

#[tokio::test]
async fn a_flood_of_pings_is_answered_or_held_back_and_the_socket_lives() {
    let server = Server::start().await;
    let mut raw = Raw::ready(&server).await;
    let flood = masked(FIN | PING, b"x").repeat(1_000);
    for _ in 0..20 {
        raw.0.write_all(&flood).await.unwrap();
    }
    raw.send(FIN | TEXT, &subscribe("1", "{ hello }")).await;
    loop {
        match raw.frame().await.unwrap() {
            (PONG, _) => {}
            (kind, payload) => {
                assert!(kind == TEXT && String::from_utf8_lossy(&payload).contains("hello world"));
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_subscribes_leave_as_many_running_as_are_allowed() {
    let server = Server::start().await;
    let raw = Raw::ready(&server).await;
    let (mut reader, mut writer) = raw.0.into_split();
    let written = tokio::spawn(async move {
        for batch in 0..100 {
            let frames: Vec<u8> = (0..1_000)
                .flat_map(|n| {
                    let id = format!("{batch}-{n}");
                    masked(FIN | TEXT, &subscribe(&id, "subscription { tick(to: 0, stay: true) }"))
                })
                .collect();
            writer.write_all(&frames).await.unwrap();
        }
        writer
    });
    let (mut refused, mut buffer) = (0, vec![0; 1 << 16]);
    while refused < 100_000 - 100 {
        let read = timeout(PATIENCE, reader.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "the socket was closed after {refused} refusals");
        refused += errors_in(&buffer[..read]);
    }
    drop(written.await.unwrap());
    assert_eq!(refused, 100_000 - 100);
}

/// How many messages of the kind "error" begin in these bytes: no other message has a bracket.
fn errors_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'[').count()
}

#[tokio::test]
async fn an_operation_that_is_stopped_while_it_begins_says_nothing_more() {
    let server = Server::start().await;
    let mut raw = Raw::ready(&server).await;
    for _ in 0..200 {
        let race = [
            masked(FIN | TEXT, &subscribe("1", "{ slow(milliseconds: 1) }")),
            masked(FIN | TEXT, br#"{"type":"complete","id":"1"}"#),
        ];
        raw.0.write_all(&race.concat()).await.unwrap();
    }
    raw.send(FIN | TEXT, &subscribe("last", "{ hello }")).await;
    assert!(raw.text().await.contains(r#""id":"last""#));
}

#[tokio::test]
async fn long_ids_two_inits_and_odd_messages_close_with_4400_and_4429() {
    let server = Server::start().await;
    let id = "i".repeat(300);
    for (what, message, code) in [
        ("a long id", subscribe(&id, "{ hello }"), 4400),
        ("an id twice in one message", br#"{"type":"complete","id":"1","id":"2"}"#.to_vec(), 4400),
        ("a type of another type", br#"{"type":["ping"]}"#.to_vec(), 4400),
        ("a list", br#"[{"type":"ping"}]"#.to_vec(), 4400),
        ("deep lists", [br#"{"type":"ping","payload":"#.to_vec(), vec![b'['; 10_000]].concat(), 4400),
        ("a second init", INIT.as_bytes().to_vec(), 4429),
    ] {
        let mut raw = Raw::ready(&server).await;
        raw.send(FIN | TEXT, &message).await;
        assert_eq!(raw.end().await, Some(code), "{what}");
    }
    let mut raw = Raw::open(&server).await;
    raw.0.write_all(&masked(FIN | TEXT, INIT.as_bytes()).repeat(2)).await.unwrap();
    assert_eq!(raw.end().await, Some(4429));
}

#[tokio::test]
async fn the_sub_protocol_is_picked_from_the_client_s_list() {
    let server = Server::start().await;
    let (_, head) = Raw::upgrade(&server, "sec-websocket-protocol: graphql-ws, graphql-transport-ws\r\n").await;
    assert!(head.contains("sec-websocket-protocol: graphql-transport-ws\r\n"), "{head}");
    let (mut raw, _) = Raw::upgrade(&server, "").await;
    assert_eq!(raw.end().await, Some(4406));
}

#[tokio::test]
async fn compression_is_not_agreed_to() {
    let server = Server::start().await;
    let offer = "sec-websocket-protocol: graphql-transport-ws\r\nsec-websocket-extensions: permessage-deflate\r\n";
    let (_, head) = Raw::upgrade(&server, offer).await;
    assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("sec-websocket-extensions"), "{head}");
}

/// A token is in a message and not in a cookie, so a foreign page has none to use; but it could try passwords from
/// its visitor's address, or reach a server that only the visitor can reach.
#[tokio::test]
async fn a_page_of_another_site_opens_no_socket() {
    let protocol = "sec-websocket-protocol: graphql-transport-ws\r\n";
    let allowed_origins = AllowedOrigins::Listed(vec!["https://app.example.com".to_owned()]);
    let server = Server::with(HttpSettings { allowed_origins, ..HttpSettings::default() }).await;
    let status = async |origin: &str| {
        let (_, head) = Raw::upgrade(&server, &format!("{protocol}origin: {origin}\r\n")).await;
        head.lines().next().unwrap().to_owned()
    };
    assert_eq!(status("https://evil.example.com").await, "HTTP/1.1 403 Forbidden");
    assert_eq!(status("null").await, "HTTP/1.1 403 Forbidden");
    assert_eq!(status("https://app.example.com").await, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(status(&format!("http://{}", server.address)).await, "HTTP/1.1 101 Switching Protocols");
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_dropped_after_two() {
    let socket = SocketSettings { ping_every: Duration::from_millis(50), ..SocketSettings::default() };
    let server = Server::with(HttpSettings { socket, ..HttpSettings::default() }).await;
    let mut raw = Raw::ready(&server).await;
    let mut pings = 0;
    loop {
        match raw.frame().await.unwrap() {
            (PING, _) => pings += 1,
            (CLOSE, payload) => {
                assert_eq!((pings, u16::from_be_bytes([payload[0], payload[1]])), (2, 1001));
                break;
            }
            _ => {}
        }
    }
    // A pong keeps it.
    let mut raw = Raw::ready(&server).await;
    for _ in 0..5 {
        while !matches!(raw.frame().await, Some((PING, _))) {}
        raw.send(FIN | PONG, b"").await;
    }
}
