//! Sizes and numbers of things in words, as `wendyctl` says them.

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

/// Two sizes of which the first is larger: in bytes where rounded they look the same.
#[must_use]
pub fn two_sizes(larger: u64, smaller: u64) -> (String, String) {
    let rounded = (size(larger), size(smaller));
    if rounded.0 != rounded.1 {
        return rounded;
    }
    let exact = |bytes| things(bytes, "byte", "bytes");
    (exact(larger), exact(smaller))
}

/// A number of things: `1 file`, `1,203 files`.
#[must_use]
pub fn things(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A number of names.
#[must_use]
pub fn names(number: u64) -> String {
    things(number, "name", "names")
}

/// A number with its thousands set apart.
#[must_use]
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
    fn one_of_them_is_no_plural() {
        assert_eq!(names(1), "1 name");
        assert_eq!(names(0), "0 names");
        assert_eq!(things(1_000_000, "file", "files"), "1,000,000 files");
    }
}
