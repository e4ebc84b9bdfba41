//! The stick on which a person carries their home.

use anyhow::{Result, ensure};
use wendy_tests::vm::{Stick, Vm};

/// What a login mounts a FAT with: nobody but root comes to the files, and nothing on it leads out.
const OPTIONS: [&str; 8] = [
    "nosuid",
    "nodev",
    "noexec",
    "nosymfollow",
    "fmask=0077",
    "dmask=0077",
    "utf8",
    "errors=remount-ro",
];

/// The stick is mounted with these for the home of user number `uid`.
pub fn is_out_of_reach(vm: &mut Vm, uid: u32) -> Result<()> {
    let mounted = vm.run(&format!(
        "grep ' /run/wendy-home/{uid}/stick vfat ' /proc/mounts"
    ))?;
    let shown: Vec<&str> = mounted.split([' ', ',']).collect();
    for option in OPTIONS {
        ensure!(shown.contains(&option), "no {option}: {mounted}");
    }
    Ok(())
}

/// Shell words that mount the stick as any computer does.
pub fn mount(stick: &Stick, how: &str) -> String {
    format!("mount -t vfat -o utf8,{how} {}-part1 /mnt", stick.node())
}

/// The same with exFAT on it.
pub fn mount_exfat(stick: &Stick) -> String {
    format!("mount -t exfat {}-part1 /mnt", stick.node())
}

/// The stick as a new one with exFAT.
pub fn make_exfat(vm: &mut Vm, stick: &Stick) -> Result<()> {
    let node = stick.node();
    vm.run(&format!(
        "mkfs.exfat -q -L PHOTOS {node}-part1 && udevadm settle"
    ))?;
    vm.run(&format!(
        "{}; mkdir /mnt/pershome; umount /mnt",
        mount_exfat(stick)
    ))
    .map(drop)
}

/// Says in `VolumeFlags` of exFAT that it was not unmounted.
pub fn leave_dirty(vm: &mut Vm, stick: &Stick) -> Result<()> {
    vm.run(&format!(
        "printf '\\002' | dd of={}-part1 bs=1 seek=106 conv=notrunc && udevadm settle",
        stick.node()
    ))
    .map(drop)
}
