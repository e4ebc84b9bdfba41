//! How far long work has got, on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Time between two looks at the clock's face.
const STEP: Duration = Duration::from_millis(200);

/// One line that is written over and over; nothing where nobody looks.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    shown: Option<Instant>,
    visible: bool,
}

impl Progress {
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            shown: None,
            visible: std::io::stderr().is_terminal(),
        }
    }

    pub fn show(&mut self, names: u64, bytes: u64) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= STEP);
        if self.visible && due {
            self.shown = Some(Instant::now());
            let (what, megabytes) = (self.what, bytes / 1_000_000);
            eprint!("\r{names} names, {megabytes} MB {what}\x1b[K");
            // A progress line that fails to appear is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    }

    pub fn end(&mut self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
