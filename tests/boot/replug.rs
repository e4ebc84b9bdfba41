//! A stick that goes and comes back.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite};

use crate::person::{GIB, find_session, generation, prepare, wendyctl};
use crate::wendy;

#[test]
fn what_is_on_a_stick_comes_and_goes_with_it() -> Result<()> {
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&LiveImage::of(Suite::Trixie)?)?;
    vm.plug(&stick, Plug::Fast)?;
    prepare(&mut vm, &stick.node(), "")?;
    wendyctl(&mut vm, "save 'Biofuel report'")?;

    vm.pull(&stick)?;
    vm.run("while wendyctl sessions | grep -q Biofuel; do sleep 0.1; done")?;
    let devices = vm.run("wendyctl devices")?;
    ensure!(!devices.contains("My stick"), "still there: {devices}");

    vm.plug(&stick, Plug::Fast)?;
    find_session(&mut vm)?;
    vm.run("wendyctl verify 'Biofuel report'")?;
    vm.run("echo more > /home/user/more")?;
    wendyctl(&mut vm, "save 'Biofuel report'")?;
    ensure!(generation(&mut vm)? > 1, "it was not continued");
    Ok(())
}
