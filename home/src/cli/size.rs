//! Sizes as people type them.

/// `2G`, `1.5GiB`, `700M`: units of 1024, as for filesystems and mke2fs(8). A number alone is bytes.
///
/// # Errors
/// What a size looks like.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || String::from("a size is a number and K, M, G or T, as in 900M or 2G");
    let text = text.trim().to_ascii_lowercase();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let power = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let scale = 1024u128.pow(power);
    let whole: u128 = whole.parse().map_err(|_| wrong())?;
    let fraction = fraction.get(..fraction.len().min(9)).unwrap_or_default();
    let tenths = u32::try_from(fraction.len()).map_err(|_| wrong())?;
    let fraction: u128 = fraction.parse().map_err(|_| wrong())?;
    let bytes = whole.saturating_mul(scale) + fraction * scale / 10u128.pow(tenths);
    u64::try_from(bytes).map_err(|_| String::from("this is larger than any stick"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_read_as_people_type_them() {
        for (text, bytes) in [
            ("4096", 4096),
            ("16M", 16 << 20),
            ("1.5 GiB", 3 << 29),
            ("2g", 2 << 30),
            ("1tb", 1 << 40),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "G", "-1", "1X", "1.", "1.2.3G", "99999999999999999999T"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
