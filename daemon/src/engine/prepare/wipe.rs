//! Removing the traces of what was there, a piece at a time so that it can be watched and stopped.

use std::{iter, ops::Range};

use wendy_sys::{block::BlockDevice, step};

use super::Work;
use crate::{
    error::{During, Result},
    jobs::Phase,
};

/// Signatures stand within this distance of an end.
const MARGIN: u64 = 1 << 20;
/// Wiped at once.
const PIECE: u64 = 256 << 10;

/// Fills these places of the device with zeros, and waits until they are on the medium.
pub(super) fn wipe(work: &Work<'_>, device: &BlockDevice, places: &[Range<u64>]) -> Result<()> {
    let what = "wiping the device";
    step("prepare.wipe").during(what)?;
    work.watch.phase(Phase::Wiping);
    let bytes = places.iter().map(|place| place.end - place.start).sum();
    work.watch.total(bytes, 0);
    for piece in places.iter().flat_map(pieces) {
        work.watch.cancel().check().during(what)?;
        let bytes = piece.end - piece.start;
        device.zero(piece).during(what)?;
        work.watch.advance(bytes, 0);
    }
    device.fsync().during(what)
}

/// Where an older filesystem has left signatures that a partition here would bring to light again.
pub(super) fn ends_of_place(work: &Work<'_>) -> [Range<u64>; 2] {
    let place = work.plan.place;
    let end = place.start + place.size;
    [place.start..place.start + MARGIN, end - MARGIN..end]
}

fn pieces(place: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let end = place.end;
    let within = move |start: u64| (start < end).then_some(start);
    let starts = iter::successors(within(place.start), move |start| within(start + PIECE));
    starts.map(move |start| start..end.min(start + PIECE))
}
