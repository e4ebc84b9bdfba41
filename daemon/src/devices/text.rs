//! Texts that a device says about itself, made fit to be shown.

use std::fmt::Write;

/// The most characters kept of such a text.
const MAX_CHARS: usize = 128;

/// A text for people: trimmed, shortened, and with everything that could rewrite the line it
/// stands in (control characters, direction marks) spelled out as `\u{…}`.
pub fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.trim().chars().take(MAX_CHARS) {
        if needs_escape(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Undoes udev's `\xNN` encoding of the `*_ENC` properties (libudev's `encode_devnode_name`);
/// bytes that are no UTF-8 become U+FFFD.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match escaped_byte(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped_byte(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"\\x")?.get(..2)?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn udev_encoding_is_undone() {
        assert_eq!(decode(r"Cruzer\x20Blade\x20\x20"), "Cruzer Blade  ");
        assert_eq!(decode(r"a\x2fb\x5cx41"), r"a/b\x41");
        assert_eq!(decode(r"\xff\x"), "\u{FFFD}\\x");
        assert_eq!(decode(r"\xZZ"), r"\xZZ");
    }

    #[test]
    fn nothing_shown_rewrites_its_line() {
        assert_eq!(shown(" My stick\0 \n"), "My stick\\u{0}");
        assert_eq!(shown("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(shown("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(shown("%n%s </tt> $(x); ../"), "%n%s </tt> $(x); ../");
        assert_eq!(shown(&"ü".repeat(999)).chars().count(), MAX_CHARS);
    }

    proptest! {
        #[test]
        fn any_text_is_made_harmless(text: String) {
            let shown = shown(&decode(&text));
            prop_assert!(!shown.contains(needs_escape));
        }
    }
}
