//! How objects on the medium look, compared with how they looked when that was recorded.

use crate::medium::Facts;
use crate::record::Print;

/// FAT keeps modification times to two seconds.
pub(super) const TIME_GRAIN: i64 = 2;
/// FAT keeps local time: a time zone or summer time shifts all of them by quarter-hours.
const ZONE_STEP: u64 = 15 * 60;
/// Farthest two places on earth are apart in local time.
const ZONE_MAX: u64 = 26 * 3600;

pub(super) type IsDirectory = bool;

/// What is compared to recognise a renamed object; directories change their times all the time.
pub(super) fn look(is_directory: bool, print: Print) -> (IsDirectory, Print) {
    let born = print.born;
    let print = if is_directory {
        Print {
            born,
            ..Print::default()
        }
    } else {
        print
    };
    (is_directory, print)
}

/// The facts of a file with one more part.
pub(super) fn with_part(whole: Facts, part: &Facts) -> Facts {
    Facts {
        size: whole.size + part.size,
        modified: whole.modified.max(part.modified),
        ..whole
    }
}

/// Whether a file looks as recorded, in whatever time zone.
pub(super) fn is_unchanged(print: &Print, facts: &Facts) -> bool {
    print.size == facts.size && is_same_time(print.modified, facts.modified)
}

/// Whether a file that we removed holds what we never wrote. Of what we wrote, part may not have come
/// to the medium.
pub(super) fn is_foreign(print: &Print, facts: &Facts) -> bool {
    let in_part =
        facts.size <= print.size && facts.modified <= print.modified.saturating_add(TIME_GRAIN);
    let ours = in_part || is_unchanged(print, facts);
    !(ours && is_same_time(print.born, facts.born))
}

/// Whether two times are the same, in whatever time zone.
pub(super) fn is_same_time(recorded: i64, there: i64) -> bool {
    let shift = recorded.abs_diff(there);
    let zone = shift <= ZONE_MAX && shift % ZONE_STEP <= TIME_GRAIN.unsigned_abs();
    shift <= TIME_GRAIN.unsigned_abs() || zone
}
