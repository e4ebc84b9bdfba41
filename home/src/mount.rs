//! Mounting a home and keeping it until the orderly end.

use crate::fs::HomeFs;
use crate::home::Home;
use crate::medium::Medium;
use fuser::{Config, MountOption, Notifier, Session, SessionACL, SessionUnmounter};
use nix::sys::signal::{SigSet, Signal};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

mod keeper;

use keeper::Keeper;

/// What the mount table gives as the source of a home.
pub const SOURCE: &str = "wendy-home";

/// How a home is mounted.
#[derive(Clone, Copy, Debug)]
pub struct MountOptions {
    /// Time between regular commits: what a pulled stick may lose of names and attributes, and of
    /// content if it is fast enough.
    pub commit: Duration,
    /// Regular commits without any change after which names are settled.
    pub idle_commits: u32,
    /// Whether names are settled with every commit, for sticks that are often just pulled.
    pub settle_now: bool,
    /// Whether the kernel may use lower files directly.
    pub passthrough: bool,
    /// Whether the kernel refuses all changes.
    pub read_only: bool,
    /// Threads that answer the kernel.
    pub threads: usize,
    /// What to do when asked to end while files are open. Everything is made durable after it; as
    /// long as the mount stays, the next request tries again.
    pub when_busy: fn(&Path),
}

impl Default for MountOptions {
    fn default() -> Self {
        Self {
            commit: Duration::from_secs(5),
            idle_commits: 2,
            settle_now: false,
            read_only: false,
            passthrough: true,
            threads: 4,
            when_busy: |_| tracing::error!("in use, cannot unmount now; ask again"),
        }
    }
}

/// Serves `home` at `target` until it is unmounted or the process is asked to end; then makes
/// everything durable. `ready` runs once the mount can be used, and fails or not as a whole with
/// it; it gets what others may need who work on the home meanwhile.
///
/// Must be called before any other thread exists: signals are blocked in all of them.
///
/// # Errors
/// Those of mount(2) and of the medium.
pub fn serve<M: Medium>(
    home: Home<M>,
    target: &Path,
    options: MountOptions,
    ready: impl FnOnce(&Arc<Home<M>>, Notifier) -> io::Result<()>,
) -> io::Result<()> {
    let signals = block_signals()?;
    let home = Arc::new(home);
    let filesystem = HomeFs::new(Arc::clone(&home), options.passthrough);
    let mut session = Session::new(filesystem, target, &config(options))?;
    let (mut unmounter, mounted) = (session.unmount_callable(), target.to_owned());
    let served = Arc::clone(&home);
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            while signals.wait().is_ok() {
                unmount_or_flush(&served, &mut unmounter, &mounted, options.when_busy);
            }
        })?;
    let keeper = Keeper::start(&home, options)?;
    ready(&home, session.notifier())?;
    let served = session.run();
    keeper.end();
    let closed = home.close().map_err(io::Error::from);
    served.and(closed)
}

/// Unmounts, or makes everything durable where that is not possible now.
fn unmount_or_flush<M: Medium>(
    home: &Home<M>,
    unmounter: &mut SessionUnmounter,
    mounted: &Path,
    when_busy: fn(&Path),
) {
    let unmounted = match unmount(mounted, UnmountFlags::empty()) {
        // Only fusermount can without privilege.
        Err(Errno::PERM) => unmounter.unmount(),
        other => other.map_err(io::Error::from),
    };
    if let Err(error) = unmounted {
        tracing::warn!(%error, "cannot unmount");
        when_busy(mounted);
        report(home.flush(), "flush");
    }
}

fn config(options: MountOptions) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(SOURCE.into()),
        MountOption::Subtype("wendy".into()),
        MountOption::DefaultPermissions,
        MountOption::NoSuid,
        MountOption::NoDev,
    ];
    config
        .mount_options
        .extend(options.read_only.then_some(MountOption::RO));
    config.acl = SessionACL::All;
    config.n_threads = Some(options.threads.max(1));
    config
}

fn report(result: crate::home::Result<()>, what: &str) {
    if let Err(error) = result {
        tracing::error!(%error, "cannot {what}");
    }
}

pub(crate) fn block_signals() -> io::Result<SigSet> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    Ok(signals)
}
