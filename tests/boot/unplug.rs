//! A stick pulled out at every moment of a save and of a prepare: the error says so, nothing is
//! lost, and one goes on as soon as it is plugged in again.

use anyhow::{Context, Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::ground::{FAT, Ground, has_store};
use crate::person::{MIB, find_session, generation, prepare, prepare_command, wendyctl, work};
use crate::wendy::{self, Moment};

/// wendyctl's exit status for a device that was pulled out.
const PULLED_OUT: i32 = 10;

/// Without the journal, which is larger than all the rest.
const SAVE: &str = "save 'Biofuel report' --exclude '/var/log/**'";

/// Slow enough to be caught in the middle of copying, and of what comes after it.
const SLOW: Plug = Plug::Slow(4 * MIB);
const STEPS: Plug = Plug::Steps(10);
/// Fast enough to get through with an image file before.
const FASTER: Plug = Plug::Slow(64 * MIB);

/// A save: the beginning of the copy, the middle, and what makes it count.
const OF_A_SAVE: &[(Plug, Moment)] = &[
    (SLOW, Moment::Phase("copying")),
    (SLOW, Moment::Bytes(8 * MIB)),
    (STEPS, Moment::Phase("syncing")),
    (STEPS, Moment::Phase("committing")),
];

/// A prepare: the room for the store, its filesystem, and what makes a store of it.
const OF_A_WHOLE_STICK: &[(Plug, Moment)] = &[
    (STEPS, Moment::Phase("partitioning")),
    (STEPS, Moment::Phase("formatting")),
    (STEPS, Moment::Bytes(MIB / 4)),
    (STEPS, Moment::Phase("committing")),
];
const OF_A_LIVE_STICK: &[(Plug, Moment)] = &[
    (STEPS, Moment::Phase("formatting")),
    (STEPS, Moment::Bytes(MIB / 4)),
    (STEPS, Moment::Phase("committing")),
];
const OF_A_STICK_WITH_PHOTOS: &[(Plug, Moment)] = &[
    (SLOW, Moment::Bytes(8 * MIB)),
    (FASTER, Moment::Phase("formatting")),
    (FASTER, Moment::Phase("committing")),
];

#[test]
fn a_stick_pulled_at_any_moment_of_a_save_keeps_a_whole_one() -> Result<()> {
    let stick = Stick::blank("STICK", 512 * MIB)?;
    let mut vm = wendy::installed(&LiveImage::of(Suite::Trixie)?)?;
    vm.plug(&stick, Plug::Fast)?;
    prepare(&mut vm, &stick.node(), "")?;
    work(&mut vm)?;
    wendyctl(&mut vm, "save 'Biofuel report'")?;
    for (plug, moment) in OF_A_SAVE {
        lose_a_save(&mut vm, &stick, *plug, *moment).with_context(|| format!("{moment:?}"))?;
    }
    Ok(())
}

fn lose_a_save(vm: &mut Vm, stick: &Stick, plug: Plug, moment: Moment) -> Result<()> {
    let last = generation(vm)?;
    vm.run("head -c 48M /dev/urandom > /home/user/report/data")?;
    vm.pull(stick)?;
    vm.plug(stick, plug)?;
    find_session(vm)?;
    let end = lose(vm, stick, SAVE, moment)?;
    vm.plug(stick, Plug::Fast)?;
    find_session(vm)?;
    vm.run("wendyctl verify 'Biofuel report'")?;
    let kept = generation(vm)?;
    // Pulled out while it tidied up, the save has come to its end.
    let told = (kept == last && end == PULLED_OUT) || kept == last + 1;
    ensure!(told, "{last} became {kept}, and it ended with {end}");
    wendyctl(vm, SAVE)?;
    ensure!(generation(vm)? > last, "the next save does not count");
    Ok(())
}

/// Starts a command of wendyctl's and pulls the stick at that moment; gives the exit status.
fn lose(vm: &mut Vm, stick: &Stick, command: &str, moment: Moment) -> Result<i32> {
    wendy::start_and_reach(vm, command, moment)?;
    vm.pull(stick)?;
    let end = wendy::wait_for_end(vm)?;
    ensure!(
        end.status == PULLED_OUT || end.status == 0,
        "it ended with {end:?}"
    );
    Ok(end.status)
}

#[test]
fn a_stick_pulled_at_any_moment_of_a_prepare_can_be_prepared_again() -> Result<()> {
    lose_prepares(Ground::Blank, OF_A_WHOLE_STICK)
}

#[test]
fn a_live_stick_pulled_at_any_moment_of_a_prepare_can_be_prepared_again() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    lose_prepares(Ground::Image(&image), OF_A_LIVE_STICK)
}

#[test]
fn a_stick_with_photos_pulled_at_any_moment_of_a_prepare_can_be_prepared_again() -> Result<()> {
    lose_prepares(Ground::Photos(FAT), OF_A_STICK_WITH_PHOTOS)
}

fn lose_prepares(ground: Ground<'_>, moments: &[(Plug, Moment)]) -> Result<()> {
    let mut vm = wendy::installed(&LiveImage::of(Suite::Trixie)?)?;
    for (plug, moment) in moments {
        lose_a_prepare(&mut vm, ground, *plug, *moment)
            .with_context(|| format!("{ground:?}, {moment:?}"))?;
    }
    Ok(())
}

fn lose_a_prepare(vm: &mut Vm, ground: Ground<'_>, plug: Plug, moment: Moment) -> Result<()> {
    let stick = ground.stick(256 * MIB)?;
    let target = ground.target(&stick);
    ground.furnish(vm, &stick)?;
    vm.pull(&stick)?;
    vm.plug(&stick, plug)?;
    let command = prepare_command(vm, &target, ground.options())?;
    let end = lose(vm, &stick, &command, moment)?;
    vm.plug(&stick, Plug::Fast)?;
    if !has_store(vm)? {
        ensure!(end == PULLED_OUT, "no store, and it ended with {end}");
        ground.prepare_again(vm, &stick)?;
    }
    wendyctl(vm, "save 'Biofuel report'")?;
    ground.check_kept(vm, &stick)?;
    vm.pull(&stick)
}
