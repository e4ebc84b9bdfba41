//! A shared flag that asks a long operation to stop.

use std::{
    fmt,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::event::{EventfdFlags, eventfd};

use crate::{Error, Result, error::Context};

/// A request to stop, shared between the one who asks and those who work.
///
/// Clones share the same flag. Once set it stays set.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    requested: AtomicBool,
    /// Made by the first worker that has to sleep; readable from the request on.
    bell: OnceLock<OwnedFd>,
}

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody who holds a clone to stop.
    pub fn cancel(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
        if let Some(bell) = self.0.bell.get() {
            ring(bell.as_fd());
        }
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.requested.load(Ordering::SeqCst)
    }

    /// Returns [`Error::Cancelled`] once somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    /// A descriptor that becomes readable at the request, for use with `poll`. Never read from it.
    pub fn bell(&self) -> Result<BorrowedFd<'_>> {
        if self.0.bell.get().is_none() {
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            let fd = eventfd(0, flags).during(|| "create an eventfd".into())?;
            // Losing the race against another worker is fine: both use the winner's descriptor.
            let _ = self.0.bell.set(fd);
        }
        let bell = self.0.bell.get().expect("set just above").as_fd();
        if self.is_cancelled() {
            ring(bell);
        }
        Ok(bell)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

/// Can only fail when the counter is full, and then the bell rings already.
fn ring(bell: BorrowedFd<'_>) {
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn rings(cancel: &Cancel) -> bool {
        let bell = cancel.bell().unwrap();
        let mut fds = [PollFd::new(&bell, PollFlags::IN)];
        poll(
            &mut fds,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )
        .unwrap()
            == 1
    }

    #[test]
    fn clones_share_the_request() {
        let cancel = Cancel::new();
        let clone = cancel.clone();
        assert!(cancel.check().is_ok() && !rings(&clone));
        cancel.cancel();
        assert!(matches!(clone.check(), Err(Error::Cancelled)));
        assert!(rings(&clone));
    }

    #[test]
    fn a_bell_made_after_the_request_rings() {
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(rings(&cancel));
    }
}
