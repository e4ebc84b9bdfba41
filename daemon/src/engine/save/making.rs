//! Making a generation: everything is copied into it and is on the medium before one rename makes it
//! current.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::fs::OFlags;
use wendy_layers::{Copied, Job, Previous, manifest};
use wendy_store::{Consistency, GenerationFacts, GenerationRecord, layout};
use wendy_sys::{dir, kernel, step};

use super::{Context, SavePlan, Way};
use crate::{
    clock,
    error::{During, Result},
    jobs::Phase,
    stores::{links, records, sessions},
};

/// What was written, in the directory of a generation.
pub const MANIFEST: &str = "manifest";

/// After so many passes a file that still changes is taken as it is.
const PASSES: u32 = 3;

/// A pass shorter than this is not worth another one over what changed meanwhile.
const BRIEF: Duration = Duration::from_secs(1);

/// Makes the generation that was planned.
pub(super) fn make(
    context: Context<'_>,
    plan: &SavePlan,
    second_pass: bool,
) -> Result<(GenerationRecord, Copied)> {
    let making = Making { context, plan };
    let session = making.prepare_session()?;
    let generation = making.prepare_generation(&session)?;
    let copied = making.copy(&session, &generation, second_pass)?;
    let record = making.describe(&generation, &copied)?;
    making.commit(&session, &record)?;
    Ok((record, copied))
}

struct Making<'a> {
    context: Context<'a>,
    plan: &'a SavePlan,
}

impl Making<'_> {
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
        let exclude = self.plan.excluded()?;
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
        let record = GenerationRecord::new(self.plan.next, clock::now(), facts);
        records::write_generation(generation.as_fd(), &record)?;
        Ok(record)
    }

    /// Everything must be on the medium before the rename that makes it current.
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
