//! POSIX access control lists, as far as a home of files has to know them.
//!
//! Nothing enforces them there, so they are kept out of sight until the home is an image again.
//! Meanwhile the permission bits of the group are its own: in a file with a list they are the mask of
//! all it names (acl(5)), and without the list the group would get what was given to others.

/// Extended attribute that holds the list of a file or directory.
pub const ACCESS: &[u8] = b"system.posix_acl_access";
/// Extended attribute that holds the list for what is made in a directory.
pub const DEFAULT: &[u8] = b"system.posix_acl_default";

/// Version and tags of `linux/posix_acl_xattr.h` and `linux/posix_acl.h`.
const VERSION: u32 = 2;
const GROUP_OBJ: u16 = 0x04;
const MASK: u16 = 0x10;

const GROUP_BITS: u16 = 0o070;

/// Whether an extended attribute of this name holds a list.
#[must_use]
pub fn is_list(name: &[u8]) -> bool {
    name == ACCESS || name == DEFAULT
}

/// The permission bits of a file with the bits `mode` and the list `list`, if it had no list.
#[must_use]
pub fn mode_without(list: &[u8], mode: u16) -> u16 {
    match group_and_mask(list) {
        Some((group, mask)) => mode & !GROUP_BITS | (group & mask) << 3,
        None => mode,
    }
}

/// The opposite of [`mode_without`], as long as nobody has changed the group's bits since.
#[must_use]
pub fn mode_with(list: &[u8], mode: u16) -> u16 {
    match group_and_mask(list) {
        Some((group, mask)) if mode & GROUP_BITS == (group & mask) << 3 => {
            mode & !GROUP_BITS | mask << 3
        }
        _ => mode,
    }
}

/// What a list says of the owning group, and its mask; `None` for a list without a mask, which says
/// no more than the permission bits, and for what is no list.
fn group_and_mask(list: &[u8]) -> Option<(u16, u16)> {
    let (version, entries) = list.split_first_chunk()?;
    let entries = entries.chunks_exact(8);
    if u32::from_le_bytes(*version) != VERSION || !entries.remainder().is_empty() {
        return None;
    }
    let (mut group, mut mask) = (None, None);
    for entry in entries {
        let word = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        match word(0) {
            GROUP_OBJ => group = Some(word(2) & 7),
            MASK => mask = Some(word(2) & 7),
            _ => {}
        }
    }
    group.zip(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list with these permissions of the group and the mask.
    fn list(group: u8, mask: u8) -> Vec<u8> {
        let entry = |tag, permissions| [tag, 0, permissions, 0, 0xff, 0xff, 0xff, 0xff];
        let named = [2, 0, 7, 0, 33, 0, 0, 0];
        let entries = [
            entry(1, 6),
            named,
            entry(4, group),
            entry(0x10, mask),
            entry(0x20, 4),
        ];
        [&2u32.to_le_bytes()[..], &entries.concat()].concat()
    }

    #[test]
    fn the_group_gets_no_more_without_a_list_and_the_mask_is_back_with_it() {
        for (group, mask, without) in [(0, 7, 0o4604), (5, 6, 0o4644), (7, 7, 0o4674)] {
            let with = 0o4604 | u16::from(mask) << 3;
            let list = list(group, mask);
            assert_eq!(mode_without(&list, with), without);
            assert_eq!(mode_with(&list, without), with);
        }
    }

    #[test]
    fn bits_changed_meanwhile_stay() {
        assert_eq!(mode_with(&list(0, 7), 0o640), 0o640);
    }

    #[test]
    fn what_is_no_list_changes_nothing() {
        let cut = &list(0, 7)[..20];
        let newer = [&3u32.to_le_bytes()[..], &list(0, 7)[4..]].concat();
        for list in [b"" as &[u8], b"\x02\0\0", cut, &newer] {
            assert_eq!(mode_without(list, 0o674), 0o674);
            assert_eq!(mode_with(list, 0o604), 0o604);
        }
    }
}
