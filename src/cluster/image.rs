//! Container image references: `registry.example.org:5000/team/tool:1.2@sha256:…`, by the grammar of the distribution
//! project that every container runtime uses.
//!
//! Written here because `oci-spec` reads some of it otherwise than the runtimes do: it refuses a registry that is an IPv6
//! address, and takes tags beyond ASCII, capitals in the path (`Team/a`) and in a digest. It also says of most texts only
//! that they are wrong, and not where.

use std::fmt;
use std::str::FromStr;

/// The registry of a reference without one.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The repository prefix of that registry for images whose name has one part.
const OFFICIAL: &str = "library";
/// Maximum length of registry and path together.
const MAX_NAME: usize = 255;

/// A validated reference, kept as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageReference {
    text: String,
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// An invalid image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not an image reference: {problem}")]
pub struct ParseImageError {
    /// The text that was given.
    pub value: String,
    /// The problem with it.
    pub problem: ImageProblem,
}

/// The possible problems with an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageProblem {
    /// The text is empty.
    #[error("it is empty; an image such as alpine:3.20 or registry.example.org/team/tool@sha256:… is expected")]
    Empty,
    /// The registry is not a host with an optional port.
    #[error(
        "the registry {0:?} must be a host name or address with an optional port, such as registry.example.org:5000"
    )]
    Registry(String),
    /// The path has upper-case letters.
    #[error("the name {0:?} must be lower case")]
    Capitals(String),
    /// A part of the path has characters that are not allowed.
    #[error(
        "the part {0:?} of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'"
    )]
    Part(String),
    /// The name is too long.
    #[error("the name has {0} characters; at most {MAX_NAME} are allowed")]
    Long(usize),
    /// The tag is invalid.
    #[error("the tag {0:?} must be 1 to 128 letters, digits, '_', '.' or '-', and not begin with '.' or '-'")]
    Tag(String),
    /// The digest is invalid.
    #[error("the digest {0:?} must be an algorithm and a hexadecimal hash, such as sha256: followed by 64 digits")]
    Digest(String),
    /// The text looks like an image ID rather than a name.
    #[error("64 hexadecimal digits are an image ID; a name is expected")]
    Id,
}

impl ImageReference {
    /// The reference as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The registry; `docker.io` if none is named.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, with `library/` if `docker.io` implies it.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one is given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one is given: it pins the contents.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The full reference with nothing implied: `docker.io/library/alpine:latest`. Equal ones refer to the same image.
    pub fn normalized(&self) -> String {
        let mut text = format!("{}/{}", self.registry, self.repository);
        match (&self.tag, &self.digest) {
            (Some(tag), _) => text.push_str(&format!(":{tag}")),
            (None, None) => text.push_str(":latest"),
            (None, Some(_)) => {}
        }
        if let Some(digest) = &self.digest {
            text.push_str(&format!("@{digest}"));
        }
        text
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ImageReference {
    type Err = ParseImageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|problem| ParseImageError { value: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<ImageReference, ImageProblem> {
    if text.is_empty() {
        return Err(ImageProblem::Empty);
    }
    if text.len() == 64 && text.bytes().all(is_hex) {
        return Err(ImageProblem::Id);
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // A colon before the last slash belongs to the registry's port.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_registry_like(first) => (Some(first), path),
        _ => (None, name),
    };
    if let Some(registry) = registry.filter(|registry| !is_registry(registry)) {
        return Err(ImageProblem::Registry(registry.to_owned()));
    }
    check_path(path)?;
    if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
        return Err(ImageProblem::Tag(tag.to_owned()));
    }
    if let Some(digest) = digest.filter(|digest| !is_digest(digest)) {
        return Err(ImageProblem::Digest(digest.to_owned()));
    }
    let registry = match registry {
        None | Some("index.docker.io") => DEFAULT_REGISTRY,
        Some(registry) => registry,
    };
    let is_official = registry == DEFAULT_REGISTRY && !path.contains('/');
    let repository = if is_official { format!("{OFFICIAL}/{path}") } else { path.to_owned() };
    let length = registry.len() + 1 + repository.len();
    if length > MAX_NAME {
        return Err(ImageProblem::Long(length));
    }
    Ok(ImageReference {
        text: text.to_owned(),
        registry: registry.to_owned(),
        repository,
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_owned),
    })
}

/// Whether the part before the first slash is a registry: `docker.io/a` is in one, `team/a` is not.
fn is_registry_like(first: &str) -> bool {
    first.contains(['.', ':', '[']) || first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            return is_ipv6(address) && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    host.split('.').all(is_part) && port.is_none_or(is_port)
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_path(path: &str) -> Result<(), ImageProblem> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(ImageProblem::Capitals(path.to_owned()));
    }
    match path.split('/').find(|part| !is_part(part)) {
        Some(part) => Err(ImageProblem::Part(part.to_owned())),
        None => Ok(()),
    }
}

/// Runs of letters and digits with separators between them.
fn is_part(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = part.split(|c: char| c.is_ascii() && is_word(c as u8)).filter(|between| !between.is_empty());
    let is_separator = |between: &str| matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-');
    let mut separators = separators;
    part.bytes().next().is_some_and(is_word)
        && part.bytes().next_back().is_some_and(is_word)
        && separators.all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, sum)) = digest.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => Some(64),
        "sha384" => Some(96),
        "sha512" => Some(128),
        _ => None,
    };
    let is_component = |part: &str| {
        part.bytes().all(|b| b.is_ascii_alphanumeric()) && part.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    match length {
        // The well-known algorithms are written in one way only.
        Some(length) => sum.len() == length && sum.bytes().all(|b| is_hex(b) && !b.is_ascii_uppercase()),
        None => algorithm.split(['+', '.', '_', '-']).all(is_component) && sum.len() >= 32 && sum.bytes().all(is_hex),
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

#[cfg(test)]
mod tests;
