//! Sizes, as people read and as they type them.

use crate::things;

const DECIMAL: [(&str, u64); 5] = [
    ("PB", 1_000_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
];

/// Bytes as people read them on a stick: decimal, two digits that matter.
#[must_use]
pub fn size(bytes: u64) -> String {
    let Some((unit, scale)) = DECIMAL.iter().find(|(_, scale)| bytes >= *scale) else {
        return things(bytes, "byte", "bytes");
    };
    let tenths = (u128::from(bytes) * 10 + u128::from(*scale) / 2) / u128::from(*scale);
    match tenths {
        0..100 => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        _ => format!("{} {unit}", (tenths + 5) / 10),
    }
}

/// Two sizes to be compared: in bytes where rounded they look the same.
#[must_use]
pub fn two_sizes(one: u64, other: u64) -> (String, String) {
    let rounded = (size(one), size(other));
    if rounded.0 != rounded.1 {
        return rounded;
    }
    let exact = |bytes| things(bytes, "byte", "bytes");
    (exact(one), exact(other))
}

/// A size as people type it: `8G`, `500 MB`, `512MiB`, `4096`.
///
/// # Errors
/// What a size looks like.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let bytes = bytes_in(text.trim()).ok_or("a size is a number and a unit, as in 8G or 500MiB")?;
    u64::try_from(bytes).map_err(|_| "this is larger than any device".into())
}

fn bytes_in(text: &str) -> Option<u128> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = scale(unit.trim())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u128 = whole.parse().ok()?;
    Some(
        whole
            .saturating_mul(scale)
            .saturating_add(part(fraction, scale)?),
    )
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
fn part(digits: &str, scale: u128) -> Option<u128> {
    let digits = digits.get(..digits.len().min(9))?;
    let value: u128 = digits.parse().ok()?;
    Some(value * scale / 10u128.pow(u32::try_from(digits.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits_that_matter() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (24_226_721_792, "24 GB"),
            (270_553_174_016, "271 GB"),
            (u64::MAX, "18447 PB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn what_does_not_fit_never_looks_as_if_it_did() {
        let (needed, free) = two_sizes(20_000_001, 20_000_000);
        assert_eq!((&*needed, &*free), ("20,000,001 bytes", "20,000,000 bytes"));
        assert_eq!(two_sizes(2_000_000, 7).1, "7 bytes");
    }

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
            "1.",
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
}
