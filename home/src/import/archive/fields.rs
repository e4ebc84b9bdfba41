//! How an archive writes texts, numbers and times, in old headers and in those of pax.

use super::Extra;
use crate::ids::Time;
use std::str::FromStr;

/// Up to the first NUL.
pub fn text(field: &[u8]) -> Vec<u8> {
    let end = field.iter().position(|byte| *byte == 0);
    field[..end.unwrap_or(field.len())].to_vec()
}

/// A number in octal digits, or in GNU tar's base 256: a byte for the sign, then a two's complement.
pub fn number(field: &[u8]) -> Option<i64> {
    if let Some((mark @ (0x80 | 0xff), rest)) = field.split_first() {
        let sign = if *mark == 0xff { -1 } else { 0 };
        return rest.iter().try_fold(sign, |sum: i64, byte| {
            sum.checked_mul(256)?.checked_add(i64::from(*byte))
        });
    }
    let digits = field.trim_ascii_start();
    let digits = digits.split(|byte| matches!(byte, b' ' | 0)).next()?;
    digits.iter().try_fold(0i64, |sum, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        sum.checked_mul(8)?.checked_add(digit.into())
    })
}

/// A number in decimal digits.
pub fn decimal<T: FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Seconds with any number of decimals, also before 1970.
pub fn time(value: &[u8]) -> Option<Time> {
    let value = std::str::from_utf8(value).ok()?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let digits: String = decimals
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let (seconds, nanos): (i64, u32) = (whole.parse().ok()?, digits.parse().ok()?);
    if !whole.starts_with('-') || nanos == 0 {
        return Some(Time { seconds, nanos });
    }
    Some(Time {
        seconds: seconds.checked_sub(1)?,
        nanos: 1_000_000_000 - nanos,
    })
}

/// The `length key=value` lines of a pax header, up to the first that is none.
pub fn pax(bytes: &[u8]) -> Extra {
    let (mut rest, mut extra) = (bytes, Extra::new());
    while let Some((line, after)) = pax_line(rest) {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
            break;
        };
        extra.insert(line[..equals].to_vec(), line[equals + 1..].to_vec());
        rest = after;
    }
    extra
}

fn pax_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = decimal(&bytes[..space])?;
    let line = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    Some((line, &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_of_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   12 \0"), Some(0o12));
        assert_eq!(number(b"0000648\0"), None);
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\x02"), Some(258));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        let too_large = b"\x80\0\0\0\x80\0\0\0\0\0\0\0";
        assert_eq!(number(too_large), None);
    }
}
