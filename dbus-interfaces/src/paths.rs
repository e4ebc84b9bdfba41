//! Object paths of the service and the identities they carry.
//!
//! A path from the bus is untrusted text: it becomes an identity only by parsing, and the parser
//! accepts exactly what `to_path` writes.

use std::fmt;

use zbus::OwnedObjectPath;

/// The root object: `org.ubuntu.Wendy` and the object manager.
pub const ROOT: &str = "/org/ubuntu/Wendy";
/// Parent of all device objects.
pub const DEVICES: &str = "/org/ubuntu/Wendy/devices";
/// Parent of all store objects.
pub const STORES: &str = "/org/ubuntu/Wendy/stores";
/// Parent of all session objects.
pub const SESSIONS: &str = "/org/ubuntu/Wendy/sessions";
/// Parent of all job objects.
pub const JOBS: &str = "/org/ubuntu/Wendy/jobs";

/// The path that stands for "no object" in properties and dictionaries.
pub fn none() -> OwnedObjectPath {
    OwnedObjectPath::try_from("/").expect("the root path is valid")
}

/// Whether a path stands for "no object".
pub fn is_none(path: &str) -> bool {
    path == "/"
}

/// A disk, or one of its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevicePath {
    /// Disk sequence number of the whole disk; the kernel never uses one twice.
    pub disk_seq: u64,
    /// Partition number, from 1.
    pub partition: Option<u32>,
}

/// A store, by the 128 bits of its UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(pub u128);

/// A session, by the 128 bits of its UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionPath(pub u128);

/// A job, by its number since the daemon was started, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobPath(pub u64);

impl DevicePath {
    /// The device's object path.
    pub fn to_path(self) -> OwnedObjectPath {
        owned(&self)
    }

    /// The device a path names, or `None` if it is not a device's path.
    pub fn parse(path: &str) -> Option<Self> {
        let id = child_of(DEVICES, path)?;
        let (disk, partition) = match id.split_once("_p") {
            Some((disk, partition)) => (disk, Some(u32::try_from(number(partition)?).ok()?)),
            None => (id, None),
        };
        Some(Self {
            disk_seq: number(disk)?,
            partition,
        })
    }
}

impl StorePath {
    /// The store's object path.
    pub fn to_path(self) -> OwnedObjectPath {
        owned(&self)
    }

    /// The store a path names, or `None` if it is not a store's path.
    pub fn parse(path: &str) -> Option<Self> {
        uuid(child_of(STORES, path)?).map(Self)
    }
}

impl SessionPath {
    /// The session's object path.
    pub fn to_path(self) -> OwnedObjectPath {
        owned(&self)
    }

    /// The session a path names, or `None` if it is not a session's path.
    pub fn parse(path: &str) -> Option<Self> {
        uuid(child_of(SESSIONS, path)?).map(Self)
    }
}

impl JobPath {
    /// The job's object path.
    pub fn to_path(self) -> OwnedObjectPath {
        owned(&self)
    }

    /// The job a path names, or `None` if it is not a job's path.
    pub fn parse(path: &str) -> Option<Self> {
        number(child_of(JOBS, path)?).map(Self)
    }
}

impl fmt::Display for DevicePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DEVICES}/{}", self.disk_seq)?;
        self.partition
            .map_or(Ok(()), |number| write!(f, "_p{number}"))
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORES}/{:032x}", self.0)
    }
}

impl fmt::Display for SessionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SESSIONS}/{:032x}", self.0)
    }
}

impl fmt::Display for JobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{JOBS}/{}", self.0)
    }
}

fn owned(path: &impl fmt::Display) -> OwnedObjectPath {
    OwnedObjectPath::try_from(path.to_string()).expect("digits make a valid path element")
}

fn child_of<'a>(parent: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(parent)?.strip_prefix('/')
}

/// A decimal number in its only spelling: no sign, no leading zero, not zero.
fn number(text: &str) -> Option<u64> {
    let canonical = text.starts_with(|c: char| matches!(c, '1'..='9'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// 32 lower-case hexadecimal digits.
fn uuid(text: &str) -> Option<u128> {
    let canonical =
        text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    canonical
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_survive_the_way_through_a_path() {
        for device in [
            DevicePath {
                disk_seq: 7,
                partition: None,
            },
            DevicePath {
                disk_seq: u64::MAX,
                partition: Some(u32::MAX),
            },
        ] {
            assert_eq!(DevicePath::parse(device.to_path().as_str()), Some(device));
        }
        for id in [0, 1, u128::MAX] {
            assert_eq!(
                StorePath::parse(StorePath(id).to_path().as_str()),
                Some(StorePath(id))
            );
            assert_eq!(
                SessionPath::parse(SessionPath(id).to_path().as_str()),
                Some(SessionPath(id))
            );
        }
        assert_eq!(
            JobPath::parse(JobPath(3).to_path().as_str()),
            Some(JobPath(3))
        );
    }

    #[test]
    fn paths_look_as_documented() {
        let partition = DevicePath {
            disk_seq: 12,
            partition: Some(3),
        };
        assert_eq!(partition.to_string(), "/org/ubuntu/Wendy/devices/12_p3");
        let store = StorePath(0xab);
        assert_eq!(
            store.to_string(),
            "/org/ubuntu/Wendy/stores/000000000000000000000000000000ab"
        );
    }

    #[test]
    fn only_the_one_spelling_is_accepted() {
        for path in [
            "/",
            "/org/ubuntu/Wendy/devices",
            "/org/ubuntu/Wendy/devices/",
            "/org/ubuntu/Wendy/devices/0",
            "/org/ubuntu/Wendy/devices/01",
            "/org/ubuntu/Wendy/devices/+1",
            "/org/ubuntu/Wendy/devices/1_p",
            "/org/ubuntu/Wendy/devices/1_p0",
            "/org/ubuntu/Wendy/devices/1_p4294967296",
            "/org/ubuntu/Wendy/devices/1/2",
            "/org/ubuntu/Wendy/devices/18446744073709551616",
            "/org/ubuntu/Wendy/stores/1",
        ] {
            assert_eq!(DevicePath::parse(path), None, "{path}");
        }
        for id in [
            "",
            "ab",
            "000000000000000000000000000000AB",
            "0000000000000000000000000000000g",
        ] {
            assert_eq!(StorePath::parse(&format!("{STORES}/{id}")), None, "{id}");
        }
    }
}
