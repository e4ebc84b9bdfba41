//! A confined process reads what it may and dies at everything else.
//!
//! The test starts itself once per case; the child confines itself, tries one thing and ends.

#![allow(clippy::unwrap_used, reason = "a test with a main of its own")]

use std::{
    collections::HashMap,
    env,
    fs::{self, File, Permissions},
    net::UdpSocket,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, process::ExitStatusExt},
    },
    process::{Command, Output, Stdio},
    thread,
};

use nix::{sys::signal::kill, unistd};
use rustix::{
    fs::OFlags,
    mount::{MountPropagationFlags, mount_change},
    thread::{CapabilitySet, CapabilitySets, set_capabilities},
};
use wendy_sys::{confine, dir};

const SECRET: &str = "only root may read this";

/// What a reader of media has no business with.
const FORBIDDEN: [(&str, fn()); 12] = [
    ("open a file for writing", || {
        ignore(File::options().write(true).open("/dev/null"))
    }),
    ("create a file", || ignore(File::create("/tmp/never made"))),
    ("remove a file", || {
        ignore(fs::remove_file("/tmp/never made"))
    }),
    ("change permissions", || {
        ignore(fs::set_permissions("/", Permissions::from_mode(0o777)))
    }),
    ("ask a device", || {
        ignore(rustix::fs::ioctl_blksszget(std::io::stdout()))
    }),
    ("mount", || {
        ignore(mount_change("/", MountPropagationFlags::PRIVATE))
    }),
    ("leave its root", || ignore(unistd::chroot("/"))),
    ("become root", || {
        ignore(unistd::setuid(unistd::Uid::from_raw(0)))
    }),
    ("open a socket", || ignore(UdpSocket::bind("127.0.0.1:0"))),
    ("signal another process", || {
        ignore(kill(unistd::Pid::parent(), None))
    }),
    ("start a program", || ignore(child().arg("read").spawn())),
    ("start a thread", || {
        ignore(thread::Builder::new().spawn(|| ()))
    }),
];

/// Nobody lives to see the result.
fn ignore<T>(_result: T) {}

fn main() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give up privileges");
        return;
    }
    match env::args().nth(1).as_deref() {
        Some("read") => read_confined(&env::args().nth(2).expect("a directory")),
        Some("exhaust") => exhaust_memory(),
        Some("panic") => panic_confined(),
        Some("forbidden") => do_forbidden(&env::args().nth(2).expect("a case")),
        _ => parent(),
    }
}

fn parent() {
    reading_works();
    every_forbidden_thing_kills();
    memory_is_bounded();
    a_panic_ends_in_order();
    println!(
        "confine: reading works, {} forbidden things kill",
        FORBIDDEN.len()
    );
}

fn reading_works() {
    let directory = tempfile::tempdir().unwrap();
    let private = directory.path().join("private");
    fs::create_dir(&private).unwrap();
    fs::write(private.join("secret"), SECRET).unwrap();
    fs::set_permissions(private.join("secret"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&private, Permissions::from_mode(0o000)).unwrap();
    let output = run(child().arg("read").arg(directory.path()));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{:?} {said}", output.status);
    for expected in [
        SECRET,
        "Uid:\t65534\t65534\t65534\t65534",
        "Gid:\t65534\t65534\t65534\t65534",
        "CapInh:\t0000000000000000",
        "CapPrm:\t0000000000000004",
        "CapEff:\t0000000000000004",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(said.contains(expected), "no {expected:?} in {said}");
    }
    assert!(
        said.contains("Groups:\t \n") || said.contains("Groups:\t\n"),
        "{said}"
    );
}

fn every_forbidden_thing_kills() {
    for (case, _) in FORBIDDEN {
        let output = run(child().args(["forbidden", case]));
        assert_eq!(
            output.status.signal(),
            Some(libc::SIGSYS),
            "{case}: {output:?}"
        );
        assert_eq!(output.stdout, b"confined\n", "{case}");
    }
}

fn memory_is_bounded() {
    let output = run(child().env("RUST_BACKTRACE", "1").arg("exhaust"));
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
}

fn a_panic_ends_in_order() {
    let output = run(child().env("RUST_BACKTRACE", "full").arg("panic"));
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("corrupt medium"),
        "{output:?}"
    );
}

fn read_confined(directory: &str) {
    let medium = OwnedFd::from(File::open(directory).unwrap());
    confined();
    let secret = dir::read_small(&medium, "private/secret", 100).unwrap();
    println!("{}", String::from_utf8(secret).unwrap());
    let private = dir::open_beneath(&medium, "private", OFlags::RDONLY).unwrap();
    assert_eq!(dir::entries(&private).unwrap().len(), 1);
    let ballast: HashMap<usize, Vec<u8>> = (0..64).map(|n| (n, vec![1; 1 << 18])).collect();
    println!("{}", ballast.values().map(Vec::len).sum::<usize>());
    println!("{}", fs::read_to_string("/proc/self/status").unwrap());
}

fn exhaust_memory() {
    confined();
    let hoard: Vec<Vec<u8>> = (0..1024).map(|_| vec![1; 1 << 20]).collect();
    println!("kept {} MiB", hoard.len());
}

fn panic_confined() {
    confined();
    panic!("corrupt medium");
}

fn do_forbidden(wanted: &str) {
    let (_, act) = FORBIDDEN
        .iter()
        .find(|(case, _)| *case == wanted)
        .expect("a known case");
    confined();
    act();
}

/// Confines this process, with no more capabilities than the documentation asks for.
fn confined() {
    let few = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::DAC_READ_SEARCH;
    let sets = CapabilitySets {
        effective: few,
        permitted: few,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).unwrap();
    confine::confine(confine::Limits::default()).unwrap();
    println!("confined");
}

#[allow(clippy::disallowed_methods, reason = "the child is this test itself")]
fn child() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}
