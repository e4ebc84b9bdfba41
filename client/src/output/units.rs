//! Sizes, counts, spans and moments in words.

use jiff::{Timestamp, tz::TimeZone};

pub use wendy_dbus::units::size;

/// Seconds after which only the date says something.
const LONG_AGO: u64 = 60 * 86_400;

/// A number with its thousands set apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 file`, `1,203 files`.
pub fn things(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

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

/// A size as people type it: `8G`, `500 MB`, `512MiB`, `4096`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = scale(unit.trim()).ok_or("a size ends in K, M, G, T, or KiB, MiB, GiB, TiB")?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let wrong = |_| "a size is a number and a unit, as in 8G or 500MiB".to_owned();
    let whole: u128 = whole.parse().map_err(wrong)?;
    let fraction = if fraction.is_empty() {
        0
    } else {
        part(fraction, scale)?
    };
    u64::try_from(whole.saturating_mul(scale).saturating_add(fraction))
        .map_err(|_| "this is larger than any device".into())
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

fn scale(unit: &str) -> Option<u128> {
    let unit = unit.to_ascii_lowercase();
    let letter = unit.chars().next().unwrap_or('b');
    let power = "bkmgtp".find(letter)?;
    let power = u32::try_from(power).ok()?;
    match unit.get(letter.len_utf8()..).unwrap_or("") {
        "" | "b" if power > 0 => Some(1000u128.pow(power)),
        "ib" | "i" if power > 0 => Some(1024u128.pow(power)),
        "" => Some(1),
        _ => None,
    }
}

/// Digits behind the point, as bytes.
fn part(digits: &str, scale: u128) -> Result<u128, String> {
    let digits = digits.get(..digits.len().min(9)).unwrap_or_default();
    let value: u128 = digits
        .parse()
        .map_err(|_| "a size has one point at most".to_owned())?;
    let length = u32::try_from(digits.len()).map_err(|error| error.to_string())?;
    Ok(value * scale / 10u128.pow(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_sizes_are_read_as_meant() {
        let cases = [
            ("4096", 4096),
            ("8G", 8_000_000_000),
            ("8 GB", 8_000_000_000),
            ("1.5g", 1_500_000_000),
            ("512MiB", 512 << 20),
            ("2Ti", 2 << 40),
            ("7b", 7),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "G",
            "-1",
            "1x",
            "1.2.3G",
            "1 e3",
            "99999999999T",
            "8iB",
            "1KBB",
            "é",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_and_spans_read_well() {
        assert_eq!(count(1_203), "1,203");
        assert_eq!(count(12), "12");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(things(1, "file", "files"), "1 file");
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
