//! The mounted filesystem over the real vfat driver, in a user-mode Linux.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../common/mod.rs"]
mod common;
mod damaged;
mod pulled;
mod wear;

use common::uml::{Uml, mount_home};
use common::{PROGRAM, assert_posix, find, skip};
use std::fs;
use std::path::Path;

const MIB: u64 = 1 << 20;
/// What strangers do to a home, and what it is before and after that.
const STRANGERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/strangers");
const END: &str = "umount /mnt/home\nwait $!\n";

fn program() -> &'static Path {
    Path::new(PROGRAM)
}

#[test]
fn pjdfstest_finds_no_failure_on_vfat() {
    // One test writes behind a gap of 2 GiB, and FAT knows no holes.
    let Some(uml) = Uml::new(3072 * MIB) else {
        return;
    };
    let Some(pjdfstest) = find("pjdfstest") else {
        return skip("cargo install pjdfstest --version 0.2.2 --locked");
    };
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pjdfstest.toml");
    let said = uml.run(&format!(
        "{mount}mkdir -m 777 /mnt/home/in\nchmod 755 /mnt/home\n\
         {pjdfstest} -c {config} -s /mnt/other -p /mnt/home/in > {log} || true\nrmdir /mnt/home/in\n{END}",
        mount = mount_home(program(), ""),
        pjdfstest = pjdfstest.display(),
        log = uml.file("log").display(),
    ));
    let log = fs::read_to_string(uml.file("log")).unwrap();
    assert_posix(&log, &said);
    assert!(!uml.fsck());
}

#[test]
fn what_strangers_change_on_vfat_is_taken_over() {
    let Some(uml) = Uml::new(128 * MIB) else {
        return;
    };
    let mount = mount_home(program(), "");
    let at_home = |name| format!("{mount}cd /mnt/home\n{STRANGERS}/{name}\ncd /\n{END}");
    let on_stick = |name| format!("cd /mnt/stick/pershome\n{STRANGERS}/{name}\n");
    uml.run(&at_home("used"));
    uml.run(&on_stick("changed"));
    uml.run(&at_home("found"));
    uml.run(&on_stick("left"));
    uml.run(&format!(
        "{} create /mnt/stick/pershome\n{}",
        program().display(),
        at_home("remade")
    ));
    assert!(!uml.fsck());
}

/// What was synced before is whole, also after the next mount; what is removed gives its room back.
#[test]
fn a_full_stick_says_so_and_keeps_what_it_has() {
    let Some(uml) = Uml::new(48 * MIB) else {
        return;
    };
    let (mount, sums) = (mount_home(program(), "--commit 1"), uml.file("sums"));
    let (sums, program) = (sums.display(), program().display());
    let said = uml.run(&format!(
        "{mount}cd /mnt/home\nmkdir kept\n\
         for i in $(seq 20); do dd if=/dev/urandom of=kept/$i bs=10k count=1 conv=fsync; done\n\
         chmod 640 kept/1\nln -s 1 kept/link\nsync kept\nmd5sum kept/[0-9]* > {sums}\n\
         if dd if=/dev/zero of=big bs=64k conv=fsync; then exit 1; fi\ni=0\n\
         while dd if=/dev/zero of=small$i bs=1 count=1; do i=$((i + 1)); done\n\
         i=0\nwhile ln -s $(printf 'x%.0s' $(seq 3000)) link$i; do i=$((i + 1)); done\n\
         rm link*\n[ $i -gt 20 ]\nln -s $i link\n\
         md5sum --quiet -c {sums}\ncd /\n{END}"
    ));
    let full = "'big': No space left on device";
    assert!(said.contains(full) && !said.contains("small0'"), "{said}");
    assert!(!uml.fsck());
    uml.run(&format!(
        "{mount}cd /mnt/home\nmd5sum --quiet -c {sums}\n[ \"$(readlink kept/link)\" = 1 ]\n\
         mv kept/link kept/other\nrm big small*\n\
         dd if=/dev/urandom of=again bs=1M count=8 conv=fsync\nmd5sum again >> {sums}\n\
         cd /\n{END}{program} fsck /mnt/stick/pershome\n"
    ));
    let said = uml.run(&format!(
        "{program} fsck /mnt/stick/pershome\n{mount}cd /mnt/home\nmd5sum --quiet -c {sums}\n\
         [ \"$(stat -c %a kept/1)\" = 640 ]\n[ \"$(readlink kept/other)\" = 1 ]\n[ ! -e big ]\n\
         cd /\n{END}"
    ));
    assert!(!uml.fsck(), "{said}");
}
