//! Sizes in words, the same in what the daemon says and what its clients show.

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
        return format!("{bytes} bytes");
    };
    let tenths = (u128::from(bytes) * 10 + u128::from(*scale) / 2) / u128::from(*scale);
    match tenths {
        0..100 => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        _ => format!("{} {unit}", (tenths + 5) / 10),
    }
}

/// Two sizes to be compared: in bytes where rounded they look the same.
#[must_use]
pub fn sizes(one: u64, other: u64) -> (String, String) {
    let rounded = (size(one), size(other));
    if rounded.0 != rounded.1 {
        return rounded;
    }
    (format!("{one} bytes"), format!("{other} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits_that_matter() {
        let cases = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (31_000_000, "31 MB"),
            (986_400_000, "986 MB"),
            (8_000_000_000, "8.0 GB"),
            (15_931_539_456, "16 GB"),
            (u64::MAX, "18447 PB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn sizes_that_differ_look_different() {
        let text = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(sizes(20_000_001, 7), text("20 MB", "7 bytes"));
        assert_eq!(
            sizes(20_000_001, 20_000_000),
            text("20000001 bytes", "20000000 bytes")
        );
    }
}
