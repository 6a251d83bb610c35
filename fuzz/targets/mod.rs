//! The fuzz targets. A target accepts any bytes and panics if an invariant is violated. `make fuzz` runs them with
//! libFuzzer, and `tests/fuzz.rs` briefly in every test run.

mod cursors;
mod http_body;
mod ids;
mod images;
pub mod pods;
mod quantities;
mod websocket;
mod yaml;

/// An invariant, and bytes to hold against it.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Panics when these bytes break the invariant.
    pub check: fn(&[u8]),
}

/// Every target.
pub const ALL: [Target; 8] = [
    Target { name: "cursors", check: cursors::check },
    Target { name: "http_body", check: http_body::check },
    Target { name: "ids", check: ids::check },
    Target { name: "images", check: images::check },
    Target { name: "pods", check: pods::check },
    Target { name: "quantities", check: quantities::check },
    Target { name: "websocket", check: websocket::check },
    Target { name: "yaml", check: yaml::check },
];

/// Their names in one line.
#[allow(dead_code, reason = "the short runs need no list")]
pub fn names() -> String {
    ALL.map(|target| target.name).join(", ")
}

/// The bytes as text, with what is no UTF-8 replaced.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
