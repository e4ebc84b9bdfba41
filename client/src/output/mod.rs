//! What is printed: lines for people or JSON for programs, never both.
//!
//! Results go to standard output, questions, progress and failures elsewhere. Text from outside
//! passes through [`safe`](wendy_text::safe) before it gets here.

pub mod progress;
pub mod table;
pub mod units;
pub mod views;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use wendy_text::{json, safe};

use crate::error::Failure;
use table::Table;

/// Where and how to print.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    bold: bool,
    bars: bool,
}

impl Output {
    /// Looks at the terminal and at `NO_COLOR` and `TERM`.
    pub fn new(json: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            json,
            bold: !json && !dumb && !set("NO_COLOR") && io::stdout().is_terminal(),
            bars: !json && !dumb && io::stderr().is_terminal(),
        }
    }

    /// Whether a program reads this.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a progress bar can be drawn.
    pub fn has_bars(&self) -> bool {
        self.bars
    }

    /// A line for people.
    pub fn line(&self, text: impl Display) -> Result<(), Failure> {
        if self.json {
            Ok(())
        } else {
            Ok(writeln!(io::stdout().lock(), "{text}")?)
        }
    }

    /// A heading for people.
    pub fn heading(&self, text: impl Display) -> Result<(), Failure> {
        if self.bold {
            self.line(format!("\x1b[1m{text}\x1b[0m"))
        } else {
            self.line(text)
        }
    }

    /// A table for people, cut to the width of a terminal.
    pub fn table(&self, table: &Table) -> Result<(), Failure> {
        let mut lines = table.lines(terminal_width()).into_iter();
        lines.next().map_or(Ok(()), |head| self.heading(head))?;
        lines.try_for_each(|line| self.line(line))
    }

    /// An object for programs, on one line.
    pub fn object(&self, value: &impl Serialize) -> Result<(), Failure> {
        if self.json {
            Ok(writeln!(io::stdout().lock(), "{}", json::line(value))?)
        } else {
            Ok(())
        }
    }

    /// Something for people that is no result.
    pub fn note(&self, text: impl Display) {
        if !self.json {
            eprintln!("{text}");
        }
    }

    /// Why it did not work.
    pub fn failure(&self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        if self.json {
            eprintln!("{}", json::line(&views::FailureView::new(failure)));
            return;
        }
        eprintln!("wendyctl: {}", safe(&failure.message));
        if !failure.advice.is_empty() {
            eprintln!("          {}", safe(&failure.advice));
        }
    }
}

/// Columns of the terminal that standard output is, if it is one.
fn terminal_width() -> Option<usize> {
    let width = terminal_size::terminal_size_of(io::stdout())?.0;
    Some(usize::from(width.0))
}
