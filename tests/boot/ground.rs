//! What a stick is before it gets its store, and what on it must stay.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Stick, Vm};

/// A boot sector; and how much of the image's one is code and the two partitions that it comes with,
/// behind which there is room in the table for two more.
const BOOT_SECTOR: u64 = 512;
const OF_THE_IMAGE: usize = 446 + 2 * 16;

/// How sticks are formatted in a shop.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Type of the partition.
    kind: &'static str,
    /// What makes the filesystem.
    mkfs: &'static str,
}

/// Up to 32 GB.
pub const FAT: Format = Format {
    kind: "c",
    mkfs: "mkfs.vfat -F 32 -n PHOTOS",
};
/// Above.
pub const EXFAT: Format = Format {
    kind: "7",
    mkfs: "mkfs.exfat -L PHOTOS",
};

/// One partition with one filesystem.
pub fn fill_with_photos(vm: &mut Vm, stick: &Stick, format: Format) -> Result<()> {
    let (node, Format { kind, mkfs }) = (stick.node(), format);
    vm.run(&format!(
        "printf 'label: dos\\n,,{kind}\\n' | sfdisk {node} && udevadm settle"
    ))?;
    vm.run(&format!("{mkfs} {node}-part1 && udevadm settle"))?;
    leave_photo(vm, &format!("{node}-part1"))
}

/// Puts a photo on a filesystem.
pub fn leave_photo(vm: &mut Vm, node: &str) -> Result<()> {
    vm.run(&format!(
        "mount {node} /mnt && echo 'a photo' > /mnt/photo && umount /mnt && udevadm settle"
    ))
    .map(drop)
}

/// Whether it is still there.
pub fn find_photo(vm: &mut Vm, node: &str) -> Result<()> {
    let photo = vm.run(&format!(
        "mount -o ro {node} /mnt && cat /mnt/photo && umount /mnt"
    ))?;
    ensure!(photo == "a photo\n", "the photo is now: {photo:?}");
    Ok(())
}

/// Of what `dd` has written nothing but the free places of the partition table is another one.
pub fn find_image_untouched(stick: &Stick, image: &LiveImage) -> Result<()> {
    let medium = image.file("medium.iso");
    ensure!(
        beginning(&stick.file())? == beginning(&medium)?,
        "the boot sector is another one"
    );
    ensure!(
        stick.holds(&medium, BOOT_SECTOR)?,
        "the image was written to"
    );
    Ok(())
}

fn beginning(file: &Path) -> Result<[u8; OF_THE_IMAGE]> {
    let mut bytes = [0; OF_THE_IMAGE];
    File::open(file)?.read_exact(&mut bytes)?;
    Ok(bytes)
}
