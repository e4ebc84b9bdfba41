//! Saving the running session into a store.
//!
//! A save makes a new generation beside the last one and makes it current by one rename, after all
//! of it is on the medium. Interrupted at any instant, the last complete generation is what it was;
//! what the interrupted save has left is recognised and removed by the next one.
//!
//! An update believes the inodes first, so that nearly everything is safe soon. Then it reads all
//! that seemed unchanged, and if data has changed without a trace, it saves once more. Cancelled by
//! then, it ends with what is safe.

mod databases;
mod decide;
mod exclude;
mod generation;
mod indexes;
mod making;
mod overwrite;
mod pace;
mod plan;

use wendy_layers::{Index, Look};
use wendy_store::{GenerationRecord, Name, SessionId};

use super::{During, Error, Result, Source, Watch};
use crate::{
    jobs::{Fact, Facts, Phase},
    stores::{OpenStore, leftovers},
};

pub use indexes::Indexes;
pub use making::MANIFEST;
pub use pace::{Disk, Paces};
pub use plan::{SavePlan, Way};

/// What a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct SaveRequest {
    /// Name of the session; empty keeps the one it has.
    pub name: String,
    /// The session to update; none makes a new one.
    pub session: Option<SessionId>,
    /// Make it what stock images start; without a word, the first session becomes that.
    pub default: Option<bool>,
    /// What to leave out: patterns that begin with `/`, or the words `caches`, `host-keys`,
    /// `machine-id`.
    pub exclude: Vec<String>,
    /// Copy once more what changed during the copy.
    pub second_pass: bool,
    /// Remove the last save of the session first if there is no room beside it.
    pub overwrite: bool,
}

/// All that a save works with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The store to save into.
    pub store: &'a OpenStore,
    /// The upper layer to save.
    pub source: &'a Source,
    /// What earlier saves remember.
    pub indexes: &'a Indexes,
    /// Where it is noted what is ours.
    pub ledger: &'a dyn Ledger,
    /// Who is told.
    pub watch: &'a dyn Watch,
}

/// Keeps in mind what this system has saved.
pub trait Ledger: std::fmt::Debug {
    /// A save is about to count. Whether it has come to that cannot be known if the medium is pulled
    /// out in this moment.
    fn expect(&self, session: SessionId, generation: &GenerationRecord);
}

/// Nobody asks later.
impl Ledger for () {
    fn expect(&self, _session: SessionId, _generation: &GenerationRecord) {}
}

/// What a save did.
#[derive(Debug, Clone)]
pub struct SaveReport {
    /// The session.
    pub session: SessionId,
    /// Its generation that counts now.
    pub generation: GenerationRecord,
    /// Bytes written by this save.
    pub written_bytes: u64,
    /// Entries written by this save.
    pub changed_entries: u64,
    /// Files that changed even during the last pass.
    pub still_changing: u64,
    /// Databases that programs had open for writing.
    pub open_databases: u64,
    /// Whether stock images start this session.
    pub default: bool,
    /// Whether all that was to be compared has been.
    pub compared: bool,
}

/// Refuses a name, and what is to be left out, for which no medium need be looked at.
///
/// # Errors
/// [`Error::BadName`], [`Error::BadExclude`].
pub fn check(name: &str, is_new: bool, exclude: &[String], source: &Source) -> Result<()> {
    if is_new || !name.is_empty() {
        Name::new(name)?;
    }
    let patterns = exclude::patterns(exclude, source)?;
    wendy_layers::Exclude::new(patterns.iter().map(String::as_str))?;
    Ok(())
}

/// Says what [`save`] would do. Writes nothing.
///
/// # Errors
/// Why it cannot be done; that it does not fit is none.
pub fn plan(context: Context<'_>, request: &SaveRequest) -> Result<SavePlan> {
    let mut plan = decide::plan(context, request, Look::Data)?;
    plan.fits_overwriting = overwrite::helps(context, &plan)?;
    Ok(plan)
}

/// Carries out what [`plan`] would say now.
///
/// # Errors
/// What [`plan`] refuses, [`Error::NoSpace`], and everything that can happen to a medium. The last
/// complete save is then still there and still counts.
pub fn save(context: Context<'_>, request: &SaveRequest) -> Result<SaveReport> {
    let name = context.store.location().name.as_str();
    run(context, request).map_err(|error| error.about(name))
}

