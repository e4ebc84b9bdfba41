//! One stick for both: the live image as it was written to it, and a store in the room behind.

use anyhow::{Context, Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::ground::find_image_untouched;
use crate::person::{
    GIB, compare_inventory, find_work, prepare, take_inventory, text, wendyctl, work,
};
use crate::wendy;

#[test]
fn the_stick_that_the_system_runs_from_takes_the_store_as_well() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let (mut vm, stick) = wendy::installed_on_a_live_stick(&image)?;
    follow_the_advice(&mut vm, &stick)?;
    work(&mut vm)?;
    take_inventory(&mut vm)?;
    let saved = wendyctl(&mut vm, "save 'Biofuel report'")?;
    vm.shut_down()?;
    find_image_untouched(&stick, &image)?;

    let mut vm = Vm::boot_from(&stick, &image, text(&saved, "kernel_parameters")?)?;
    find_work(&mut vm)?;
    compare_inventory(&mut vm)?;
    let status = vm.run("wendyctl status")?;
    ensure!(status.contains("Biofuel report"), "status says: {status}");
    vm.run("wendyctl verify 'Biofuel report'").map(drop)
}

#[test]
fn a_second_live_stick_takes_a_store_behind_its_image() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::written("STICK", GIB, &image.file("medium.iso"))?;
    let mut vm = wendy::installed(&image)?;
    vm.plug(&stick, Plug::Fast)?;
    prepare(&mut vm, &stick.node(), "--mode free-space")?;
    work(&mut vm)?;
    take_inventory(&mut vm)?;
    let saved = wendyctl(&mut vm, "save 'Biofuel report'")?;
    vm.shut_down()?;
    find_image_untouched(&stick, &image)?;

    let mut vm = Vm::boot_from(&stick, &image, text(&saved, "kernel_parameters")?)?;
    find_work(&mut vm)?;
    compare_inventory(&mut vm)?;
    vm.run("wendyctl verify 'Biofuel report'").map(drop)
}

/// The list of devices says what there is room for, and by which command it is used.
fn follow_the_advice(vm: &mut Vm, stick: &Stick) -> Result<()> {
    let devices = vm.run("wendyctl devices")?;
    let advice = devices
        .lines()
        .find_map(|line| line.split_once("free for a store: "))
        .with_context(|| format!("no free space is shown: {devices}"))?;
    let node = vm.run(&format!("readlink -f {}", stick.node()))?;
    let disk = node.trim().trim_start_matches("/dev/");
    ensure!(
        advice.1 == format!("wendyctl prepare {disk} --name NAME"),
        "the advice is {:?}",
        advice.1
    );
    prepare(vm, &stick.node(), "").map(drop)
}
