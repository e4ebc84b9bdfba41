//! Asking a person, and nobody else.
//!
//! The question goes to the controlling terminal and the answer comes from there, so a pipe, a file
//! or a program that feeds standard input can never agree to anything.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};

use crate::error::{Exit, Failure};

/// Longest answer that is read.
const LONGEST_ANSWER: u64 = 256;

/// Asks, and comes back only if the answer is one of those that agree.
///
/// # Errors
///
/// `NotAgreed` for any other answer, or with `advice` when there is no terminal.
pub fn ask(question: &str, agreeing: &[&str], advice: &str) -> Result<(), Failure> {
    let mut terminal = open_terminal(advice)?;
    write!(terminal, "{question} ")?;
    terminal.flush()?;
    let answer = read_answer(&terminal)?;
    if agreeing.contains(&answer.trim()) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NotAgreed,
        "not agreed, nothing was changed",
    ))
}

fn open_terminal(advice: &str) -> Result<File, Failure> {
    let nobody = |_| {
        let message = "there is no terminal to ask on, nothing was changed";
        Failure::new(Exit::NotAgreed, message).advise(advice)
    };
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(nobody)
}

fn read_answer(terminal: &File) -> Result<String, Failure> {
    let mut answer = Vec::new();
    BufReader::new(terminal.take(LONGEST_ANSWER)).read_until(b'\n', &mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
