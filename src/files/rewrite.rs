//! Puts the ticket of a session in place of the claim in what a file server says of itself.
//!
//! A file server knows one prefix for its paths, that with the end of the claim's ID. A ticket has the same length, so
//! nothing moves: neither a length, nor the base64 in which a page carries its data. Only the server's own words are
//! replaced, each recognized by what stands before it, and never the name of a file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What stands before the data of a page.
const DATA_BEGINS: &[u8] = b"<template id=\"index-data\">";

/// Replaces a pattern by another one of the same length in bytes that come in pieces.
#[derive(Debug)]
struct Replacer {
    pattern: Vec<u8>,
    replacement: Vec<u8>,
    /// The end of what came, which may be the beginning of the pattern.
    held: Vec<u8>,
}

impl Replacer {
    /// `before` and the path prefix of the claim; the latter is replaced by that of the ticket.
    fn new(before: &str, claim: &str, ticket: &str) -> Self {
        let text = |of: &str| format!("{before}/files/{of}/").into_bytes();
        Self { pattern: text(claim), replacement: text(ticket), held: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(found) = find(&text[at..], &self.pattern) {
            let end = at + found + self.pattern.len();
            text[at + found..end].copy_from_slice(&self.replacement);
            at = end;
        }
        // What was replaced is complete.
        let kept = text.len().saturating_sub(self.pattern.len() - 1).max(at);
        self.held = text.split_off(kept);
        text
    }

    fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = *pattern.first()?;
    let mut from = 0;
    while let Some(next) = text.get(from..)?.iter().position(|byte| *byte == first) {
        let at = from + next;
        if text.get(at..at + pattern.len())? == pattern {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// What kind of text a file server says, and where the prefix is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// A page: links to its assets, and data in base64.
    Page,
    /// A list in JSON.
    Json,
    /// An answer of WebDAV.
    Xml,
}

/// Replaces the claim by the ticket in a text that comes in pieces.
#[derive(Debug)]
pub struct Rewriter(Kind);

#[derive(Debug)]
enum Kind {
    Plain(Replacer),
    Page(Box<Page>),
}

impl Rewriter {
    /// A rewriter for one answer. Both names have the same length.
    pub fn new(text: Text, claim: &str, ticket: &str) -> Self {
        Self(match text {
            // In one line, or with a space after the colon.
            Text::Json => Kind::Plain(Replacer::new("\"uri_prefix\": \"", claim, ticket)),
            Text::Xml => Kind::Plain(Replacer::new("<D:href>", claim, ticket)),
            Text::Page => Kind::Page(Box::new(Page {
                links: Replacer::new("=\"", claim, ticket),
                data: Replacer::new("\"uri_prefix\":\"", claim, ticket),
                state: State::Before,
                held: Vec::new(),
                encoded: Vec::new(),
                decoded: Vec::new(),
            })),
        })
    }

    /// What can be sent after this piece.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        match &mut self.0 {
            Kind::Plain(replacer) => replacer.push(bytes),
            Kind::Page(page) => page.push(bytes),
        }
    }

    /// The rest.
    pub fn finish(&mut self) -> Vec<u8> {
        match &mut self.0 {
            Kind::Plain(replacer) => replacer.finish(),
            Kind::Page(page) => page.finish(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the text before the data.
    Before,
    /// In the data.
    Data,
    /// In the text after it.
    After,
}

/// A page, up to where it has come.
#[derive(Debug)]
struct Page {
    links: Replacer,
    data: Replacer,
    state: State,
    /// The end of the text, which may be the beginning of [`DATA_BEGINS`].
    held: Vec<u8>,
    /// Base64 that does not make whole bytes yet.
    encoded: Vec<u8>,
    /// Bytes that do not make whole base64 yet.
    decoded: Vec<u8>,
}

impl Page {
    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self.state {
            State::Before => self.before(bytes),
            State::Data => self.data(bytes),
            State::After => self.links.push(bytes),
        }
    }

    fn before(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let Some(found) = find(&text, DATA_BEGINS) else {
            let kept = text.len().saturating_sub(DATA_BEGINS.len() - 1);
            self.held = text.split_off(kept);
            return self.links.push(&text);
        };
        let data = text.split_off(found + DATA_BEGINS.len());
        let mut out = self.links.push(&text);
        out.extend(self.links.finish());
        self.state = State::Data;
        out.extend(self.data(&data));
        out
    }

    fn data(&mut self, bytes: &[u8]) -> Vec<u8> {
        let end = bytes.iter().position(|byte| *byte == b'<');
        let (data, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        self.encoded.extend_from_slice(data);
        let whole = self.encoded.len() - self.encoded.len() % 4;
        let rest_of_encoded = self.encoded.split_off(whole);
        let encoded = std::mem::replace(&mut self.encoded, rest_of_encoded);
        let mut out = Vec::with_capacity(bytes.len() + 4);
        match STANDARD.decode(&encoded) {
            Ok(decoded) => {
                let replaced = self.data.push(&decoded);
                self.decoded.extend(replaced);
                if end.is_none() {
                    let whole = self.decoded.len() - self.decoded.len() % 3;
                    let left = self.decoded.split_off(whole);
                    out.extend(STANDARD.encode(std::mem::replace(&mut self.decoded, left)).into_bytes());
                }
            }
            // Not what a file server writes: it stays as it is.
            Err(_) => {
                out.extend(self.flushed());
                out.extend(encoded);
            }
        }
        if end.is_some() {
            out.extend(self.flushed());
            out.append(&mut self.encoded);
            self.state = State::After;
            out.extend(self.links.push(rest));
        }
        out
    }

    /// The rest of the data, in base64.
    fn flushed(&mut self) -> Vec<u8> {
        let rest = self.data.finish();
        self.decoded.extend(rest);
        STANDARD.encode(std::mem::take(&mut self.decoded)).into_bytes()
    }

    fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.state == State::Data {
            out.extend(self.flushed());
            out.append(&mut self.encoded);
        }
        let held = std::mem::take(&mut self.held);
        out.extend(self.links.push(&held));
        out.extend(self.links.finish());
        out
    }
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
