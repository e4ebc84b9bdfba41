//! The power goes away after any write: what every such stick is, and that one can go on from it.
//!
//! One machine works on a stick of which every write is recorded. Another one, which has never seen
//! it, is given the stick as it was after so many of the writes, again and again. The search closes
//! in on the write by which the new state counts, so that it looks nowhere as often as around there.

use anyhow::{Context, Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Recording, Stick, Suite, Vm};

use crate::ground::{EXFAT, Ground, has_store};
use crate::person::{
    MIB, compare_inventory, find_session, find_work, generation, prepare, take_inventory, text,
    wendyctl, work,
};
use crate::wendy;

const ROOM: u64 = 256 * MIB;

/// Which of two states a stick is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    After,
}

#[test]
fn a_power_cut_after_any_write_of_a_save_leaves_the_old_or_the_new_one() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::blank("STICK", ROOM)?;
    let parameters = save_while_recorded(&image, &stick)?;
    let recording = Recording::of(&stick)?;

    let mut vm = wendy::installed(&image)?;
    let valid = search(&recording, |stick| go_on_saving(&mut vm, stick))?;
    drop(vm);

    let last_before = recording.after(valid - 1)?;
    let mut vm = Vm::boot(&image, &parameters, &[&last_before])?;
    find_work(&mut vm)?;
    compare_inventory(&mut vm)
}

#[test]
fn a_power_cut_after_any_write_leaves_no_half_store_on_a_whole_stick() -> Result<()> {
    cut_while_preparing(&LiveImage::of(Suite::Trixie)?, Ground::Blank)
}

#[test]
fn a_power_cut_after_any_write_leaves_no_half_store_behind_an_image() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    cut_while_preparing(&image, Ground::Image(&image))
}

#[test]
fn a_power_cut_after_any_write_leaves_no_half_store_beside_photos() -> Result<()> {
    cut_while_preparing(&LiveImage::of(Suite::Trixie)?, Ground::Photos(EXFAT))
}

/// A save, and a second one with more work that is recorded. Gives what boots the first.
fn save_while_recorded(image: &LiveImage, stick: &Stick) -> Result<String> {
    let mut vm = wendy::installed(image)?;
    vm.plug(stick, Plug::Fast)?;
    prepare(&mut vm, &stick.node(), "")?;
    work(&mut vm)?;
    take_inventory(&mut vm)?;
    let saved = wendyctl(&mut vm, "save 'Biofuel report'")?;
    vm.pull(stick)?;

    vm.run("head -c 8M /dev/urandom > /home/user/report/data; rm -r /usr/share/zoneinfo/Europe")?;
    vm.plug(stick, Plug::Recorded)?;
    find_session(&mut vm)?;
    wendyctl(&mut vm, "save 'Biofuel report'")?;
    vm.pull(stick)?;
    Ok(text(&saved, "kernel_parameters")?.to_owned())
}

/// Whatever counts on the stick is whole, and is replaced by the next save.
fn go_on_saving(vm: &mut Vm, stick: &Stick) -> Result<State> {
    vm.plug(stick, Plug::Fast)?;
    find_session(vm)?;
    let found = generation(vm)?;
    vm.run("wendyctl verify 'Biofuel report'")?;
    vm.run("date > /home/user/date")?;
    wendyctl(vm, "save --session 'Biofuel report'")?;
    ensure!(
        generation(vm)? == found + 1,
        "the next save is no successor of {found}"
    );
    vm.run("wendyctl verify 'Biofuel report'")?;
    vm.pull(stick)?;
    Ok(if found == 1 {
        State::Before
    } else {
        State::After
    })
}

fn cut_while_preparing(image: &LiveImage, ground: Ground<'_>) -> Result<()> {
    let stick = ground.stick(ROOM)?;
    let mut vm = wendy::installed(image)?;
    ground.furnish(&mut vm, &stick)?;
    vm.pull(&stick)?;
    vm.plug(&stick, Plug::Recorded)?;
    ground.prepare(&mut vm, &stick)?;
    vm.pull(&stick)?;
    drop(vm);

    let mut vm = wendy::installed(image)?;
    search(&Recording::of(&stick)?, |stick| {
        go_on_preparing(&mut vm, stick, ground)
    })
    .map(drop)
}

/// There is a store that can be saved to, or none and it can be made.
fn go_on_preparing(vm: &mut Vm, stick: &Stick, ground: Ground<'_>) -> Result<State> {
    vm.plug(stick, Plug::Fast)?;
    let found = if has_store(vm)? {
        State::After
    } else {
        ground.prepare_again(vm, stick)?;
        State::Before
    };
    wendyctl(vm, "save 'Biofuel report'").with_context(|| wendy::journal(vm, "wendyd"))?;
    vm.run("wendyctl verify 'Biofuel report'")?;
    ground.check_kept(vm, stick)?;
    vm.pull(stick)?;
    Ok(found)
}

/// Looks at the stick after early writes and the last one, then finds the first one after which the
/// new state is there.
fn search(
    recording: &Recording<'_>,
    mut look: impl FnMut(&Stick) -> Result<State>,
) -> Result<usize> {
    let all = recording.writes();
    let mut look = |writes: usize| {
        let seen = recording.after(writes).and_then(|stick| look(&stick));
        let seen = seen.with_context(|| format!("after {writes} of {all} writes"));
        eprintln!("after {writes} of {all} writes: {seen:?}");
        seen
    };
    ensure!(look(all)? == State::After, "the last write is not enough");
    for early in [1, all / 4] {
        look(early)?;
    }
    let (mut before, mut after) = (0, all);
    while after - before > 1 {
        let middle = before.midpoint(after);
        match look(middle)? {
            State::Before => before = middle,
            State::After => after = middle,
        }
    }
    Ok(after)
}
