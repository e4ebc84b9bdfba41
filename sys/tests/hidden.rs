//! The upper layer of a system whose initramfs left it without a path is found again.
//!
//! The test starts itself in a mount namespace of its own and mounts there what casper mounts:
//! an initramfs with the changes on `/cow` and the stock image below, then an overlay of both
//! moved over `/`, after which no path leads to either any more.

#![allow(clippy::unwrap_used, reason = "a test with a main of its own")]

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, ExitCode},
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::chroot,
};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_move,
};
use wendy_sys::{
    Cancel, Errno, dir,
    mountinfo::{self, Mount},
    namespace,
};

/// What the machine lends to the system under test so that it can run this program.
const LENT: [&str; 3] = ["usr", "proc", "dev"];

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    match args.next() {
        Some(word) if word == namespace::HIDDEN_COMMAND => return namespace::hidden_main(args),
        Some(word) if word == "find" => find_hidden(),
        Some(word) if word == "shared" => refuse_shared(),
        _ if !rustix::process::geteuid().is_root() => eprintln!("skipped: only root can mount"),
        _ => ["find", "shared"].into_iter().for_each(run_child),
    }
    ExitCode::SUCCESS
}

#[allow(clippy::disallowed_methods, reason = "the child is this test itself")]
fn run_child(case: &str) {
    let before = places();
    let status = Command::new("/proc/self/exe").arg(case).status().unwrap();
    assert!(status.success(), "{case}: {status}");
    assert_eq!(places(), before, "{case}: nothing changes for anybody else");
    println!("hidden: {case} works");
}

/// The mounts at the places that a case covers in its own namespace.
fn places() -> Vec<Mount> {
    let mut mounts = mountinfo::read().unwrap();
    let covered = ["/", "/mnt", "/usr", "/proc", "/dev"].map(Path::new);
    mounts.retain(|mount| covered.contains(&mount.mount_point.as_path()));
    mounts
}

fn find_hidden() {
    hand_over_as_casper_does(MountPropagationFlags::PRIVATE);
    fs::write("/etc/changed", "by the user").unwrap();
    assert!(
        !Path::new("/cow").exists(),
        "the layout hides the upper layer"
    );
    let before = mountinfo::read().unwrap();

    let paths = ["/cow/upper", "/nowhere", "/filesystem.squashfs"].map(Path::new);
    let hidden = namespace::open_hidden(&paths, &Cancel::new()).unwrap();

    let [Some(upper), None, Some(lower)] = &hidden.trees[..] else {
        panic!("{hidden:?}")
    };
    assert_eq!(
        dir::read_small(upper, "etc/changed", 100).unwrap(),
        b"by the user"
    );
    assert_eq!(
        dir::read_small(lower, "etc/stock", 100).unwrap(),
        b"from the image"
    );
    fs::write("/etc/later", "after the look").unwrap();
    assert_eq!(
        dir::read_small(upper, "etc/later", 100).unwrap(),
        b"after the look"
    );
    let refused = dir::write_atomic(upper, "intruder", b"", 0o600).unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::ROFS));

    let cow = hidden
        .mounts
        .iter()
        .find(|mount| mount.mount_point == Path::new("/cow"))
        .unwrap();
    assert_eq!(
        (cow.fs_type.as_os_str(), cow.root.as_path()),
        ("tmpfs".as_ref(), "/".as_ref())
    );
    assert_eq!(mountinfo::read().unwrap(), before);
}

fn refuse_shared() {
    hand_over_as_casper_does(MountPropagationFlags::SHARED);
    let error = namespace::open_hidden(&[Path::new("/cow/upper")], &Cancel::new()).unwrap_err();
    assert!(
        error.to_string().contains("shared with other namespaces"),
        "{error}"
    );
    assert_eq!(fs::read_to_string("/etc/stock").unwrap(), "from the image");
}

/// Ends with the overlay as root directory, on an initramfs whose mount has this propagation.
fn hand_over_as_casper_does(initramfs: MountPropagationFlags) {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .unwrap();
    make_initramfs("/mnt");
    cover("/mnt");
    mount_tmpfs("/cow");
    fs::create_dir_all("/cow/upper").unwrap();
    fs::create_dir_all("/cow/work").unwrap();
    let layers = c"lowerdir=/filesystem.squashfs,upperdir=/cow/upper,workdir=/cow/work";
    mount("/cow", "/root", "overlay", MountFlags::empty(), layers).unwrap();
    for lent in LENT {
        mount_move(format!("/{lent}"), format!("/root/{lent}")).unwrap();
    }
    mount_change("/", initramfs).unwrap();
    cover("/root");
}

/// An initramfs at `place` that also lends this program its libraries.
fn make_initramfs(place: &str) {
    mount_tmpfs(place);
    for directory in ["cow", "root", "filesystem.squashfs"] {
        fs::create_dir(Path::new(place).join(directory)).unwrap();
    }
    for lent in LENT {
        fs::create_dir(Path::new(place).join(lent)).unwrap();
        mount_bind(format!("/{lent}"), format!("{place}/{lent}")).unwrap();
    }
    let image = format!("{place}/filesystem.squashfs");
    mount_tmpfs(&image);
    for directory in LENT.iter().chain(&["etc"]) {
        fs::create_dir(Path::new(&image).join(directory)).unwrap();
    }
    for library in ["lib", "lib64", "bin"] {
        symlink(format!("usr/{library}"), Path::new(&image).join(library)).unwrap();
    }
    fs::write(Path::new(&image).join("etc/stock"), "from the image").unwrap();
}

fn mount_tmpfs(place: &str) {
    mount("tmpfs", place, "tmpfs", MountFlags::empty(), None).unwrap();
}

/// The tree at `place` covers the root directory and becomes it. `run-init` moves it there; bound
/// there it comes to the same, and that the kernel allows under a shared mount, too.
fn cover(place: &str) {
    mount_bind_recursive(place, "/").unwrap();
    // At the root directory `..` leads to what is mounted on it.
    env::set_current_dir("/..").unwrap();
    chroot(".").unwrap();
    env::set_current_dir("/").unwrap();
}
