//! What each plan looks like as JSON.

use serde::Serialize;
use wendy_dbus::plans::{Piece, PreparePlan, SavePlan};

use crate::world::reference;

/// The plan of `prepare --dry-run`.
#[derive(Debug, Serialize)]
pub struct PreparePlanView<'a> {
    device: Option<&'a str>,
    mode: &'a str,
    name: &'a str,
    filesystem: &'a str,
    size: u64,
    destroys: bool,
    lost: Vec<PieceView<'a>>,
    changed: Vec<PieceView<'a>>,
    made: Vec<PieceView<'a>>,
    warnings: &'a [String],
}

/// Something that would be lost or made.
#[derive(Debug, Serialize)]
struct PieceView<'a> {
    kind: &'a str,
    size: u64,
    used: Option<u64>,
    node: Option<&'a str>,
    label: Option<&'a str>,
    uuid: Option<&'a str>,
    filesystem: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> PreparePlanView<'a> {
    /// The view of a plan.
    pub fn new(plan: &'a PreparePlan) -> Self {
        Self {
            device: reference(&plan.device),
            mode: &plan.mode,
            name: &plan.name,
            filesystem: &plan.filesystem,
            size: plan.size,
            destroys: plan.destroys,
            lost: plan.lost.iter().map(PieceView::new).collect(),
            changed: plan.changed.iter().map(PieceView::new).collect(),
            made: plan.made.iter().map(PieceView::new).collect(),
            warnings: &plan.warnings,
        }
    }
}

impl<'a> PieceView<'a> {
    fn new(piece: &'a Piece) -> Self {
        Self {
            kind: &piece.kind,
            size: piece.size,
            used: piece.used,
            node: piece.device_node.as_deref(),
            label: piece.label.as_deref(),
            uuid: piece.uuid.as_deref(),
            filesystem: piece.filesystem.as_deref(),
            name: piece.name.as_deref(),
        }
    }
}

/// The plan of `save --dry-run`.
#[derive(Debug, Serialize)]
pub struct SavePlanView<'a> {
    session: Option<&'a str>,
    name: &'a str,
    default: bool,
    exclude: &'a [String],
    entries: u64,
    bytes: u64,
    changed_entries: u64,
    changed_bytes: u64,
    removed_entries: u64,
    space: u64,
    free: u64,
    fits: bool,
    fits_overwriting: bool,
    seconds: Option<u64>,
}

impl<'a> SavePlanView<'a> {
    /// The view of a plan.
    pub fn new(plan: &'a SavePlan) -> Self {
        Self {
            session: reference(&plan.session),
            name: &plan.name,
            default: plan.default,
            exclude: &plan.exclude,
            entries: plan.entries,
            bytes: plan.bytes,
            changed_entries: plan.changed_entries,
            changed_bytes: plan.changed_bytes,
            removed_entries: plan.removed_entries,
            space: plan.space,
            free: plan.free,
            fits: plan.fits,
            fits_overwriting: plan.fits_overwriting.unwrap_or(false),
            seconds: plan.seconds,
        }
    }
}
