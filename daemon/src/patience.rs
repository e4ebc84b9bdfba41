//! Waiting a moment for what is about to become free.

use std::{
    thread,
    time::{Duration, Instant},
};

use wendy_sys::{Errno, Error, Result};

const PAUSE: Duration = Duration::from_millis(20);

/// How long a device may stay claimed by what is already over.
pub const FOR_DEVICE: Duration = Duration::from_secs(5);

/// How long somebody may look at a device that has just changed.
pub const FOR_LOCK: Duration = Duration::from_secs(10);

/// Seconds until the next attempt on what may become free without any event: ever more, and then no
/// more, because an idle daemon does not wake.
pub const EVER_RARER: [u64; 6] = [1, 2, 4, 8, 16, 32];

/// Tries again while something is busy, for as long as `patience`.
///
/// A filesystem that was just unmounted holds its device until every copy of its descriptor is
/// closed, those in a program that is being started included; udev looks at a new medium at once; and
/// whoever tries to attach a file to a loop device that is taken claims it for that moment.
///
/// # Errors
/// Of the last attempt.
pub fn patiently<T>(patience: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && Instant::now() < deadline => thread::sleep(PAUSE),
            other => return other,
        }
    }
}

/// What a held device and a held lock say, and mkfs.ext4 before it writes anything.
fn is_busy(error: &Error) -> bool {
    match error {
        Error::Tool { stderr_tail, .. } => stderr_tail.contains("apparently in use by the system"),
        _ => matches!(
            error.errno(),
            Some(Errno::BUSY | Errno::AGAIN | Errno::INTR)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(errno: Errno) -> Result<()> {
        Err(wendy_sys::Error::Os {
            what: "test".to_owned(),
            source: errno.into(),
        })
    }

    #[test]
    fn what_is_busy_is_tried_again() {
        let mut attempts = 0;
        let result = patiently(FOR_DEVICE, || {
            attempts += 1;
            if attempts < 3 {
                failing(Errno::BUSY)
            } else {
                Ok(())
            }
        });
        assert!(result.is_ok() && attempts == 3);
    }

    #[test]
    fn other_failures_are_not() {
        let mut attempts = 0;
        let result = patiently(FOR_DEVICE, || {
            attempts += 1;
            failing(Errno::IO)
        });
        assert!(result.is_err() && attempts == 1);
    }
}
