//! What becomes of a generation: it is made, kept, compared, remembered and removed.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, statat};
use wendy_layers::{Index, Unattended, confirm};
use wendy_store::{Consistency, Generation, layout};
use wendy_sys::{Errno, kernel, step};

use super::{
    Context, SavePlan, SaveReport,
    making::{self, MANIFEST},
};
use crate::{
    clock,
    error::{During, Result, os},
    jobs::Phase,
    stores::{leftovers, links, records, sessions},
};

/// Puts the next generation in the place of the last one. Returns what the upper layer looked like
/// as well.
pub(super) fn replace(
    context: Context<'_>,
    plan: &SavePlan,
    second_pass: bool,
) -> Result<(SaveReport, Index)> {
    let made = making::make(context, plan, second_pass);
    if made.is_err() {
        context.watch.phase(Phase::RollingBack);
        // The first error is the one to report; what stays is removed by the next save.
        let _ = remove_unfinished(context, plan);
    }
    let (record, copied) = made?;
    let session = sessions::open(context.store.root(), plan.session)?;
    let default = settle(context, plan, session.as_fd())?;
    if let Err(error) = remove_last(context, plan, session.as_fd()) {
        tracing::warn!(session = %plan.session, %error, "the save before stays until the next one");
    }
    let report = SaveReport {
        written_bytes: copied.written.bytes,
        changed_entries: copied.written.entries,
        still_changing: copied.unsettled_count,
        ..SaveReport::nothing_written(plan.session, record, default)
    };
    Ok((report, copied.index))
}

/// Nothing changed: the generation stays, only the name or the default may be new.
pub(super) fn keep(
    context: Context<'_>,
    plan: &SavePlan,
    generation: Generation,
) -> Result<SaveReport> {
    let session = sessions::open(context.store.root(), plan.session)?;
    let dir = sessions::open_generation(session.as_fd(), generation)?;
    let record = records::read_generation(dir.as_fd(), "the last save")?;
    let default = settle(context, plan, session.as_fd())?;
    Ok(SaveReport::nothing_written(plan.session, record, default))
}

/// The system runs on the generation: all there is to do is to make sure it is on the medium.
pub(super) fn checkpoint(
    context: Context<'_>,
    plan: &SavePlan,
    generation: Generation,
) -> Result<SaveReport> {
    step("save.checkpoint").during("saving")?;
    context.watch.phase(Phase::Syncing);
    // What the system writes to it goes there without us.
    context.store.check_nothing_lost()?;
    context.store.sync()?;
    let session = sessions::open(context.store.root(), plan.session)?;
    let dir = sessions::open_generation(session.as_fd(), generation)?;
    let total = plan.forecast.total;
    let mut record = records::read_generation(dir.as_fd(), "the running session")?;
    record.saved = clock::now();
    (record.size, record.files, record.entries) = (total.bytes, total.files, total.entries);
    record.kernel = kernel::release();
    record.consistency = Consistency::CrashConsistent;
    records::write_generation(dir.as_fd(), &record)?;
    let default = settle(context, plan, session.as_fd())?;
    Ok(SaveReport::nothing_written(plan.session, record, default))
}

/// What follows once the generation counts: the name and the default of the session. Says whether
/// it is the default.
fn settle(context: Context<'_>, plan: &SavePlan, session: BorrowedFd<'_>) -> Result<bool> {
    step("save.settle").during("naming the session")?;
    context.watch.phase(Phase::Committing);
    let root = context.store.root();
    if records::read_session(session, "the session")? != plan.record {
        records::write_session(session, &plan.record)?;
    }
    let mut default = links::default_session(root)?;
    if plan.default && default != Some(plan.session) {
        step("save.default").during("setting the default session")?;
        links::set_default(root, Some(plan.session))?;
        default = Some(plan.session);
    }
    context.store.sync()?;
    Ok(default == Some(plan.session))
}

/// Reads what the update that was planned has shared with the save before. What has changed without
/// a trace in its inode counts as changed in `index` from now on. Says how many files that are.
pub(super) fn compare(context: Context<'_>, plan: &SavePlan, index: &mut Index) -> Result<u64> {
    let Some(before) = &plan.index else {
        return Ok(0);
    };
    step("save.compare").during("comparing what seems unchanged")?;
    context.watch.phase(Phase::Comparing);
    context.watch.total(0, plan.forecast.total.entries);
    let (upper, exclude) = (context.source.upper.as_fd(), plan.excluded()?);
    Ok(confirm(upper, &exclude, (before, index), context.watch)?)
}

/// Keeps the index of the generation that was planned, so that the next save knows what has changed
/// since.
pub(super) fn remember(context: Context<'_>, plan: &SavePlan, index: &Index) -> Result<()> {
    let session = sessions::open(context.store.root(), plan.session)?;
    let dir = sessions::open_generation(session.as_fd(), plan.next)?;
    if let Some(identity) = identity(dir.as_fd(), plan.next)? {
        let indexes = context.indexes;
        indexes.write(plan.session, &identity, context.source, index);
    }
    Ok(())
}

/// What tells the generation in this directory from all others, on this medium and on every copy
/// of it: its manifest is written once. None if it has no manifest.
pub(super) fn identity(dir: BorrowedFd<'_>, generation: Generation) -> Result<Option<String>> {
    let what = "looking at the manifest";
    match statat(dir, MANIFEST, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(format!(
            "{generation} {}:{}.{}:{}",
            stat.st_ino, stat.st_ctime, stat.st_ctime_nsec, stat.st_size
        ))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(os(what)(errno)).during(what),
    }
}

/// Removes a generation that does not count. Not cancelled: it must be finished also when the save
/// was.
pub(super) fn remove(session: BorrowedFd<'_>, generation: Generation) -> Result<()> {
    let all = sessions::open_dir(session, layout::GENERATIONS, "the saves of a session")?;
    leftovers::remove_tree(all.as_fd(), &generation.to_string(), &Unattended)
}

fn remove_last(context: Context<'_>, plan: &SavePlan, session: BorrowedFd<'_>) -> Result<()> {
    let Some(last) = plan.current else {
        return Ok(());
    };
    step("save.remove-last").during("removing the save before")?;
    context.watch.phase(Phase::Removing);
    remove(session, last)
}

/// Removes what a failed save has made, unless the rename that makes it current has happened.
fn remove_unfinished(context: Context<'_>, plan: &SavePlan) -> Result<()> {
    let root = context.store.root();
    if links::current(sessions::open(root, plan.session)?.as_fd())? == Some(plan.next) {
        return Ok(());
    }
    if !plan.exists {
        let all = sessions::open_dir(root, layout::SESSIONS, "the sessions")?;
        return leftovers::remove_tree(all.as_fd(), &plan.session.to_string(), &Unattended);
    }
    remove(sessions::open(root, plan.session)?.as_fd(), plan.next)
}
