//! The device of a session in words, as a person recognizes it: the browser and the system in a `User-Agent`.

/// What names a browser. The first that occurs counts: most browsers name their ancestors, too.
const BROWSERS: [(&str, &str); 10] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("HeadlessChrome/", "Chrome"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// What names a system, the most precise first.
const SYSTEMS: [(&str, &str); 9] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];

/// The longest name of a program that is shown.
const LONGEST: usize = 40;

/// The device that sends this `User-Agent`, such as `Firefox on Linux` or `curl`; `None` if it says nothing.
pub fn in_words(user_agent: &str) -> Option<String> {
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    let browser = if user_agent.starts_with("Mozilla/") { named(&BROWSERS) } else { None };
    match (browser, named(&SYSTEMS)) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(browser), None) => Some(browser.to_owned()),
        (None, Some(system)) if user_agent.starts_with("Mozilla/") => Some(format!("a browser on {system}")),
        (None, _) => program(user_agent),
    }
}

/// The name before the version of a program that is no browser.
fn program(user_agent: &str) -> Option<String> {
    let name = user_agent.split(['/', ' ', '(']).next()?;
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_browser_is_named_with_its_system_and_a_program_by_its_name() {
        let told: Vec<_> = [
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
            "curl/8.14.1",
            "python-requests/2.32.5",
            "Go-http-client/2.0",
            "",
        ]
        .iter()
        .map(|agent| in_words(agent).unwrap_or_else(|| "nothing".to_owned()))
        .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        Firefox on Linux
        Edge on Windows
        Safari on macOS
        Chrome on iPhone
        Chrome on Android
        curl
        python-requests
        Go-http-client
        nothing
        ");
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_is_short_and_printable(agent in any::<String>()) {
            let told = in_words(&agent).unwrap_or_default();
            prop_assert!(told.chars().count() <= LONGEST && !told.chars().any(char::is_control), "{told:?}");
        }
    }
}
