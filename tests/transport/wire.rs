//! Bytes that no well-behaved client sends: slow, broken, contradictory and oversized requests. The server ends each of
//! them and waits for none.

use std::time::Duration;

use platform::http::HttpSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::toy::Server;

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection without a client's good manners.
struct Wire(TcpStream);

impl Wire {
    async fn to(server: &Server) -> Self {
        Self(TcpStream::connect(server.address).await.unwrap())
    }

    async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// All that comes until the server closes the connection. That it was reset is an end, too.
    async fn rest(mut self) -> String {
        let mut heard = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut heard)).await.expect("the server ends the connection");
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// The status line of the next answer.
    async fn status(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let byte = timeout(PATIENCE, self.0.read_u8()).await.expect("the server answers");
            match byte {
                Ok(byte) => line.push(byte),
                Err(_) => break,
            }
        }
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }
}

async fn told(server: &Server, request: impl AsRef<[u8]>) -> String {
    let mut wire = Wire::to(server).await;
    wire.say(request).await;
    wire.status().await
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n{body}")
}

const HELLO: &str = r#"{"query":"{ hello }"}"#;

async fn impatient() -> Server {
    let (head_timeout, body_timeout) = (Duration::from_millis(200), Duration::from_millis(200));
    Server::with(HttpSettings { head_timeout, body_timeout, ..HttpSettings::default() }).await
}

#[tokio::test]
async fn who_connects_and_says_nothing_or_half_a_head_is_dropped() {
    let server = impatient().await;
    for beginning in
        ["", "P", "PRI * HTTP/2.0\r\n", "POST /graphql HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut wire = Wire::to(&server).await;
        wire.say(beginning).await;
        let heard = wire.rest().await;
        assert!(!heard.contains("200 OK"), "{beginning:?}: {heard}");
    }
}

