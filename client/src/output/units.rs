//! Counts, spans and moments in words.

use jiff::{Timestamp, tz::TimeZone};

pub use wendy_text::{count, parse_size, size, things};

/// Seconds after which only the date says something.
const LONG_AGO: u64 = 60 * 86_400;

/// A number of entries of a tree.
pub fn entries(number: u64) -> String {
    things(number, "file or directory", "files and directories")
}

/// A span of time in its largest unit, or two: `45 s`, `3 min`, `2 h 5 min`, `3 days`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..90 => format!("{seconds} s"),
        90..3_600 => format!("{} min", (seconds + 30) / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => things(seconds / 86_400, "day", "days"),
    }
}

/// A moment, first seen from now and then on the clock: `3 min ago (2026-11-20 10:03)`.
pub fn moment(at: i64, now: i64) -> String {
    if at == 0 {
        return "never".into();
    }
    let clock = clock(at, &TimeZone::system());
    match u64::try_from(now.saturating_sub(at)) {
        Ok(LONG_AGO..) => clock,
        Ok(0) => format!("now ({clock})"),
        Ok(ago) => format!("{} ago ({clock})", span(ago)),
        Err(_) => format!("in the future ({clock})"),
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    Timestamp::now().as_second()
}

fn clock(at: i64, zone: &TimeZone) -> String {
    let Ok(moment) = Timestamp::from_second(at) else {
        return format!("second {at}");
    };
    moment
        .to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        assert_eq!(span(45), "45 s");
        assert_eq!(span(200), "3 min");
        assert_eq!(span(7_500), "2 h 5 min");
        assert_eq!(span(86_400), "1 day");
    }

    #[test]
    fn moments_are_told_from_now() {
        assert_eq!(clock(1_795_168_980, &TimeZone::UTC), "2026-11-20 10:03");
        assert_eq!(moment(0, 5), "never");
        assert!(moment(100, 100 + 180).starts_with("3 min ago ("));
        assert!(moment(200, 100).starts_with("in the future ("));
        assert!(moment(100, 100_000_000).starts_with("1970-01-0"));
        assert!(moment(i64::MAX, 0).contains("second"));
    }
}
