//! A stick as people have it: FAT or exFAT, with files that stay.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::ground::{EXFAT, FAT, Format, fill_with_photos};
use crate::person::{
    GIB, compare_inventory, find_session, find_work, prepare, take_inventory, text, wendyctl, work,
};
use crate::wendy;

#[test]
fn a_session_lives_beside_the_files_of_a_fat_stick() -> Result<()> {
    keep_beside_photos(FAT)
}

#[test]
fn a_session_lives_beside_the_files_of_an_exfat_stick() -> Result<()> {
    keep_beside_photos(EXFAT)
}

/// The initramfs of a stock image has no driver for NTFS, which is said before.
#[test]
fn a_session_lives_beside_the_files_of_an_ntfs_stick_though_no_image_looks_there() -> Result<()> {
    let stick = Stick::ntfs("STICK", GIB)?;
    let mut vm = wendy::installed(&LiveImage::of(Suite::Trixie)?)?;
    vm.plug(&stick, Plug::Fast)?;
    let node = stick.node();
    vm.run(&format!(
        "mount -t ntfs3 {node} /mnt && echo 'a photo' > /mnt/photo && umount /mnt && udevadm settle"
    ))?;
    let plan = vm.run(&format!(
        "wendyctl --json prepare $(readlink -f {node}) --name 'My stick' --mode loopback --dry-run"
    ))?;
    ensure!(plan.contains("not-found-at-boot"), "no warning: {plan}");
    prepare(&mut vm, &node, "--mode loopback")?;
    work(&mut vm)?;
    wendyctl(&mut vm, "save 'Biofuel report'")?;
    vm.pull(&stick)?;
    vm.plug(&stick, Plug::Fast)?;
    find_session(&mut vm)?;
    wendyctl(&mut vm, "verify")?;
    let photo = vm.run(&format!(
        "mount -t ntfs3 -o ro {node} /mnt && cat /mnt/photo"
    ))?;
    ensure!(photo == "a photo\n", "the photo is now: {photo:?}");
    Ok(())
}

fn keep_beside_photos(format: Format) -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&image)?;
    vm.plug(&stick, Plug::Fast)?;
    fill_with_photos(&mut vm, &stick, format)?;

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
