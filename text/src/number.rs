//! Numbers of things.

/// A number of things: `1 file`, `1,203 files`.
#[must_use]
pub fn things(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
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
    fn one_of_them_is_no_plural() {
        assert_eq!(things(1, "name", "names"), "1 name");
        assert_eq!(things(0, "name", "names"), "0 names");
        assert_eq!(things(1_000_000, "file", "files"), "1,000,000 files");
    }
}
