//! JSON for programs: on one line, in ASCII.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// A value on one line. Everything beyond ASCII is escaped, which loses nothing and cannot upset a
/// terminal.
pub fn line(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Ascii);
    value
        .serialize(&mut serializer)
        .expect("the views have string keys and finite numbers");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// A value laid out for reading, otherwise like [`line()`].
pub fn pretty(value: &impl Serialize) -> String {
    let value: serde_json::Value =
        serde_json::from_str(&line(value)).expect("a line is valid JSON");
    let text = serde_json::to_string_pretty(&value).expect("a value has string keys");
    text.lines().map(crate::safe).collect::<Vec<_>>().join("\n")
}

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        for c in fragment.chars() {
            if c.is_ascii() && c != '\x7f' {
                write!(writer, "{c}")?;
            } else {
                let mut units = [0; 2];
                c.encode_utf16(&mut units)
                    .iter()
                    .try_for_each(|u| write!(writer, "\\u{u:04x}"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_exact_and_ascii() {
        let text = "a\"\\\n\x1b\u{7f}é\u{202e}🙂";
        let json = line(&text);
        assert!(json.is_ascii() && !json.contains(char::is_control));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
