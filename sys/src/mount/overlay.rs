//! Overlays for tests, which look at a saved session as the system that it starts would.

use std::{os::fd::BorrowedFd, path::Path};

use super::{DetachedMount, MountFlags, context::Context};
use crate::{Result, block::proc_path};

/// The directories of an overlay, as descriptors.
#[derive(Clone, Copy, Debug)]
pub struct OverlayDirs<'a> {
    /// Lower directories, uppermost first.
    pub lowers: &'a [BorrowedFd<'a>],
    /// Upper and work directory on one filesystem; without them the overlay is read-only.
    pub upper_and_work: Option<(BorrowedFd<'a>, BorrowedFd<'a>)>,
}

/// Mounts an overlay of directories that need no place in the tree.
///
/// The directories themselves must be on mounts that have one before Linux 6.15.
pub fn overlay_detached(
    dirs: OverlayDirs<'_>,
    params: &[(&str, Option<&str>)],
    flags: MountFlags,
) -> Result<DetachedMount> {
    // The paths lead to the descriptors, so nothing has to be escaped and the 256 bytes that one
    // parameter may have are enough for more than ten layers.
    let lowers: Vec<_> = dirs.lowers.iter().map(|fd| proc_path(*fd)).collect();
    let lowers: Vec<_> = lowers.iter().map(|path| path.as_os_str()).collect();
    let mut context = Context::open("overlay", Some(Path::new("overlay")))?;
    context.set("lowerdir", Some(Path::new(&lowers.join(":".as_ref()))))?;
    if let Some((upper, work)) = dirs.upper_and_work {
        context.set("upperdir", Some(&proc_path(upper)))?;
        context.set("workdir", Some(&proc_path(work)))?;
    }
    for &(name, value) in params {
        context.set(name, value.map(Path::new))?;
    }
    context.mount(flags)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsFd};

    use super::*;
    use crate::{
        dir::{entries, make_dir, write_atomic},
        testing::is_root,
    };

    #[test]
    fn an_overlay_is_put_together_from_descriptors() {
        if !is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let place = File::open(directory.path()).unwrap();
        let lower = make_dir(&place, "lower", 0o755).unwrap();
        write_atomic(&lower, "from below", b"1", 0o600).unwrap();
        let data = make_dir(&place, "upper", 0o755).unwrap();
        let work = make_dir(&place, "work", 0o755).unwrap();
        let lowers = [lower.as_fd()];
        let dirs = OverlayDirs {
            lowers: &lowers,
            upper_and_work: Some((data.as_fd(), work.as_fd())),
        };
        let merged = overlay_detached(dirs, &[], MountFlags::default()).unwrap();
        write_atomic(&merged, "from above", b"2", 0o600).unwrap();
        let names: Vec<_> = entries(&merged)
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["from above", "from below"]);
        assert_eq!(entries(&data).unwrap().len(), 1);
    }
}
