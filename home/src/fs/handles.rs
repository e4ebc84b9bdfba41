//! Open files as the kernel sees them.
//!
//! With FUSE passthrough (Linux 6.9, docs.kernel.org/filesystems/fuse-passthrough.html) the kernel
//! reads and maps the lower file by itself. All opens of one inode must then share one backing, or
//! none have any; the first open decides for as long as any is left. Whether writes also go to the
//! lower file by themselves is for each open to say.

use crate::ids::Ino;
use fuser::BackingId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How an open file is served.
#[derive(Clone, Debug)]
pub(super) enum Backed {
    /// By the kernel, from the lower file.
    Direct(Arc<BackingId>),
    /// By us past the page cache: the kernel has a lower file of a stick that was pulled.
    Lost(Arc<BackingId>),
    /// By us, through the page cache.
    Cached,
}

/// All opens of one inode.
#[derive(Debug)]
struct Opens {
    backed: Backed,
    count: u64,
    /// How often the stick had come back when the first was made.
    returns: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Handles {
    passthrough: AtomicBool,
    files: Mutex<HashMap<Ino, Opens>>,
}

impl Handles {
    pub(super) fn new(passthrough: bool) -> Self {
        Self {
            passthrough: AtomicBool::new(passthrough),
            files: Mutex::default(),
        }
    }

    pub(super) fn passthrough(&self) -> bool {
        self.passthrough.load(Ordering::Relaxed)
    }

    pub(super) fn set_passthrough(&self, able: bool) {
        self.passthrough.store(able, Ordering::Relaxed);
    }

    /// Counts an open of `ino` on a stick that had come back so often before; the first is served
    /// directly if `back` finds a way.
    pub(super) fn open(
        &self,
        ino: Ino,
        returns: u64,
        back: impl FnOnce() -> Option<BackingId>,
    ) -> Backed {
        let mut files = lock(&self.files);
        let opens = files.entry(ino).or_insert_with(|| {
            let id = if self.passthrough() { back() } else { None };
            Opens {
                backed: id.map_or(Backed::Cached, |id| Backed::Direct(Arc::new(id))),
                count: 0,
                returns,
            }
        });
        opens.count += 1;
        match &opens.backed {
            Backed::Direct(id) if opens.returns != returns => Backed::Lost(Arc::clone(id)),
            backed => backed.clone(),
        }
    }

    pub(super) fn close(&self, ino: Ino) {
        let mut files = lock(&self.files);
        if let Some(opens) = files.get_mut(&ino) {
            opens.count -= 1;
            if opens.count == 0 {
                files.remove(&ino);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
