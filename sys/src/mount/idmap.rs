//! Idmapped mounts: files that belong to one number on a medium and to another one here.

use std::{
    fs::File,
    io::Write as _,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command, Stdio},
};

use nix::sched::{CloneFlags, unshare};

use super::{DetachedMount, set_attributes};
use crate::{Result, error::Context as _, tool};

/// Numbers there are; the last one stands for none.
const NUMBERS: u32 = u32::MAX;

/// Lets the files of user and group `theirs` appear as those of `ours` and the other way round; all
/// other numbers stay (mount_setattr(2), `MOUNT_ATTR_IDMAP`, Linux 5.12 on ext4).
///
/// To be done before the mount is attached. Needs `CAP_SYS_ADMIN`, and for the map `CAP_SETUID`,
/// `CAP_SETGID` and `CAP_SETFCAP`, since root's number is in it (user_namespaces(7)).
pub fn exchange_owner(mount: &DetachedMount, theirs: (u32, u32), ours: (u32, u32)) -> Result<()> {
    if theirs == ours {
        return Ok(());
    }
    let namespace = namespace(&map(theirs.0, ours.0), &map(theirs.1, ours.1))?;
    set(mount.tree(), namespace.as_fd())
}

/// Lines of a map in which two numbers have changed places.
fn map(one: u32, other: u32) -> String {
    let (low, high) = (one.min(other), one.max(other));
    if low == high {
        return format!("0 0 {NUMBERS}\n");
    }
    let ranges = [
        (0, 0, low),
        (low, high, 1),
        (low + 1, low + 1, high - low - 1),
        (high, low, 1),
        (high + 1, high + 1, NUMBERS - high - 1),
    ];
    let lines = ranges.iter().filter(|(.., count)| *count > 0);
    lines
        .map(|(inside, outside, count)| format!("{inside} {outside} {count}\n"))
        .collect()
}

/// A user namespace with these maps. It lasts as long as its descriptor.
fn namespace(users: &str, groups: &str) -> Result<OwnedFd> {
    let mut holder = holder()?;
    let made = describe(&holder, users, groups);
    // It ends with its input.
    drop(holder.stdin.take());
    holder.wait().during(|| "end a helper".into())?;
    made
}

/// A process in a user namespace of its own that waits for the end of its input.
#[allow(unsafe_code)]
fn holder() -> Result<Child> {
    #[allow(
        clippy::disallowed_methods,
        reason = "the runner of tools waits for their end; this one has to be there meanwhile"
    )]
    let mut command = Command::new(tool::find("cat")?);
    command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: between fork and exec the closure makes one system call; it neither allocates nor
    // locks.
    unsafe { command.pre_exec(|| Ok(unshare(CloneFlags::CLONE_NEWUSER)?)) };
    command
        .spawn()
        .during(|| "start a process in a user namespace".into())
}

fn describe(holder: &Child, users: &str, groups: &str) -> Result<OwnedFd> {
    let process = format!("/proc/{}", holder.id());
    for (name, map) in [("uid_map", users), ("gid_map", groups)] {
        let path = format!("{process}/{name}");
        let file = File::options().write(true).open(&path);
        // The kernel takes a map in one write only.
        file.and_then(|mut file| file.write_all(map.as_bytes()))
            .during(|| format!("write {path}"))?;
    }
    let path = format!("{process}/ns/user");
    Ok(File::open(&path).during(|| format!("open {path}"))?.into())
}

fn set(mount: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: u64::try_from(namespace.as_raw_fd()).unwrap_or_default(),
    };
    set_attributes(mount, &attributes).during(|| "map the owners of a mount".into())
}

#[cfg(test)]
mod tests {
    use super::{NUMBERS, map};

    #[test]
    fn a_map_holds_every_number_once_on_both_sides() {
        for (one, other) in [
            (0, 0),
            (0, 1),
            (1000, 1001),
            (1001, 0),
            (5, 70_000),
            (0, NUMBERS - 1),
        ] {
            let lines = map(one, other);
            let ranges = lines.lines().map(|line| {
                let fields: Vec<u32> = line.split(' ').map(|it| it.parse().unwrap()).collect();
                (fields[0], fields[1], fields[2])
            });
            let ranges: Vec<_> = ranges.collect();
            let sum: u64 = ranges.iter().map(|range| u64::from(range.2)).sum();
            assert_eq!(sum, u64::from(NUMBERS), "{lines}");
            let of = |number: u32| {
                let mut hits = ranges
                    .iter()
                    .filter(|(inside, _, count)| number >= *inside && number - inside < *count);
                let (inside, outside, _) = hits.next().unwrap();
                assert!(hits.next().is_none(), "{lines}");
                outside + (number - inside)
            };
            assert_eq!((of(one), of(other)), (other, one), "{lines}");
            assert_eq!(of(123_456), 123_456);
        }
    }
}
