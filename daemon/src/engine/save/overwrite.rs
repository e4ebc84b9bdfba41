//! Giving up the last save where it and the new one have no room together.

use std::os::fd::{AsFd, BorrowedFd};

use wendy_layers::{Exclude, Forecast, Look, forecast};
use wendy_store::{Generation, layout};
use wendy_sys::step;

use super::{Context, SavePlan, Way, generation, plan::RESERVE};
use crate::{
    engine::{During, Error, Result},
    jobs::Phase,
    stores::{links, sessions},
};

/// Whether the save does not fit as it is planned, but would in the place of the last one.
pub(super) fn helps(context: Context<'_>, plan: &SavePlan) -> Result<bool> {
    Ok(instead(context, plan)?.is_some())
}

/// Removes the last save if only that makes room. Returns the plan of what is to be done then: all
/// of it is written.
pub(super) fn make_room(context: Context<'_>, plan: SavePlan) -> Result<SavePlan> {
    let Some((last, forecast)) = instead(context, &plan)? else {
        return Ok(plan);
    };
    let default = plan.default || is_default(context, &plan)?;
    give_up(context, &plan, last)?;
    Ok(SavePlan {
        way: Way::Full,
        current: None,
        default,
        forecast,
        index: None,
        room: context.store.space()?,
        ..plan
    })
}

/// The save that must go and what is to be written in its place.
fn instead(context: Context<'_>, plan: &SavePlan) -> Result<Option<(Generation, Forecast)>> {
    let Some(last) = plan.current else {
        return Ok(None);
    };
    match plan.check_room(context) {
        Err(Error::NoSpace { .. } | Error::NoInodes { .. }) => {}
        other => return other.map(|()| None),
    }
    let all = measure(context, context.source.upper.as_fd(), &plan.excluded()?)?;
    let freed = measure_last(context, plan, last)?;
    let space = context.store.space()?;
    // Rather too little than too much: once the last save is gone, it is gone.
    let fits = all.space + RESERVE <= space.available + freed.total.allocated
        && all.inodes <= space.free_inodes.saturating_add(freed.inodes);
    Ok(fits.then_some((last, all)))
}

fn measure_last(context: Context<'_>, plan: &SavePlan, last: Generation) -> Result<Forecast> {
    let session = sessions::open(context.store.root(), plan.session)?;
    let last = sessions::open_generation(session.as_fd(), last)?;
    let tree = sessions::open_dir(last.as_fd(), layout::UPPER, "the last save")?;
    measure(context, tree.as_fd(), &Exclude::default())
}

fn measure(context: Context<'_>, tree: BorrowedFd<'_>, exclude: &Exclude) -> Result<Forecast> {
    Ok(forecast(tree, exclude, None, Look::Inodes, context.watch)?)
}

fn is_default(context: Context<'_>, plan: &SavePlan) -> Result<bool> {
    Ok(links::default_session(context.store.root())? == Some(plan.session))
}

/// It counts no more, and durably so, before anything of it is removed: half a save must never be
/// taken for a whole one. Where that fails it goes on to count.
fn give_up(context: Context<'_>, plan: &SavePlan, last: Generation) -> Result<()> {
    step("save.give-up").during("giving up the last save")?;
    context.watch.phase(Phase::Removing);
    context.watch.point_of_no_return()?;
    let was_default = is_default(context, plan)?;
    let session = sessions::open(context.store.root(), plan.session)?;
    if let Err(error) = forget(context, session.as_fd(), was_default) {
        context.watch.phase(Phase::RollingBack);
        put_back(context, (plan, session.as_fd()), (last, was_default));
        return Err(error);
    }
    generation::remove(session.as_fd(), last)?;
    context.watch.may_end_here();
    Ok(())
}

fn forget(context: Context<'_>, session: BorrowedFd<'_>, was_default: bool) -> Result<()> {
    if was_default {
        links::set_default(context.store.root(), None)?;
    }
    links::forget_current(session)?;
    context.store.sync()?;
    step("save.given-up").during("giving up the last save")
}

/// The first error is the one to report; where this fails as well, the medium takes nothing any more.
fn put_back(
    context: Context<'_>,
    (plan, session): (&SavePlan, BorrowedFd<'_>),
    (last, was_default): (Generation, bool),
) {
    let _ = links::set_current(session, last);
    if was_default {
        let _ = links::set_default(context.store.root(), Some(plan.session));
    }
    let _ = context.store.sync();
}
