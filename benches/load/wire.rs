//! A lean HTTP/1.1 connection: the load generator shares the machine with what it measures.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A kept-alive connection; one request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// The status and body of a page.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<(u16, &str)> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await
    }

    /// The answer to a GraphQL request; `headers` are whole lines.
    pub async fn post(&mut self, headers: &str, body: &str) -> anyhow::Result<&str> {
        let length = body.len();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        let (status, body) = self.ask(&request).await?;
        ensure!(status == 200, "status {status}: {body}");
        Ok(body)
    }

    async fn ask(&mut self, request: &str) -> anyhow::Result<(u16, &str)> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let (head, length) = loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server hung up");
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break (end + 4, content_length(std::str::from_utf8(&self.buffer[..end])?)?);
            }
        };
        while self.buffer.len() < head + length {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server hung up");
        }
        let status = std::str::from_utf8(&self.buffer[9..12])?.parse()?;
        Ok((status, std::str::from_utf8(&self.buffer[head..head + length])?))
    }
}

fn content_length(head: &str) -> anyhow::Result<usize> {
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    Ok(line.context("an answer without content-length")?.trim().parse()?)
}
