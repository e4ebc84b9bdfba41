//! The bench itself: what the other tests take for granted of it.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

const MIB: u64 = 1 << 20;

#[test]
fn a_live_system_sees_a_stick_come_and_go() -> Result<()> {
    let mut vm = Vm::wake(&LiveImage::of(Suite::Trixie)?)?;
    let stick = Stick::blank("STICK", 64 * MIB)?;

    vm.plug(&stick, Plug::Fast)?;
    let size = vm.run(&format!("blockdev --getsize64 {}", stick.node()))?;
    ensure!(
        size.trim() == (64 * MIB).to_string(),
        "the stick has {size} bytes"
    );

    vm.pull(&stick)?;
    vm.run(&format!(
        "while [ -e {} ]; do sleep 0.1; done",
        stick.node()
    ))?;
    Ok(())
}

#[test]
fn the_live_user_sits_at_the_keyboard() -> Result<()> {
    let mut vm = Vm::wake(&LiveImage::of(Suite::Trixie)?)?;
    vm.type_at_keyboard("tty")?;
    let screen = vm.see("/dev/tty1")?;
    ensure!(screen.contains("user@debian"), "the screen shows: {screen}");
    Ok(())
}
