//! Making a generation, letting it count, removing the one before.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::fs::{AtFlags, OFlags, statat};
use wendy_layers::{Copied, Index, Job, Previous, Unattended, confirm, manifest};
use wendy_store::{Consistency, Generation, GenerationFacts, GenerationRecord, layout};
use wendy_sys::{Errno, dir, kernel, step};

use super::{Context, SavePlan, SaveReport, Way, plan::excluded};
use crate::{
    error::{During, Result, os},
    jobs::Phase,
    stores::{leftovers, links, records, sessions},
};

/// What was written, in the directory of a generation.
pub const MANIFEST: &str = "manifest";

/// After so many passes a file that still changes is taken as it is.
const PASSES: u32 = 3;

/// A pass shorter than this is not worth another one over what changed meanwhile.
const BRIEF: Duration = Duration::from_secs(1);

/// Makes the next generation and lets it count. Returns what the upper layer looked like as well.
pub(super) fn make(
    context: Context<'_>,
    plan: &SavePlan,
    second_pass: bool,
) -> Result<(SaveReport, Index)> {
    let made = Making { context, plan }.make(second_pass);
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
    record.saved = records::now();
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
    let (upper, exclude) = (context.source.upper.as_fd(), excluded(plan)?);
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

struct Making<'a> {
    context: Context<'a>,
    plan: &'a SavePlan,
}

