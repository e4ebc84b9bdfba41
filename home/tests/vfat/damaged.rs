//! Filesystems that are not in order.

use crate::common::uml::{Uml, mount_home};
use crate::{END, MIB, program};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

#[test]
fn fsck_repairs_the_filesystem_of_the_stick_first() {
    let Some(uml) = Uml::new(64 * MIB) else {
        return;
    };
    let (program, fsck) = (program().display(), "fsck --json");
    // Byte 65 of the boot sector of FAT32 says that it was not unmounted.
    let said = uml.run(&format!(
        "{program} create /mnt/stick/pershome\numount /mnt/stick\n\
         printf '\\001' | dd of=/dev/ubda bs=1 seek=65 conv=notrunc\n\
         {program} {fsck} /dev/ubda || [ $? = 4 ]\n\
         {program} {fsck} --repair /dev/ubda || [ $? = 1 ]\n\
         {program} {fsck} /dev/ubda\nmount -t vfat /dev/ubda /mnt/stick\n\
         if {program} {fsck} /dev/ubda; then exit 1; fi\n"
    ));
    let found: Vec<&str> = said.split("\"filesystem\":\"").skip(1).collect();
    let states = found.iter().map(|rest| rest.split('"').next().unwrap());
    assert_eq!(
        states.collect::<Vec<_>>(),
        ["dirty", "repaired", "clean"],
        "{said}"
    );
    assert!(said.contains("unmount it before"), "{said}");
}

#[test]
fn fsck_finds_what_the_flag_of_the_stick_does_not_tell() {
    let Some(uml) = Uml::new(64 * MIB) else {
        return;
    };
    uml.run(&format!(
        "{} create /mnt/stick/pershome\ncd /mnt/stick\necho one > ONE\necho other > OTHER\n",
        program().display()
    ));
    cross(&uml.file("medium"), *b"ONE        ", *b"OTHER      ");
    let fsck = format!("{} fsck --json", program().display());
    let said = uml.run(&format!(
        "umount /mnt/stick\n{fsck} /dev/ubda || [ $? = 4 ]\n\
         {fsck} --repair /dev/ubda || [ $? = 1 ]\n{fsck} /dev/ubda\n\
         mount -t vfat /dev/ubda /mnt/stick\n"
    ));
    let found: Vec<&str> = said.split("\"filesystem\":\"").skip(1).collect();
    let states = found.iter().map(|rest| rest.split('"').next().unwrap());
    assert_eq!(
        states.collect::<Vec<_>>(),
        ["wrong", "repaired", "clean"],
        "{said}"
    );
    assert!(!uml.fsck());
}

/// Lets a file in the root directory of FAT32 begin with the first cluster of another one.
fn cross(medium: &Path, one: [u8; 11], other: [u8; 11]) {
    let file = File::options().read(true).write(true).open(medium).unwrap();
    let mut boot = [0; 512];
    file.read_exact_at(&mut boot, 0).unwrap();
    let half = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    // The root directory is the first thing behind the tables.
    let root = (half(14) + u64::from(boot[16]) * half(36)) * 512;
    let mut entries = [0; 512];
    file.read_exact_at(&mut entries, root).unwrap();
    let find = |name: [u8; 11]| {
        let mut entries = entries.chunks_exact(32);
        entries.position(|entry| entry[..11] == name).unwrap() * 32
    };
    let (one, other) = (find(one), find(other));
    for field in [20..22, 26..28] {
        let bytes = &entries[one + field.start..one + field.end];
        let at = root + (other + field.start) as u64;
        file.write_all_at(bytes, at).unwrap();
    }
}

/// The kernel finds damage while the home is in use and lets nothing be written any more: what is there
/// can be read, what can no longer be kept is not promised, and the next use has what was.
#[test]
fn of_a_stick_found_damaged_in_use_nothing_more_is_promised() {
    let Some(uml) = Uml::new(64 * MIB) else {
        return;
    };
    uml.run("head -c 4096 /dev/zero > /mnt/stick/VICTIM");
    cut_chain(&uml.file("medium"));
    let (mount, promised) = (mount_home(program(), "--commit 60"), uml.file("promised"));
    let said = uml.run(&format!(
        "{mount}cd /mnt/home\necho kept > kept\nchmod 640 kept\nsync kept\n\
         for i in $(seq 20); do mkdir $i; echo late > $i/late; done\n\
         if cat /mnt/stick/VICTIM > /mnt/content; then exit 1; fi\n\
         if {program} sync /mnt/home; then exit 1; fi\n\
         if sync 1/late; then : > {promised}; fi\n\
         if echo more > more; then exit 1; fi\nif mkdir other; then exit 1; fi\n\
         [ \"$(cat kept)\" = kept ]\n[ \"$(cat 20/late)\" = late ]\ncd /\n\
         umount /mnt/home\nif wait $!; then exit 1; fi\n",
        program = program().display(),
        promised = promised.display(),
    ));
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(uml.fsck());
    let said = uml.run(&format!(
        "{mount}cd /mnt/home\n[ \"$(cat kept)\" = kept ]\n[ \"$(stat -c %a kept)\" = 640 ]\n\
         [ ! -e {promised} ] || [ \"$(cat 1/late)\" = late ]\n\
         echo more > more\nsync more\ncd /\n{END}",
        promised = promised.display(),
    ));
    assert!(!uml.fsck(), "{said}");
}

/// Lets the chain of the first file of FAT32 end in a cluster that is free.
fn cut_chain(medium: &Path) {
    let file = File::options().read(true).write(true).open(medium).unwrap();
    let mut boot = [0; 512];
    file.read_exact_at(&mut boot, 0).unwrap();
    let half = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    for table in 0..u64::from(boot[16]) {
        // The root directory has cluster 2, the file those from 3 on.
        let at = (half(14) + table * half(36)) * 512 + 4 * 4;
        file.write_all_at(&[0; 4], at).unwrap();
    }
}
