//! A stick as people have it: FAT, with files that stay.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::person::{
    GIB, compare_inventory, find_work, prepare, take_inventory, text, wendyctl, work,
};
use crate::wendy;

#[test]
fn a_session_lives_beside_the_files_of_a_fat_stick() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&image)?;
    vm.plug(&stick, Plug::Fast)?;
    fill_with_photos(&mut vm, &stick)?;

    prepare(
        &mut vm,
        &format!("{}-part1", stick.node()),
        "--mode loopback",
    )?;
    work(&mut vm)?;
    take_inventory(&mut vm)?;
    let saved = wendyctl(&mut vm, "save 'Biofuel report'")?;
    vm.shut_down()?;

    let mut vm = Vm::boot(&image, text(&saved, "kernel_parameters")?, &[&stick])?;
    find_work(&mut vm)?;
    compare_inventory(&mut vm)?;
    let photo = vm.run("cat /run/live/persistence/*/photo")?;
    ensure!(photo == "a photo\n", "the photo is now: {photo:?}");
    Ok(())
}

/// One partition with one FAT filesystem, as sticks are sold.
fn fill_with_photos(vm: &mut Vm, stick: &Stick) -> Result<()> {
    let node = stick.node();
    vm.run(&format!(
        "echo 'label: dos\n,,c' | sfdisk {node} && udevadm settle"
    ))?;
    vm.run(&format!(
        "mkfs.vfat -F 32 -n PHOTOS {node}-part1 && mount {node}-part1 /mnt"
    ))?;
    vm.run("echo 'a photo' > /mnt/photo && umount /mnt && udevadm settle")
        .map(drop)
}
