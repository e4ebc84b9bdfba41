//! How far long work has got, on a terminal.

use super::say;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use wendy_text::size;

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

    /// So many names and bytes are done.
    pub fn show(&mut self, names: u64, bytes: u64) {
        if self.is_due() {
            let (names, bytes) = (say::names(names), size(bytes));
            line(&format!("{names}, {bytes} {}", self.what));
        }
    }

    /// So many bytes are written, of so many.
    pub fn show_part(&mut self, done: u64, all: u64) {
        if self.is_due() {
            let (done, all) = (size(done), size(all));
            line(&format!("{done} of {all} written"));
        }
    }

    /// What goes on now.
    pub fn say(&mut self, what: &str) {
        if self.visible {
            self.shown = Some(Instant::now());
            line(what);
        }
    }

    pub fn end(&mut self) {
        if self.shown.is_some() {
            line("");
        }
    }

    fn is_due(&mut self) -> bool {
        let due = self.visible && self.shown.is_none_or(|shown| shown.elapsed() >= STEP);
        if due {
            self.shown = Some(Instant::now());
        }
        due
    }
}

/// A line that shows that something goes on, of which nobody hears how far it is, until it is dropped.
#[derive(Debug)]
pub struct Waiting(Option<(Sender<()>, JoinHandle<()>)>);

impl Waiting {
    /// Says `what` goes on, for how long, and how many names were `seen` if they are counted.
    pub fn new(what: &'static str, seen: Option<Arc<AtomicU64>>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let (stop, stopped) = channel();
        let keep_on = move || {
            let begun = Instant::now();
            loop {
                line(&waiting(what, begun.elapsed(), seen.as_deref()));
                if stopped.recv_timeout(STEP) != Err(RecvTimeoutError::Timeout) {
                    return line("");
                }
            }
        };
        Self(Some((stop, thread::spawn(keep_on))))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((stop, shows)) = self.0.take() {
            drop(stop);
            // A progress line that fails is no reason to stop.
            let _ = shows.join();
        }
    }
}

fn waiting(what: &str, since: Duration, seen: Option<&AtomicU64>) -> String {
    let (seconds, seen) = (
        since.as_secs(),
        seen.map(|seen| seen.load(Ordering::Relaxed)),
    );
    match seen {
        Some(seen) if seen > 0 => format!("{what}: {}, {seconds} s", say::names(seen)),
        _ => format!("{what}: {seconds} s"),
    }
}

fn line(text: &str) {
    eprint!("\r{text}\x1b[K");
    // A progress line that fails to appear is no reason to stop.
    let _ = std::io::stderr().flush();
}
