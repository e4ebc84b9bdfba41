//! Who may do what, and on which devices.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::person::GIB;
use crate::wendy;

/// wendyctl's exit statuses.
const NOT_ALLOWED: i32 = 3;
const NOT_AGREED: i32 = 5;
const BUSY: i32 = 8;

#[test]
fn the_live_user_at_the_machine_needs_no_password() -> Result<()> {
    let (mut vm, _stick) = with_stick()?;
    vm.type_at_keyboard("clear; wendyctl prepare sda --name mine")?;
    vm.see("Type sda or yes")?;
    vm.type_at_keyboard("sda")?;
    vm.see("is ready, with room for")?;
    vm.type_at_keyboard("clear; wendyctl save report")?;
    let screen = vm.see("kernel command line")?;
    ensure!(screen.contains("persistence"), "the screen shows: {screen}");
    Ok(())
}

#[test]
fn a_user_from_elsewhere_is_refused() -> Result<()> {
    let (mut vm, stick) = with_stick()?;
    let refused = vm.attempt("runuser -u user -- wendyctl prepare sda --name mine --yes")?;
    ensure!(refused.status == NOT_ALLOWED, "it ended with {refused:?}");
    ensure!(stick.is_untouched()?, "something was written");
    Ok(())
}

#[test]
fn nobody_may_prepare_what_the_system_runs_from() -> Result<()> {
    let (mut vm, _stick) = with_stick()?;
    let medium = vm.run("findmnt -no SOURCE /run/live/medium")?;
    let refused = vm.attempt(&format!(
        "wendyctl prepare {} --name mine --yes",
        medium.trim()
    ))?;
    ensure!(refused.status == BUSY, "it ended with {refused:?}");
    ensure!(
        refused.output.contains("started from"),
        "it does not say why: {refused:?}"
    );
    Ok(())
}

#[test]
fn a_pipe_cannot_consent() -> Result<()> {
    let (mut vm, stick) = with_stick()?;
    vm.run(&format!("mkfs.ext4 -q {} && udevadm settle", stick.node()))?;
    let refused = vm.attempt("echo yes | setsid wendyctl prepare sda --name mine")?;
    ensure!(refused.status == NOT_AGREED, "it ended with {refused:?}");
    vm.run(&format!("blkid -p -s TYPE {} | grep ext4", stick.node()))
        .map(drop)
}

fn with_stick() -> Result<(Vm, Stick)> {
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&LiveImage::of(Suite::Trixie)?)?;
    vm.plug(&stick, Plug::Fast)?;
    Ok((vm, stick))
}