fn run(context: Context<'_>, request: &SaveRequest) -> Result<SaveReport> {
    context.watch.phase(Phase::Measuring);
    // The copy has the same written back, and the kernel would tell it alone; what is lost where the
    // system runs from keeps nobody from saving it elsewhere.
    let _ = context.store.losses().sync(&context.source.upper);
    let look = if request.second_pass {
        Look::Inodes
    } else {
        Look::Data
    };
    let mut plan = decide::plan(context, request, look)?;
    if look == Look::Inodes && matches!(plan.way, Way::Nothing { .. }) {
        context.watch.phase(Phase::Comparing);
        context.watch.total(0, plan.forecast.total.entries);
        plan = decide::plan(context, request, Look::Data)?;
    }
    clean(context)?;
    if request.overwrite {
        plan = overwrite::make_room(context, plan)?;
    }
    plan.check_room(context)?;
    let report = match plan.way {
        Way::Nothing { generation } => generation::keep(context, &plan, generation)?,
        Way::Checkpoint { generation } => generation::checkpoint(context, &plan, generation)?,
        Way::Full | Way::Update => save_and_compare(context, request, &plan)?,
    };
    Ok(SaveReport {
        open_databases: databases::open_for_writing(),
        ..report
    })
}

fn save_and_compare(
    context: Context<'_>,
    request: &SaveRequest,
    plan: &SavePlan,
) -> Result<SaveReport> {
    let (report, mut index) = generation::replace(context, plan, request.second_pass)?;
    generation::remember(context, plan, &index)?;
    if plan.look == Look::Data {
        return Ok(report);
    }
    context.watch.may_end_here();
    match save_untraced(context, request, plan, &mut index) {
        Ok(None) => Ok(report),
        Ok(Some(rest)) => Ok(report.and(rest)),
        Err(Error::Cancelled) => Ok(SaveReport {
            compared: false,
            ..report
        }),
        Err(error) => Err(error),
    }
}

/// Compares all data with what was saved, and saves again what has changed without a trace.
fn save_untraced(
    context: Context<'_>,
    request: &SaveRequest,
    plan: &SavePlan,
    index: &mut Index,
) -> Result<Option<SaveReport>> {
    if generation::compare(context, plan, index)? == 0 {
        return Ok(None);
    }
    generation::remember(context, plan, index)?;
    let plan = decide::plan(context, &request.again(plan.session), Look::Inodes)?;
    plan.check_room(context)?;
    let (rest, index) = generation::replace(context, &plan, request.second_pass)?;
    generation::remember(context, &plan, &index)?;
    Ok(Some(rest))
}

fn clean(context: Context<'_>) -> Result<()> {
    context.watch.phase(Phase::Removing);
    wendy_sys::step("save.leftovers").during("removing leftovers")?;
    let running = decide::running(context)?.map(|started| (started.session, started.generation));
    leftovers::remove(context.store.root(), running, context.watch)?;
    Ok(())
}

impl SaveRequest {
    /// The same for the session that was saved by it.
    fn again(&self, session: SessionId) -> SaveRequest {
        SaveRequest {
            session: Some(session),
            ..self.clone()
        }
    }
}

impl SaveReport {
    /// What this save and the next one did together.
    fn and(self, next: SaveReport) -> SaveReport {
        SaveReport {
            written_bytes: self.written_bytes + next.written_bytes,
            changed_entries: self.changed_entries + next.changed_entries,
            ..next
        }
    }

    fn nothing_written(
        session: SessionId,
        generation: GenerationRecord,
        default: bool,
    ) -> SaveReport {
        SaveReport {
            session,
            generation,
            written_bytes: 0,
            changed_entries: 0,
            still_changing: 0,
            open_databases: 0,
            default,
            compared: true,
        }
    }

    /// The report for the bus, but for its objects and how to start the session.
    pub fn facts(&self) -> Facts {
        let warnings = [
            ("database-open", self.open_databases > 0),
            ("still-changing", self.still_changing > 0),
            ("not-default", !self.default),
            ("not-compared", !self.compared),
        ];
        let warnings = warnings
            .into_iter()
            .filter(|(_, applies)| *applies)
            .map(|(word, _)| word.to_owned());
        Facts::new()
            .with(
                "generation",
                Fact::Small(self.generation.generation.number()),
            )
            .with("entries", self.generation.entries)
            .with("bytes", self.generation.size)
            .with("written-bytes", self.written_bytes)
            .with("changed-entries", self.changed_entries)
            .with("still-changing", self.still_changing)
            .with("default", self.default)
            .with("warnings", warnings.collect::<Vec<_>>())
    }
}
