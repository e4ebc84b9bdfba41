//! What others do while a write is on its way.

use std::fmt;
use std::sync::{Arc, Mutex};

type Act = Box<dyn FnOnce() + Send>;

/// What happens during the next write.
#[derive(Clone, Default)]
pub(super) struct Others(Arc<Mutex<Option<(Act, Act)>>>);

impl Others {
    pub fn expect(&self, before: Act, after: Act) {
        *self.0.lock().unwrap() = Some((before, after));
    }

    /// Lets them act around `write`, once.
    pub fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        let expected = self.0.lock().unwrap().take();
        let Some((before, after)) = expected else {
            return write();
        };
        before();
        let written = write();
        after();
        written
    }
}

impl fmt::Debug for Others {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Others")
    }
}
