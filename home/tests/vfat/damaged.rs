//! Filesystems that are not in order.

use crate::common::uml::Uml;
use crate::{MIB, program};
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
