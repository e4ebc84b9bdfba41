//! Whether a stick takes what is written to it and the programs that check it go on, asked of the kernel
//! without touching the stick.

use super::place::Place;
use std::fs;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use wendy_sys::{DevNum, block::sectors_written};

/// How often the server looks.
const BETWEEN: Duration = Duration::from_secs(10);
/// What systemd is asked for each time, in microseconds: `TimeoutStopSec=` of the unit.
const MORE: u32 = 180_000_000;

/// What the stick that is mounted for somebody had taken when last asked.
#[derive(Debug)]
pub(super) struct Pace<'a> {
    place: &'a Place,
    /// It is unmounted before its last user lets go of it.
    device: Option<DevNum>,
    sectors: Option<u64>,
}

impl<'a> Pace<'a> {
    /// That of the stick mounted at `place`.
    pub(super) fn of(place: &'a Place) -> Self {
        let mut pace = Self {
            place,
            device: None,
            sectors: None,
        };
        pace.goes_on();
        pace
    }

    /// Whether it has taken something since last asked.
    pub(super) fn goes_on(&mut self) -> bool {
        self.device = self.place.device().or(self.device);
        let sectors = self.device.and_then(|device| sectors_written(device).ok());
        std::mem::replace(&mut self.sectors, sectors) != sectors
    }
}

/// The programs that this process runs to check filesystems and repair them.
#[derive(Debug, Default)]
struct Checks {
    moved: Vec<String>,
}

impl Checks {
    /// Whether one of them has read or written something since last asked.
    fn go_on(&mut self) -> bool {
        let moved = moved_by_children();
        let goes_on = !moved.is_empty() && moved != self.moved;
        self.moved = moved;
        goes_on
    }
}

/// What each child of this process has read and written so far (proc(5), `children` and `io`).
fn moved_by_children() -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let children = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: String = children.collect();
    let children = children.split_whitespace();
    let moved = |child| fs::read_to_string(format!("/proc/{child}/io")).ok();
    children.filter_map(moved).collect()
}

/// Asks systemd for more time as long as the stick takes something or a check of it goes on. A server that
/// was asked to end still has to write what is left, and must not be killed for that; nor must what repairs
/// the stick for it.
///
/// # Errors
/// Those of starting a thread.
pub(super) fn tell_systemd(place: &Arc<Place>) -> io::Result<()> {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(());
    }
    let place = Arc::clone(place);
    let work = move || {
        let (mut pace, mut checks) = (Pace::of(&place), Checks::default());
        loop {
            thread::sleep(BETWEEN);
            if pace.goes_on() | checks.go_on() {
                ask_for_more();
            }
        }
    };
    thread::Builder::new()
        .name("pace".into())
        .spawn(work)
        .map(drop)
}

fn ask_for_more() {
    let more = sd_notify::NotifyState::ExtendTimeoutUsec(MORE);
    if let Err(error) = sd_notify::notify(&[more]) {
        tracing::warn!(%error, "cannot ask for more time");
    }
}
