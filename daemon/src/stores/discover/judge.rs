//! What a report about a medium means. Pure: no device is touched here.

use wendy_store::{
    GenerationRecord, SessionId, SessionRecord, StoreId, StoreRecord, boot, layout,
    media::{self, Entry, MediaFacts, MediaKind, Recognised},
};

use crate::{
    devices::{Content, shown},
    model::{Problem, StoreKind},
    probe::{Report, SessionSeen, Space, Text},
};

/// What is known of the medium beside the report.
#[derive(Debug, Clone, Default)]
pub struct Surface {
    /// What udev sees on it.
    pub content: Content,
    /// Labels of the other filesystems on the same disk.
    pub siblings: Vec<String>,
    /// Write-protected.
    pub read_only: bool,
}

/// What a medium turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing that keeps a live session.
    Nothing,
    /// Marks of several filesystems, which contradict each other.
    Ambivalent,
    /// Somebody else's, in plain words.
    Foreign(&'static str),
    /// A store that lacks nothing but its marker: made by casper, understood and in order.
    Adoptable(&'static str),
    /// A store of wendy.
    Store(Box<StoreSeen>),
}

/// A store as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSeen {
    /// Its identity; none if its record cannot be read.
    pub id: Option<StoreId>,
    /// Its name, or the label of its filesystem.
    pub name: String,
    /// How it lies on the device.
    pub kind: StoreKind,
    /// Type of the filesystem that holds the sessions.
    pub filesystem: String,
    /// Room in it.
    pub space: Space,
    /// Sessions can be saved into it.
    pub writable: bool,
    /// Why not, or why not all of it can be seen; none if all is well.
    pub problem: Option<Problem>,
    /// What stock images start.
    pub default: Option<SessionId>,
    /// What is saved in it.
    pub sessions: Vec<SessionFound>,
}

/// A session as it was found in a store.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionFound {
    /// Its record.
    pub record: SessionRecord,
    /// Its last complete save.
    pub saved: Option<GenerationRecord>,
    /// What a stock image needs to start it; empty if it cannot.
    pub kernel_parameters: String,
}

/// Says what a medium is.
pub fn judge(surface: &Surface, report: &Report) -> Verdict {
    if let Some(marker) = &report.marker {
        return Verdict::Store(Box::new(store(surface, report, marker)));
    }
    match recognise(surface, report) {
        Recognised {
            kind: MediaKind::Plain | MediaKind::LiveMedium,
            ..
        } => Verdict::Nothing,
        Recognised {
            kind: MediaKind::Casper,
            description,
        } if is_adoptable(surface, report) => Verdict::Adoptable(description),
        Recognised { description, .. } => Verdict::Foreign(description),
    }
}

/// A store that could not be looked into, if that is what the outside promises.
pub fn judge_unseen(surface: &Surface) -> Verdict {
    let is_ours = surface.content.label == layout::FILESYSTEM_LABEL
        && surface.content.partition_name == layout::PARTITION_NAME;
    if is_ours {
        return Verdict::Store(Box::new(unreadable(
            surface,
            &Report::default(),
            Problem::Unreadable,
        )));
    }
    match recognise(surface, &Report::default()) {
        Recognised {
            kind: MediaKind::Plain | MediaKind::LiveMedium,
            ..
        } => Verdict::Nothing,
        Recognised { description, .. } => Verdict::Foreign(description),
    }
}

/// What a medium is on which udev could not make out one filesystem.
pub fn judge_marks(surface: &Surface, report: &Report) -> Verdict {
    if report.marks.len() > 1 {
        return Verdict::Ambivalent;
    }
    judge_unseen(surface)
}

fn recognise(surface: &Surface, report: &Report) -> Recognised {
    let entries = |found: &[(String, _)]| {
        let entry = |(name, kind): &(String, crate::probe::Kind)| Entry {
            name: name.clone(),
            kind: (*kind).into(),
        };
        found.iter().map(entry).collect()
    };
    media::recognise(&MediaFacts {
        fs_type: surface.content.fs_type.clone(),
        label: surface.content.label.clone(),
        partition_name: surface.content.partition_name.clone(),
        siblings: surface.siblings.clone(),
        root: entries(&report.root),
        live_os: entries(&report.live_os),
        persistence_conf: report.persistence_conf.clone(),
        marker: report.marker.is_some(),
        disk_info: report.disk_info,
    })
}

