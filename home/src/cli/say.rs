//! What is said on standard output and standard error.
//!
//! Everything a person reads passes here: no name from a stick or an archive steers the terminal, and
//! a reader that leaves is no trouble.

use super::failure::Failure;
use serde::Serialize;
use std::io::{self, Write as _};

/// A line for a person.
///
/// # Errors
/// Those of standard output.
pub fn line(text: impl AsRef<str>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", safe(text.as_ref()))
}

/// An object for a program.
///
/// # Errors
/// Those of standard output.
pub fn object(value: &impl Serialize) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", to_json(value)?)
}

/// Why something did not work; nothing if it was a reader that left.
pub fn failure(error: &anyhow::Error, exit_status: u8, json: bool) {
    if is_left_alone(error) {
        return;
    }
    let message = sentence(error);
    if json {
        let failure = Failure::new(error, exit_status, message);
        eprintln!("{}", to_json(&failure).unwrap_or_default());
    } else {
        eprintln!("wendy-home: {}", safe(&message));
    }
}

/// JSON of printable ASCII, because programs are run on terminals as well.
pub fn to_json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut out = String::new();
    for c in serde_json::to_string(value)?.chars() {
        if matches!(c, ' '..='~') {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Ok(out)
}

/// An error with its causes, without those that it tells in its own words already.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

fn is_left_alone(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The text with control characters, and those that turn or hide others, written out.
fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that change how others are shown (Unicode Standard Annex #9), or show nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_is_told_twice() {
        let error = wendy_home::image::ImageError::Io(io::ErrorKind::NotFound.into());
        let error = anyhow::Error::from(error).context("cannot look");
        assert_eq!(sentence(&error), "cannot look: home.img: entity not found");
    }

    #[test]
    fn json_is_exact_and_printable() {
        let name = "Été\u{7f}\u{9b}\u{202e}\n😀\"\\";
        let said = to_json(&name).unwrap();
        assert!(said.chars().all(|c| matches!(c, ' '..='~')), "{said}");
        assert_eq!(serde_json::from_str::<String>(&said).unwrap(), name);
    }

    #[test]
    fn a_terminal_is_never_told_what_to_do() {
        assert_eq!(safe("\x1b[2Jx\n\u{9b}"), "\\u{1b}[2Jx\\u{a}\\u{9b}");
        assert_eq!(safe("good\u{202e}lave"), "good\\u{202e}lave");
        assert_eq!(safe("Été 報告書"), "Été 報告書");
    }
}
