//! This machine, as far as it matters to a home: its groups, and who it is.

use crate::home::{GroupNames, Options};
use nix::unistd::Group;

/// Those of a home that belongs to this user and group of this machine.
#[must_use]
pub fn options(uid: u32, gid: u32) -> Options {
    Options {
        groups: GroupNames {
            name_of: |gid| Some(Group::from_gid(gid.into()).ok()??.name),
            id_of: |name| Some(Group::from_name(name).ok()??.gid.as_raw()),
        },
        host: host_id(),
        ..Options::new(uid, gid)
    }
}

/// A hash of this machine's id, so that the medium does not tell it to others.
fn host_id() -> [u8; 16] {
    let id = std::fs::read("/etc/machine-id").unwrap_or_default();
    let mut host = [0; 16];
    for (chunk, salt) in host.chunks_mut(4).zip(0u32..) {
        let crc = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &id);
        chunk.copy_from_slice(&crc.to_le_bytes());
    }
    host
}
