//! The forms of names, keys, values and paths in Kubernetes
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>).

use super::report::Form;
use crate::cluster::names::{check_label, check_subdomain};

/// Containers, volumes, host names.
pub(in crate::cluster) const LABEL: Form = Form {
    fits: |text| check_label(text).is_ok(),
    allowed: "1 to 63 lower-case letters, digits and '-', with a letter or a digit at both ends",
};

/// Services.
pub(in crate::cluster) const LABEL_OF_LETTER: Form = Form {
    fits: |text| check_label(text).is_ok() && text.starts_with(|first: char| first.is_ascii_lowercase()),
    allowed: "1 to 63 lower-case letters, digits and '-', with a letter first and a letter or a digit last",
};

/// Most objects.
pub(in crate::cluster) const SUBDOMAIN: Form = Form {
    fits: |text| check_subdomain(text).is_ok(),
    allowed: "at most 253 lower-case letters, digits, '-' and '.', with a letter or a digit at both ends and around every '.'",
};

/// Keys of labels and annotations, and names of resources: a name with an optional domain before it.
pub(in crate::cluster) const QUALIFIED: Form = Form {
    fits: is_qualified,
    allowed: "at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends, after an optional domain such as example.com/",
};

/// Values of labels.
pub(in crate::cluster) const LABEL_VALUE: Form = Form {
    fits: |text| text.is_empty() || is_name(text),
    allowed: "empty, or at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends",
};

/// Keys of ConfigMaps and Secrets.
pub(in crate::cluster) const CONFIG_KEY: Form = Form {
    fits: |text| {
        (1..=253).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && text != "."
            && !text.starts_with("..")
    },
    allowed: "1 to 253 letters, digits, '-', '_' and '.', not \".\" and not beginning with \"..\"",
};

/// Environment variables. Since 1.34 Kubernetes accepts any printable ASCII except '='; the platform keeps the earlier
/// rule, because shells cannot read more.
pub(in crate::cluster) const VARIABLE: Form = Form {
    fits: |text| {
        !text.is_empty()
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && text != "."
            && !text.starts_with("..")
    },
    allowed: "letters, digits, '_', '-' and '.', not beginning with a digit or with \"..\"",
};

/// Names of ports (IANA service names).
pub(in crate::cluster) const PORT_NAME: Form = Form {
    fits: |text| {
        (1..=15).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && text.bytes().any(|byte| byte.is_ascii_lowercase())
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.contains("--")
    },
    allowed: "1 to 15 lower-case letters, digits and single '-' between them, with at least one letter",
};

/// Paths in a container. Kubernetes accepts more, but a runtime cannot use them.
pub(in crate::cluster) const ABSOLUTE_PATH: Form = Form {
    fits: |text| {
        text.starts_with('/')
            && text.len() <= 4096
            && text.split('/').all(|part| part != ".." && part.len() <= 255)
            && !text.contains('\0')
    },
    allowed: "an absolute path without \"..\"",
};

/// Paths of files below a volume.
pub(in crate::cluster) const RELATIVE_PATH: Form = Form {
    fits: |text| {
        !text.is_empty()
            && !text.starts_with('/')
            && !text.starts_with("..")
            && text.len() <= 4096
            && text.split('/').all(|part| part != ".." && part.len() <= 255)
            && !text.contains('\0')
    },
    allowed: "a relative path without \"..\"",
};

/// Header fields of HTTP.
pub(in crate::cluster) const HEADER: Form = Form {
    fits: |text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
    allowed: "letters, digits and '-'",
};

/// Addresses. An IPv4 address written as IPv6 is interpreted in different ways.
pub(in crate::cluster) const ADDRESS: Form = Form {
    fits: |text| match text.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(address)) => address.to_ipv4_mapped().is_none(),
        Ok(std::net::IpAddr::V4(_)) => true,
        Err(_) => false,
    },
    allowed: "an IP address",
};

/// Search domains: names that may have '_' and end with '.'.
pub(in crate::cluster) const SEARCH_DOMAIN: Form = Form {
    fits: |text| {
        let text = if text == "." { return true } else { text.strip_suffix('.').unwrap_or(text) };
        check_subdomain(&text.replace('_', "a")).is_ok()
    },
    allowed: "a domain such as example.com",
};

/// Paths of profiles on the node.
pub(in crate::cluster) const PROFILE: Form = Form {
    fits: |text| !text.trim().is_empty() && text.trim() == text && text.len() <= 4095 && (RELATIVE_PATH.fits)(text),
    allowed: "the name of a profile on the node: a relative path without \"..\"",
};

fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => check_subdomain(domain).is_ok() && is_name(name),
        None => is_name(text),
    }
}

/// 1 to 63 letters, digits, '-', '_' and '.', with a letter or a digit at both ends.
fn is_name(text: &str) -> bool {
    let is_word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && is_word(text.bytes().next())
        && is_word(text.bytes().next_back())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
