//! How long a save will take, by how fast the last one to that disk went.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A save of fewer bytes says more about looking than about writing.
const TELLING: u64 = 8 << 20;

/// Bytes a second that a plain medium takes on its bus. Better to be early than late.
const PLAIN: [(&str, u64); 2] = [("usb", 15_000_000), ("mmc", 15_000_000)];
/// The same for everything else.
const FAST: u64 = 100_000_000;

/// A disk, as far as its pace depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Disk<'a> {
    /// What tells it from every other one.
    pub diskseq: u64,
    /// How it is attached.
    pub bus: &'a str,
}

/// Bytes a second of whole saves, by disk. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Paces(Arc<Mutex<BTreeMap<u64, u64>>>);

impl Paces {
    /// Notes that a save of `bytes` took so long.
    pub fn note(&self, diskseq: u64, bytes: u64, took: Duration) {
        if bytes >= TELLING {
            let pace = u128::from(bytes) * 1000 / took.as_millis().max(1);
            let pace = u64::try_from(pace).unwrap_or(u64::MAX).max(1);
            let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            paces.insert(diskseq, pace);
        }
    }

    /// Seconds that a save of `bytes` will take; none for one that writes nothing.
    pub fn seconds(&self, disk: Disk<'_>, bytes: u64) -> Option<u64> {
        let paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.get(&disk.diskseq).copied();
        let pace = pace.unwrap_or_else(|| usual(disk.bus));
        (bytes > 0).then(|| bytes.div_ceil(pace))
    }
}

fn usual(bus: &str) -> u64 {
    let plain = PLAIN.iter().find(|(name, _)| *name == bus);
    plain.map_or(FAST, |(_, pace)| *pace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_save_tells_how_long_the_next_one_takes() {
        let paces = Paces::default();
        let stick = Disk {
            diskseq: 7,
            bus: "usb",
        };
        assert_eq!(paces.seconds(stick, 45_000_000), Some(3));
        paces.note(7, 100_000_000, Duration::from_secs(50));
        paces.note(7, 1_000, Duration::from_secs(50));
        assert_eq!(paces.seconds(stick, 45_000_000), Some(23));
        assert_eq!(paces.seconds(stick, 0), None);
        let other = Disk {
            diskseq: 8,
            bus: "usb",
        };
        assert_eq!(paces.seconds(other, 45_000_000), Some(3));
        paces.note(8, u64::MAX, Duration::ZERO);
        assert_eq!(paces.seconds(other, 1), Some(1));
    }
}