impl Making<'_> {
    fn make(&self, second_pass: bool) -> Result<(GenerationRecord, Copied)> {
        let session = self.prepare_session()?;
        let generation = self.prepare_generation(&session)?;
        let copied = self.copy(&session, &generation, second_pass)?;
        let record = self.describe(&generation, &copied)?;
        self.commit(&session, &record)?;
        Ok((record, copied))
    }

    /// The directory of the session, with all that does not depend on the generation.
    fn prepare_session(&self) -> Result<OwnedFd> {
        step("save.session").during("laying out the session")?;
        let root = self.context.store.root();
        if self.plan.exists {
            return sessions::open(root, self.plan.session);
        }
        let session = dir::make_dir(root, layout::session_dir(self.plan.session), 0o755)
            .during("laying out the session")?;
        records::write_session(session.as_fd(), &self.plan.record)?;
        links::write_session_links(session.as_fd(), self.plan.record.stack)?;
        Ok(session)
    }

    fn prepare_generation(&self, session: &OwnedFd) -> Result<OwnedFd> {
        let what = "laying out the save";
        step("save.generation").during(what)?;
        let generation =
            dir::make_dir(session, layout::current_target(self.plan.next), 0o755).during(what)?;
        for name in [layout::UPPER, layout::WORK] {
            dir::make_dir(&generation, name, 0o755).during(what)?;
        }
        let link = layout::GENERATION_LINK;
        dir::symlink_atomic(&generation, link.path, link.target).during(what)?;
        Ok(generation)
    }

    /// Copies until nothing changes any more, or three times. An update was preceded by a look at
    /// everything: where copying what that found was quickly done, it was the second.
    fn copy(&self, session: &OwnedFd, generation: &OwnedFd, second_pass: bool) -> Result<Copied> {
        step("save.copy").during("copying")?;
        self.enter(Phase::Copying);
        let first = |job: &Job<'_>| self.first_pass(job, session);
        let started = Instant::now();
        let mut copied = if second_pass && self.plan.way == Way::Full {
            self.pass(generation, None, first)?
        } else {
            self.with_manifest(generation, first)?
        };
        let was_second = self.plan.way == Way::Update
            && copied.unsettled_count == 0
            && started.elapsed() < BRIEF;
        if was_second || !second_pass {
            return Ok(copied);
        }
        for _ in 1..PASSES {
            step("save.second-pass").during("copying what changed")?;
            self.context.watch.phase(Phase::SecondPass);
            let again = |job: &Job<'_>| Ok(wendy_layers::refresh(job, &copied.index)?);
            copied = add(&copied, self.with_manifest(generation, again)?);
            if copied.unsettled_count == 0 {
                break;
            }
        }
        Ok(copied)
    }

    fn first_pass(&self, job: &Job<'_>, session: &OwnedFd) -> Result<Copied> {
        let (Way::Update, Some(last), Some(index)) =
            (self.plan.way, self.plan.current, &self.plan.index)
        else {
            return Ok(wendy_layers::copy(job, None)?);
        };
        let last = sessions::open_generation(session.as_fd(), last)?;
        let tree = sessions::open_dir(last.as_fd(), layout::UPPER, "the save before")?;
        let previous = Previous {
            tree: tree.as_fd(),
            index,
        };
        Ok(wendy_layers::copy(job, Some(previous))?)
    }

    /// A pass that notes what the generation then holds, in place of what an earlier one noted.
    fn with_manifest(
        &self,
        generation: &OwnedFd,
        pass: impl FnOnce(&Job<'_>) -> Result<Copied>,
    ) -> Result<Copied> {
        let writer = manifest::Writer::new(create_manifest(generation.as_fd())?)?;
        let copied = self.pass(generation, Some(&writer), pass)?;
        writer.finish()?;
        Ok(copied)
    }

    fn pass(
        &self,
        generation: &OwnedFd,
        manifest: Option<&manifest::Writer>,
        pass: impl FnOnce(&Job<'_>) -> Result<Copied>,
    ) -> Result<Copied> {
        let dest = sessions::open_dir(generation.as_fd(), layout::UPPER, "the new save")?;
        let exclude = excluded(self.plan)?;
        pass(&Job {
            upper: self.context.source.upper.as_fd(),
            dest: dest.as_fd(),
            exclude: &exclude,
            progress: self.context.watch,
            manifest,
        })
    }

    fn describe(&self, generation: &OwnedFd, copied: &Copied) -> Result<GenerationRecord> {
        step("save.record").during("describing the save")?;
        let settled = copied.unsettled_count == 0;
        let facts = GenerationFacts {
            size: copied.totals.bytes,
            files: copied.totals.files,
            entries: copied.totals.entries,
            kernel: kernel::release(),
            consistency: if settled {
                Consistency::Settled
            } else {
                Consistency::CrashConsistent
            },
        };
        let record = GenerationRecord::new(self.plan.next, records::now(), facts);
        records::write_generation(generation.as_fd(), &record)?;
        Ok(record)
    }

    /// Everything must be on the medium before the rename that lets it count.
    fn commit(&self, session: &OwnedFd, record: &GenerationRecord) -> Result<()> {
        step("save.sync").during("writing everything to the medium")?;
        self.context.watch.phase(Phase::Syncing);
        self.context.store.sync()?;
        step("save.flip").during("making the new save valid")?;
        self.context.watch.phase(Phase::Committing);
        self.context.watch.point_of_no_return()?;
        self.context.ledger.expect(self.plan.session, record);
        links::set_current(session.as_fd(), self.plan.next)
    }

    fn enter(&self, phase: Phase) {
        let all = self.plan.forecast.total;
        let changed = self.plan.forecast.changed;
        let bytes = if self.plan.way == Way::Update {
            changed.bytes
        } else {
            all.bytes
        };
        self.context.watch.phase(phase);
        self.context.watch.total(bytes, all.entries);
    }
}

/// The sum of what both passes wrote, and what the second found.
fn add(before: &Copied, mut again: Copied) -> Copied {
    again.written.bytes += before.written.bytes;
    again.written.entries += before.written.entries;
    again
}

fn create_manifest(generation: BorrowedFd<'_>) -> Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
    Ok(File::from(
        dir::open_beneath(generation, MANIFEST, flags).during("writing the manifest")?,
    ))
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

/// Removes what a failed save has made, unless the rename that lets it count has happened.
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
