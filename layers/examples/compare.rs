//! Measures copies of an ordinary upper against the tools people use for it, each with the sync
//! that makes it worth something, in turns on fresh filesystems. Needs root, rsync and e2fsprogs.

use std::error::Error;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::CWD;
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount,
};
use wendy_layers::testing::{Disk, Mounted, ordinary_upper, tmpfs, tool};
use wendy_layers::{Exclude, Job, Unattended, copy, refresh};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 2;
const DISK: u64 = 2 << 30;

fn main() -> Outcome<()> {
    hide_mounts()?;
    let source = Visible::new(tmpfs()?)?;
    std::fs::create_dir(source.path("upper"))?;
    let files = ordinary_upper(&source.path("upper"))?;
    println!("{} files", files.len());
    println!(
        "{}",
        tool("du", ["-sh".as_ref(), source.path("upper").as_os_str()])?
    );
    println!(
        "{}",
        tool(
            "sh",
            [
                "-c".into(),
                format!("find {} | wc -l", source.path("upper").display())
            ]
        )?
    );
    let upper = source.path("upper");
    for _ in 0..ROUNDS {
        if std::env::var_os("ONLY").is_some() {
            println!("wendy {:?}", first(|to| wendy(&upper, to))?);
            continue;
        }
        let cp = first(|to| cp(&upper, to))?;
        let rsync = first(|to| rsync(&upper, to))?;
        let tar = first(|to| tar(&upper, to))?;
        let wendy = first(|to| wendy(&upper, to))?;
        println!("cp {cp:?} rsync {rsync:?} tar {tar:?} wendy {wendy:?}");
    }
    Ok(())
}

fn first(copy: impl Fn(&Visible) -> Outcome<()>) -> Outcome<Duration> {
    let disk = Disk::format(DISK, "ext4", &[])?;
    let to = Visible::new(disk.mount()?)?;
    std::fs::create_dir(to.path("copy"))?;
    rustix::fs::syncfs(to.top.top())?;
    let start = Instant::now();
    copy(&to)?;
    let copied = start.elapsed();
    rustix::fs::syncfs(to.top.top())?;
    if std::env::var_os("PHASES").is_some() {
        println!("  copy {copied:?} all {:?}", start.elapsed());
    }
    Ok(start.elapsed())
}

fn cp(from: &Path, to: &Visible) -> Outcome<()> {
    tool(
        "cp",
        [
            "-a".as_ref(),
            from.join(".").as_os_str(),
            to.path("copy").as_os_str(),
        ],
    )?;
    Ok(())
}

fn rsync(from: &Path, to: &Visible) -> Outcome<()> {
    tool(
        "rsync",
        [
            "-aHAX".as_ref(),
            from.join("").as_os_str(),
            to.path("copy").as_os_str(),
        ],
    )?;
    Ok(())
}

fn tar(from: &Path, to: &Visible) -> Outcome<()> {
    let pipe = "tar --xattrs --xattrs-include='*' --acls -C \"$1\" -cf - . | tar --xattrs --xattrs-include='*' --acls -C \"$2\" -xpf -";
    tool(
        "sh",
        [
            "-c".as_ref(),
            pipe.as_ref(),
            "sh".as_ref(),
            from.as_os_str(),
            to.path("copy").as_os_str(),
        ],
    )?;
    Ok(())
}

fn wendy(from: &Path, to: &Visible) -> Outcome<()> {
    let (upper, dest) = (File::open(from)?, File::open(to.path("copy"))?);
    let exclude = Exclude::nothing();
    let job = Job {
        upper: upper.as_fd(),
        dest: dest.as_fd(),
        exclude: &exclude,
        progress: &Unattended,
        manifest: None,
    };
    let t = Instant::now();
    let copied = copy(&job, None)?;
    let t1 = t.elapsed();
    refresh(&job, &copied.index)?;
    if std::env::var_os("PHASES").is_some() {
        println!("  first {t1:?} second {:?}", t.elapsed() - t1);
    }
    Ok(())
}

/// A mount with a path of its own, which rsync insists on.
struct Visible {
    dir: tempfile::TempDir,
    top: Mounted,
}

impl Visible {
    fn new(top: Mounted) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&top, "", CWD, dir.path(), flags)?;
        Ok(Self { dir, top })
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }
}

impl Drop for Visible {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.dir.path(), UnmountFlags::DETACH) {
            eprintln!("{}: {error}", self.dir.path().display());
        }
    }
}

/// Keeps the mounts made here out of everybody else's sight.
fn hide_mounts() -> Outcome<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    Ok(mount_change("/", private)?)
}
