//! The ways in which a stick can become one with a store, and what on it must stay.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Vm};

use crate::person::{self, MIB};
use crate::wendy;

/// A boot sector; and how much of the image's one is code and the two partitions that it comes with,
/// behind which there is room in the table for two more.
const BOOT_SECTOR: u64 = 512;
const OF_THE_IMAGE: usize = 446 + 2 * 16;

/// What a stick is before it gets its store.
#[derive(Debug, Clone, Copy)]
pub enum Ground<'a> {
    /// Empty; the store takes the whole of it.
    Blank,
    /// A live image was written to it; the store comes behind that.
    Image(&'a LiveImage),
    /// Formatted with photos on it; the store is in a file beside them.
    Photos(Format),
}

/// How sticks are formatted in a shop.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Type of the partition.
    kind: &'static str,
    /// What makes the filesystem.
    mkfs: &'static str,
    /// What repairs it, with status 1 if there was something to repair.
    repair: &'static str,
}

/// Up to 32 GB.
pub const FAT: Format = Format {
    kind: "c",
    mkfs: "mkfs.vfat -F 32 -n PHOTOS",
    repair: "fsck.vfat -a",
};
/// Above.
pub const EXFAT: Format = Format {
    kind: "7",
    mkfs: "mkfs.exfat -L PHOTOS",
    repair: "fsck.exfat -p",
};

impl Ground<'_> {
    /// Such a stick with room for a store of that size, about.
    pub fn stick(self, room: u64) -> Result<Stick> {
        match self {
            Ground::Blank => Stick::blank("STICK", room),
            Ground::Photos(_) => Stick::blank("STICK", room + 64 * MIB),
            Ground::Image(image) => {
                let medium = image.file("medium.iso");
                let size = (medium.metadata()?.len() + room).next_multiple_of(MIB);
                Stick::written("STICK", size, &medium)
            }
        }
    }

    /// Plugs the stick in and lets it become what it is sold as.
    pub fn furnish(self, vm: &mut Vm, stick: &Stick) -> Result<()> {
        vm.plug(stick, Plug::Fast)?;
        if let Ground::Photos(format) = self {
            fill_with_photos(vm, stick, format)?;
        }
        Ok(())
    }

    /// The device that is prepared.
    pub fn target(self, stick: &Stick) -> String {
        match self {
            Ground::Photos(_) => format!("{}-part1", stick.node()),
            _ => stick.node(),
        }
    }

    /// How it is prepared: options of wendyctl's.
    pub fn options(self) -> &'static str {
        match self {
            Ground::Blank => "",
            Ground::Image(_) => "--mode free-space",
            Ground::Photos(_) => "--mode loopback --size 128MiB",
        }
    }

    /// Makes the store.
    pub fn prepare(self, vm: &mut Vm, stick: &Stick) -> Result<()> {
        person::prepare(vm, &self.target(stick), self.options()).map(drop)
    }

    /// Makes it after an attempt that was interrupted, which may have left a filesystem of photos in
    /// need of repair.
    pub fn prepare_again(self, vm: &mut Vm, stick: &Stick) -> Result<()> {
        if let Ground::Photos(format) = self {
            vm.run(&format!(
                "{} {} || [ $? = 1 ]",
                format.repair,
                self.target(stick)
            ))?;
        }
        self.prepare(vm, stick)
    }

    /// Whether what was there still is. The stick is plugged in.
    pub fn check_kept(self, vm: &mut Vm, stick: &Stick) -> Result<()> {
        match self {
            Ground::Blank => Ok(()),
            Ground::Image(image) => find_image_untouched(stick, image),
            Ground::Photos(_) => find_photo(vm, &self.target(stick)),
        }
    }
}

/// Whether the daemon takes the stick for one with a store.
pub fn has_store(vm: &mut Vm) -> Result<bool> {
    wendy::catch_up(vm)?;
    Ok(vm.run("wendyctl sessions")?.contains("My stick"))
}

/// One partition with one filesystem.
pub fn fill_with_photos(vm: &mut Vm, stick: &Stick, format: Format) -> Result<()> {
    let (node, Format { kind, mkfs, .. }) = (stick.node(), format);
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
