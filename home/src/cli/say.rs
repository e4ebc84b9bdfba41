//! What is said on standard output and standard error.
//!
//! Everything a person reads passes here: no name from a stick or an archive steers the terminal, and
//! a reader that leaves is no trouble.

use super::failure::Failure;
use serde::Serialize;
use std::io::{self, Write as _};
use wendy_text::{json, safe, things};

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
    writeln!(io::stdout().lock(), "{}", json::line(value))
}

/// Why something did not work; nothing if it was a reader that left.
pub fn failure(error: &anyhow::Error, exit_status: u8, as_json: bool) {
    if is_left_alone(error) {
        return;
    }
    let message = sentence(error);
    if as_json {
        let failure = Failure::new(error, exit_status, message);
        eprintln!("{}", json::line(&failure));
    } else {
        eprintln!("wendy-home: {}", safe(&message));
    }
}

/// A number of names.
pub fn names(number: u64) -> String {
    things(number, "name", "names")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_is_told_twice() {
        let error = wendy_home::image::ImageError::Io(io::ErrorKind::NotFound.into());
        let error = anyhow::Error::from(error).context("cannot look");
        assert_eq!(sentence(&error), "cannot look: home.img: entity not found");
    }
}