#[tokio::test]
async fn a_connection_that_stays_idle_after_an_answer_is_closed() {
    let server = impatient().await;
    let mut wire = Wire::to(&server).await;
    wire.say(post(&format!("content-length: {}\r\n", HELLO.len()), HELLO)).await;
    let heard = wire.rest().await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_with_408() {
    let server = impatient().await;
    let mut wire = Wire::to(&server).await;
    wire.say(post("content-length: 100\r\n", "{\"query\":")).await;
    let heard = wire.rest().await;
    assert!(heard.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{heard}");
    assert!(heard.contains("the request body was not received within 200 ms"), "{heard}");
    let mut wire = Wire::to(&server).await;
    wire.say(post("transfer-encoding: chunked\r\n", "1\r\n{\r\n")).await;
    assert!(wire.rest().await.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
}

#[tokio::test]
async fn chunks_are_counted_too() {
    let server = Server::with(HttpSettings { max_body_bytes: 1_024, ..HttpSettings::default() }).await;
    let chunk = format!("200\r\n{}\r\n", " ".repeat(512));
    let request = post("transfer-encoding: chunked\r\n", &chunk.repeat(3));
    assert_eq!(told(&server, request).await, "HTTP/1.1 413 Payload Too Large");
}

#[tokio::test]
async fn a_compressed_body_is_415_and_says_to_send_it_as_it_is() {
    let server = Server::start().await;
    let gzip_of_nothing = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let answer = server.send("POST", "/graphql", &headers, gzip_of_nothing).await;
    insta::assert_snapshot!(answer.told(), @r#"415 application/json {"errors":[{"message":"Content-Encoding \"gzip\" is not supported: send the body uncompressed","extensions":{"code":"BAD_USER_INPUT","requestId":"ID","retryable":false}}]}"#);
    assert_eq!(answer.header("accept-encoding"), "identity");
    let headers = [("content-type", "application/json"), ("content-encoding", "identity")];
    assert_eq!(server.send("POST", "/graphql", &headers, HELLO).await.status, 200);
}

/// Two readers that disagree where a request ends can be made to see different requests.
#[tokio::test]
async fn a_request_of_two_lengths_is_refused_or_its_connection_closed() {
    let server = Server::start().await;
    for headers in [
        "content-length: 21\r\ncontent-length: 22\r\n",
        "content-length: 21, 22\r\n",
        "content-length: +21\r\n",
        "content-length: 0x15\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "content-length : 21\r\n",
        "transfer-encoding\u{b}: chunked\r\n",
    ] {
        assert_eq!(told(&server, post(headers, HELLO)).await, "HTTP/1.1 400 Bad Request", "{headers:?}");
    }
    // With both, what follows the chunks must not be taken for the next request.
    let smuggled = "0\r\n\r\nGET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut wire = Wire::to(&server).await;
    wire.say(post("content-length: 5\r\ntransfer-encoding: chunked\r\n", smuggled)).await;
    let heard = wire.rest().await;
    assert!(!heard.contains(r#""status":"ok""#), "{heard}");
}

#[tokio::test]
async fn a_head_of_unreasonable_size_is_431() {
    let server = Server::start().await;
    let long = format!("GET /health HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("GET /health HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-many: 1\r\n".repeat(1_000));
    for request in [long, many] {
        let mut wire = Wire::to(&server).await;
        // The server may close before all is sent.
        let _ = wire.0.write_all(request.as_bytes()).await;
        assert_eq!(wire.status().await, "HTTP/1.1 431 Request Header Fields Too Large");
    }
    let target = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000));
    assert_eq!(told(&server, target).await, "HTTP/1.1 414 URI Too Long");
}

#[tokio::test]
async fn what_is_no_http_is_no_request() {
    let server = Server::start().await;
    for request in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /health HTTP/9.9\r\n\r\n",
        "GET /health HTTP/1.1\nhost x\n\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n",
    ] {
        let mut wire = Wire::to(&server).await;
        wire.say(request).await;
        let heard = wire.rest().await;
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 400 "), "{request:?}: {heard}");
    }
    assert_eq!(server.post("{ hello }", &[]).await.status, 200);
}

#[tokio::test]
async fn a_body_is_json_in_utf_8_and_nothing_else() {
    let server = Server::start().await;
    let json = [("content-type", "application/json")];
    let bodies: [(&str, Vec<u8>); 9] = [
        ("nothing", vec![]),
        ("no UTF-8", b"{\"query\":\"{ hello(name: \\\"\xff\xfe\\\") }\"}".to_vec()),
        ("an overlong form", b"{\"query\":\"\xc0\xaf\"}".to_vec()),
        ("half a surrogate", br#"{"query":"{ hello }","variables":{"a":"\ud800"}}"#.to_vec()),
        ("a byte-order mark", b"\xef\xbb\xbf{\"query\":\"{ hello }\"}".to_vec()),
        ("UTF-16", "{\"query\":\"{ hello }\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        (
            "a number beyond all",
            format!(r#"{{"query":"{{ hello }}","variables":{{"a":1e{}}}}}"#, "9".repeat(50)).into_bytes(),
        ),
        ("deep lists", format!(r#"{{"query":"{{ hello }}","variables":{{"a":{}}}}}"#, "[".repeat(10_000)).into_bytes()),
        ("two objects", format!("{HELLO}{HELLO}").into_bytes()),
    ];
    for (what, body) in bodies {
        let answer = server.send("POST", "/graphql", &json, body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.body());
        assert!(answer.body().contains("the body is not JSON"), "{what}: {}", answer.body());
    }
}

#[tokio::test]
async fn odd_json_is_read_as_what_it_says() {
    let server = Server::start().await;
    let json = [("content-type", "application/json; charset=UTF-8")];
    let ask = async |body: &str| server.send("POST", "/graphql", &json, body.to_owned()).await.body();
    let greet = "query($name: String) { hello(name: $name) }";
    // The last of two equal keys counts, for the document that is measured and for the one that runs.
    insta::assert_snapshot!(ask(r#"{"query":"{ panics }","query":"{ hello }"}"#).await, @r#"{"data":{"hello":"hello world"}}"#);
    insta::assert_snapshot!(ask(&format!(r#"{{"query":"{greet}","variables":{{"name":"a\u0001b"}}}}"#)).await, @r#"{"data":{"hello":"hello a\u0001b"}}"#);
    insta::assert_snapshot!(ask(&format!(r#"{{"query":"{greet}","__proto__":{{"admin":true}},"variables":{{"__proto__":1,"constructor":2,"name":"x"}}}}"#)).await, @r#"{"data":{"hello":"hello x"}}"#);
    let huge = ask(r#"{"query":"{ slow(milliseconds: 99999999999999999999999999) }"}"#).await;
    assert!(huge.contains("Expected a value of type \\\"Int!\\\""), "{huge}");
}

#[tokio::test]
async fn http_2_is_spoken_on_the_same_port() {
    let server = Server::start().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let request = client.post(server.url("/graphql")).header("content-type", "application/json");
    let response = request.body(HELLO).send().await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (http::Version::HTTP_2, 200));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start().await;
    let mut wire = Wire::to(&server).await;
    for _ in 0..3 {
        wire.say("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(wire.status().await, "HTTP/1.1 200 OK");
        let mut rest = Vec::new();
        while !rest.ends_with(b"}") {
            rest.push(timeout(PATIENCE, wire.0.read_u8()).await.unwrap().unwrap());
        }
    }
}

/// CVE-2023-44487: streams that are opened and reset at once cost the server work and the client nothing.
#[tokio::test]
async fn rapid_resets_end_the_connection_and_not_the_server() {
    let server = Server::start().await;
    let mut wire = Wire::to(&server).await;
    wire.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    wire.say(frame(4, 0, 0, &[])).await;
    // :method GET, :scheme http, :path /, :authority x
    let head = [0x82, 0x86, 0x84, 0x41, 0x01, b'x'];
    for stream in (1..20_000).step_by(2) {
        let opened = [frame(1, 5, stream, &head), frame(3, 0, stream, &8_u32.to_be_bytes())].concat();
        if wire.0.write_all(&opened).await.is_err() {
            break;
        }
    }
    wire.rest().await;
    assert_eq!(server.post("{ hello }", &[]).await.status, 200);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn who_reads_nothing_of_what_they_are_sent_is_dropped() {
    const ANSWERS: usize = 12;
    let write_timeout = Duration::from_millis(300);
    let server = Server::with(HttpSettings { write_timeout, ..HttpSettings::default() }).await;
    let name = "x".repeat(1_900_000);
    let body =
        format!(r#"{{"query":"query($name: String!) {{ hello(name: $name) }}","variables":{{"name":"{name}"}}}}"#);
    let request = post(&format!("content-length: {}\r\n", body.len()), &body);
    let (mut reader, mut writer) = Wire::to(&server).await.0.into_split();
    let asking = tokio::spawn(async move {
        // More than the buffers of both ends can hold.
        for _ in 0..ANSWERS {
            if writer.write_all(request.as_bytes()).await.is_err() {
                break;
            }
        }
        writer
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut heard = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut heard)).await.expect("the server ended the connection");
    assert!(heard.len() < (ANSWERS - 1) * name.len(), "{} bytes came", heard.len());
    drop(asking.await.unwrap());
}
