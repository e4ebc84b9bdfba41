//! What a login that waits is told: that its home is there, or why it goes on without. In time, however
//! long the work takes.

use super::place::Place;
use super::too_late;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The answer to one login, given once.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    place: Arc<Place>,
    decided: Arc<AtomicBool>,
}

impl Answer {
    /// An answer that is no, if it is not [decided](Self::decide) as long as the login waits.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub(super) fn within_patience(place: &Arc<Place>) -> io::Result<Self> {
        let answer = Self {
            place: Arc::clone(place),
            decided: Arc::default(),
        };
        if let Some(waiting) = place.waiting() {
            let late = answer.clone();
            thread::Builder::new()
                .name("patience".into())
                .spawn(move || {
                    thread::sleep(waiting.left());
                    if let Err(error) = late.refuse(&too_late()) {
                        tracing::error!(%error, "cannot tell the login that it is too late");
                    }
                })?;
        }
        Ok(answer)
    }

    /// Whether it is for the caller to give: nobody has, and somebody waits for it.
    pub(super) fn decide(&self) -> bool {
        self.place.waiting().is_some() && !self.decided.swap(true, Ordering::AcqRel)
    }

    /// Says why there is no home, unless it is too late to say anything.
    ///
    /// # Errors
    /// Those of the files in `/run`.
    pub(super) fn refuse(&self, why: &str) -> io::Result<()> {
        if self.decided.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.tell(why)
    }

    /// Says something and lets the login go on: systemd hears of it, or the hook that waits for the end
    /// of our standard output.
    ///
    /// # Errors
    /// Those of the files in `/run`.
    pub(super) fn tell(&self, text: &str) -> io::Result<()> {
        self.place.say(text).map_err(io::Error::other)?;
        sd_notify::notify(&[sd_notify::NotifyState::Ready])?;
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let nothing = rustix::fs::open("/dev/null", flags, Mode::empty())?;
        Ok(rustix::stdio::dup2_stdout(nothing)?)
    }
}
