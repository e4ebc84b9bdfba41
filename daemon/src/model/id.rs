//! How objects are named: stable ids that are also valid path elements of the bus.

use std::{fmt, str::FromStr};

use wendy_store::StoreId;

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

/// What a store is called on the bus: normally its UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey(pub u128);

impl StoreKey {
    /// The key of the store with this UUID; any other text gets a key of its own.
    ///
    /// Pass `<DeviceId>` for a medium without a UUID. Copies of one medium plugged in together
    /// carry the same UUID: of these, the later seen is `<UUID> on <DeviceId>`.
    pub fn new(text: impl fmt::Display) -> StoreKey {
        StoreKey(key_of(&text.to_string()))
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a session is called on the bus: its UUID, made different per store as [`StoreKey`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(pub u128);

impl SessionKey {
    /// The key of the session with this UUID; any other text gets a key of its own.
    pub fn new(text: impl fmt::Display) -> SessionKey {
        SessionKey(key_of(&text.to_string()))
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text names no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no id of an object")]
pub struct IdError;

fn key_of(text: &str) -> u128 {
    let id = text.parse().unwrap_or_else(|_| StoreId::derived(text));
    let digits = id.to_string().replace('-', "");
    u128::from_str_radix(&digits, 16).expect("a UUID is 32 hexadecimal digits")
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
    fn a_uuid_is_its_own_key() {
        let uuid = "01234567-89ab-4def-8123-456789abcdef";
        assert_eq!(StoreKey::new(uuid).to_string(), uuid.replace('-', ""));
        assert_eq!(
            SessionKey::new(uuid).0,
            0x0123_4567_89ab_4def_8123_4567_89ab_cdef
        );
    }

    #[test]
    fn other_texts_have_keys_that_differ_and_stay() {
        let texts = [
            "7_p1",
            "7_p2",
            "",
            "../\n%n",
            "01234567-89ab-4def-8123-456789abcdef on 7_p1",
        ];
        let keys: std::collections::BTreeSet<_> = texts.iter().map(StoreKey::new).collect();
        assert_eq!(keys.len(), texts.len());
        assert_eq!(
            StoreKey::new("7_p1"),
            StoreKey::new(DeviceId::partition(7, 1))
        );
    }
}
