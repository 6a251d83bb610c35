//! Which new passwords are too easy to guess: those on the lists of common ones, and those about the user. No I/O.

use std::collections::HashSet;

use zxcvbn::Score;
use zxcvbn::feedback::Warning;

/// The minimum number of different characters.
const FEWEST_DISTINCT: usize = 4;
/// Shorter names occur in other words by chance.
const SHORTEST_NAME: usize = 3;

/// Why `password` is too weak for a user about whom `personal` says something, such as their name; `None` if it is not.
/// Takes up to some milliseconds.
pub(super) fn weakness(password: &str, personal: &[String]) -> Option<String> {
    let distinct = password.chars().collect::<HashSet<_>>().len();
    if distinct < FEWEST_DISTINCT {
        return Some(format!("it needs at least {FEWEST_DISTINCT} different characters, and has {distinct}"));
    }
    let lower = password.to_lowercase();
    let own = |text: &&String| text.chars().count() >= SHORTEST_NAME && lower.contains(&text.to_lowercase());
    if personal.iter().any(|text| own(&text)) {
        return Some("it contains your name or email address".to_owned());
    }
    let personal: Vec<&str> = personal.iter().map(String::as_str).collect();
    let guessed = zxcvbn::zxcvbn(password, &personal);
    // Below two: fewer than a million guesses (zxcvbn's own scale).
    if guessed.score() >= Score::Two {
        return None;
    }
    let warning = guessed.feedback().and_then(|feedback| feedback.warning());
    Some(warning.map_or("others would try it early", reason).to_owned())
}

fn reason(warning: Warning) -> &'static str {
    match warning {
        Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword => {
            "it is one of the most common passwords"
        }
        Warning::ThisIsSimilarToACommonlyUsedPassword => "it is similar to a common password",
        Warning::StraightRowsOfKeysAreEasyToGuess | Warning::ShortKeyboardPatternsAreEasyToGuess => {
            "its characters are next to each other on the keyboard"
        }
        Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "it repeats the same characters"
        }
        Warning::SequencesLikeAbcAreEasyToGuess => "it is a sequence of letters or digits",
        Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => "it is a date or a year",
        Warning::AWordByItselfIsEasyToGuess => "it is a single word",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess | Warning::CommonNamesAndSurnamesAreEasyToGuess => {
            "it is a common name"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ada(password: &str) -> String {
        let personal = ["ada", "Ada Hart", "ada@example.org"].map(str::to_owned);
        weakness(password, &personal).unwrap_or_else(|| "strong enough".to_owned())
    }

    #[test]
    fn a_weak_password_is_refused_with_the_reason() {
        let told: Vec<_> = [
            "password",
            "P@ssw0rd",
            "12345678",
            "qwertyuiop",
            "aaaaaaaa",
            "abababab",
            "abcabcabcabc",
            "21031987",
            "elizabeth",
            "my-ADA-password",
            "ada@example.org",
            "correct horse battery",
            "vision-member",
            "vN4#hq9w",
        ]
        .iter()
        .map(|password| format!("{password}: {}", of_ada(password)))
        .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        password: it is one of the most common passwords
        P@ssw0rd: it is similar to a common password
        12345678: it is one of the most common passwords
        qwertyuiop: it is one of the most common passwords
        aaaaaaaa: it needs at least 4 different characters, and has 1
        abababab: it needs at least 4 different characters, and has 2
        abcabcabcabc: it needs at least 4 different characters, and has 3
        21031987: it is one of the most common passwords
        elizabeth: it is a common name
        my-ADA-password: it contains your name or email address
        ada@example.org: it contains your name or email address
        correct horse battery: strong enough
        vision-member: strong enough
        vN4#hq9w: strong enough
        ");
    }

    #[test]
    fn the_longest_password_is_judged_in_no_time_that_matters() {
        for hard in ["4@8({[<36g69!1|/|$5+7xz2".repeat(3), "a".repeat(36) + &"b1".repeat(18), "é".repeat(36)] {
            let _ = weakness(&hard.chars().take(72).collect::<String>(), &[]);
        }
    }
}