/// Only what stock casper itself lays out: a real `upper` beside a real `work`. Without `upper`
/// casper would move the marker away at its next start.
fn is_adoptable(surface: &Surface, report: &Report) -> bool {
    let is_directory = |name: &str| {
        report
            .root
            .iter()
            .any(|(entry, kind)| entry == name && *kind == crate::probe::Kind::Directory)
    };
    let holds_marker_place = report.root.iter().any(|(entry, _)| entry == layout::ROOT);
    media::is_casper_label(&surface.content.label)
        && report.clean
        && !surface.read_only
        && is_directory(layout::UPPER)
        && is_directory(layout::WORK)
        && !holds_marker_place
}

fn store(surface: &Surface, report: &Report, marker: &Text) -> StoreSeen {
    let fallback = StoreId::derived(&surface.content.uuid);
    let Some(outer) = parse_store(marker, fallback) else {
        return unreadable(surface, report, Problem::Corrupt);
    };
    let Some(file) = &outer.image else {
        return seen(surface, report, &outer, StoreKind::Filesystem);
    };
    let inner = report
        .image
        .as_ref()
        .filter(|image| image.file == *file)
        .and_then(|image| {
            let record = parse_store(image.report.marker.as_ref()?, outer.id)?;
            Some((&image.report, record))
        });
    match inner {
        Some((report, record)) => seen(surface, report, &record, StoreKind::Image),
        None => unreadable(surface, report, Problem::Corrupt),
    }
}

fn parse_store(marker: &Text, fallback: StoreId) -> Option<StoreRecord> {
    let parsed = StoreRecord::parse(marker.bytes()?, fallback);
    parsed
        .inspect_err(|error| tracing::info!(%error, "the marker of a store is damaged"))
        .ok()
}

fn seen(surface: &Surface, report: &Report, record: &StoreRecord, kind: StoreKind) -> StoreSeen {
    let default = report.default.as_deref().and_then(layout::parse_default);
    let (sessions, all_sound) = sessions(surface, report, kind, default);
    let problems = [
        (record.format.writable().is_err(), Problem::NewerFormat),
        (surface.read_only, Problem::ReadOnly),
        (report.needs_check, Problem::Dirty),
        (!all_sound || report.left_out, Problem::Corrupt),
    ];
    let problem = problems
        .into_iter()
        .find_map(|(there, problem)| there.then_some(problem));
    StoreSeen {
        id: Some(record.id),
        name: record.name.to_string(),
        kind,
        filesystem: match kind {
            StoreKind::Image => "ext4".to_owned(),
            _ => shown(&surface.content.fs_type),
        },
        space: report.space,
        writable: !surface.read_only && record.format.writable().is_ok(),
        problem,
        default,
        sessions,
    }
}

fn unreadable(surface: &Surface, report: &Report, problem: Problem) -> StoreSeen {
    StoreSeen {
        id: None,
        name: shown(&surface.content.label),
        kind: StoreKind::Filesystem,
        filesystem: shown(&surface.content.fs_type),
        space: report.space,
        writable: false,
        problem: Some(problem),
        default: None,
        sessions: Vec::new(),
    }
}

/// The sessions that can be understood, and whether those are all. A directory without a record
/// is what a first save leaves that was cut short early; it is no session yet.
fn sessions(
    surface: &Surface,
    report: &Report,
    kind: StoreKind,
    default: Option<SessionId>,
) -> (Vec<SessionFound>, bool) {
    let begun = report.sessions.iter().filter(|seen| seen.record.is_some());
    let all: Vec<_> = begun.map(session).collect();
    let all_sound = all.iter().all(Option::is_some);
    let found = all.into_iter().flatten().map(|(record, saved)| {
        let place = boot::Place {
            session: record.id,
            stack: record.stack,
            default: default == Some(record.id),
            in_image: kind == StoreKind::Image,
            filesystem: &surface.content.uuid,
        };
        let kernel_parameters = boot::parameters(&place).unwrap_or_default();
        SessionFound {
            record,
            saved,
            kernel_parameters,
        }
    });
    (found.collect(), all_sound)
}

fn session(seen: &SessionSeen) -> Option<(SessionRecord, Option<GenerationRecord>)> {
    let record = SessionRecord::parse(seen.record.as_ref()?.bytes()?).ok()?;
    if record.id.to_string() != seen.id {
        return None;
    }
    let Some(current) = &seen.current else {
        return Some((record, None));
    };
    let number = layout::parse_current(current)?;
    let saved = GenerationRecord::parse(seen.generation.as_ref()?.bytes()?).ok()?;
    (saved.generation == number).then_some((record, Some(saved)))
}

#[cfg(test)]
mod tests;
