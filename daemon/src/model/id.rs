//! How objects are named: stable ids that are also valid path elements of the bus.

use std::{fmt, str::FromStr};

/// A block device: the kernel's disk sequence number, which is never used twice while the machine
/// is up, and the partition on that disk.
///
/// Shown as `7` for a disk and `7_p2` for its second partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId {
    /// `/sys/block/<disk>/diskseq` of the whole disk.
    pub diskseq: u64,
    /// Number of the partition; `None` is the whole disk.
    pub partition: Option<u32>,
}

impl DeviceId {
    /// A whole disk.
    pub fn disk(diskseq: u64) -> DeviceId {
        DeviceId {
            diskseq,
            partition: None,
        }
    }

    /// A partition of a disk.
    pub fn partition(diskseq: u64, number: u32) -> DeviceId {
        DeviceId {
            diskseq,
            partition: Some(number),
        }
    }

    /// The disk it is on; itself for a whole disk.
    pub fn whole_disk(self) -> DeviceId {
        DeviceId::disk(self.diskseq)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partition {
            None => write!(f, "{}", self.diskseq),
            Some(number) => write!(f, "{}_p{number}", self.diskseq),
        }
    }
}

impl FromStr for DeviceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<DeviceId, IdError> {
        let (disk, partition) = match text.split_once("_p") {
            Some((disk, number)) => (disk, Some(number.parse().map_err(|_| IdError)?)),
            None => (text, None),
        };
        let diskseq = disk.parse().map_err(|_| IdError)?;
        let id = DeviceId { diskseq, partition };
        // One object has one path: no `+7`, no `007`.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(IdError)
        }
    }
}

/// What a store is called on the bus.
///
/// Normally the UUID of its record; see [`StoreKey::new`] for media without one and for copies of
/// one medium plugged in together, which carry the same UUID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey(String);

impl StoreKey {
    /// Turns any text into a key: `-` goes, so that a UUID becomes its 32 digits, and whatever else
    /// a path element cannot hold becomes `_`.
    ///
    /// Pass the UUID of the store, or `device_<DeviceId>` for a medium without one. Of two media
    /// with one UUID the later seen is `<UUID>_<DeviceId>`.
    pub fn new(text: impl fmt::Display) -> StoreKey {
        StoreKey(path_element(&text.to_string()))
    }

    /// The key as a path element.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a session is called on the bus: its UUID, made different per store as [`StoreKey`] is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(String);

impl SessionKey {
    /// Turns any text into a key: `-` goes, so that a UUID becomes its 32 digits, and whatever else
    /// a path element cannot hold becomes `_`.
    pub fn new(text: impl fmt::Display) -> SessionKey {
        SessionKey(path_element(&text.to_string()))
    }

    /// The key as a path element.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text names no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no id of an object")]
pub struct IdError;

/// D-Bus path elements are `[A-Za-z0-9_]+` (D-Bus specification, "Valid Object Paths").
fn path_element(text: &str) -> String {
    let kept = text.chars().filter(|c| *c != '-');
    kept.map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_survive_the_way_to_the_bus_and_back() {
        for id in [
            DeviceId::disk(7),
            DeviceId::partition(7, 2),
            DeviceId::disk(u64::MAX),
        ] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn one_device_has_one_spelling() {
        for text in [
            "", "x", "+7", "007", "7_p", "7_p02", "7_p-1", "7_q1", "7_p1_p2", "-1",
        ] {
            assert_eq!(text.parse::<DeviceId>(), Err(IdError), "{text}");
        }
    }

    #[test]
    fn keys_are_path_elements_whatever_the_medium_says() {
        assert_eq!(StoreKey::new("ab-../\n%n").as_str(), "ab_____n");
        assert_eq!(SessionKey::new("0b7e-11").as_str(), "0b7e11");
    }
}
