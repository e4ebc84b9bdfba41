//! Where everything stands on a store. All paths are relative to the root of its filesystem,
//! all link targets are relative too, because every live stack mounts a store somewhere else.
//!
//! ```text
//! casper/.info                                   the marker
//! casper/blank/{upper,work}                      empty; what stock casper may write to
//! casper/default -> blank | sessions/<id>        the default session: one link, one rename
//! casper/sessions/<id>/.info                     session record
//! casper/sessions/<id>/generations/<n>/.info     generation record
//! casper/sessions/<id>/generations/<n>/{upper,work}, ovlwork -> work
//! casper/sessions/<id>/current -> generations/<n>
//! casper/sessions/<id>/{upper,rw,work,persistence.conf}   what stock images look for
//! casper/snapshots/
//! upper, work, rw, persistence.conf -> casper/default/…
//! ```
//!
//! Two rules of stock images shape this:
//! * casper moves everything in the root of a filesystem labelled `writable` or `casper-rw` into
//!   `/upper` unless that exists. So `/upper` is made first and resolves at every moment; for a
//!   session of another stack it leads to the blank upper, so that casper cannot boot (and write
//!   into) an upper layer that was made on another image.
//! * live-boot passes over a filesystem whose `/persistence.conf` it cannot read. So only
//!   sessions of live-boot have that file.

use crate::{Generation, SessionId, Stack};

/// The store's marker; also the store's record.
pub const MARKER: &str = "casper/.info";
/// wendy's directory on a store.
pub const ROOT: &str = "casper";
/// Name of the record in the directory of a store, a session or a generation.
pub const RECORD: &str = ".info";
/// The directory of all sessions.
pub const SESSIONS: &str = "casper/sessions";
/// The directory of snapshots. Never `casper` itself: casper stacks every image it finds there.
pub const SNAPSHOTS: &str = "casper/snapshots";
/// The upper layer that belongs to no session.
pub const BLANK: &str = "casper/blank";
/// The link that says which session is the default.
pub const DEFAULT: &str = "casper/default";
/// Target of [`DEFAULT`] while there is no default session.
pub const NO_DEFAULT: &str = "blank";
/// The link in a session that says which generation is the last complete one.
pub const CURRENT: &str = "current";
/// The directory of generations in a session.
pub const GENERATIONS: &str = "generations";
/// The real upper layer in a generation.
pub const UPPER: &str = "upper";
/// The real work directory in a generation.
pub const WORK: &str = "work";
/// Name of live-boot's configuration file.
pub const PERSISTENCE_CONF: &str = "persistence.conf";
/// Content of that file: the whole root is kept, as an overlay.
pub const PERSISTENCE_CONF_CONTENT: &str = "/ union\n";
/// Filesystem label of a store: casper looks for it.
pub const FILESYSTEM_LABEL: &str = "writable";
/// GPT partition name of a store: live-boot looks for it before it looks at labels.
pub const PARTITION_NAME: &str = "persistence";
/// The largest file FAT32 can hold, in bytes.
pub const FAT_FILE_LIMIT: u64 = 0xFFFF_FFFF;

/// A symbolic link, by the path where it stands and the text it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where the link stands; relative to the root of the store or to the named directory.
    pub path: &'static str,
    /// What it points to, relative to the directory it stands in.
    pub target: &'static str,
}

/// The links in the root of every store. They never change: the default does.
pub const ROOT_LINKS: [Link; 4] = [
    Link {
        path: "upper",
        target: "casper/default/upper",
    },
    Link {
        path: "work",
        target: "casper/default/work",
    },
    Link {
        path: "rw",
        target: "casper/default/rw",
    },
    Link {
        path: "persistence.conf",
        target: "casper/default/persistence.conf",
    },
];

/// The link beside the real upper layer in every generation; dracut looks for it at the place
/// that a link to the upper layer leads to.
pub const GENERATION_LINK: Link = Link {
    path: "ovlwork",
    target: "work",
};

const SESSION_LINKS: [Link; 2] = [
    Link {
        path: "rw",
        target: "current/upper",
    },
    Link {
        path: "work",
        target: "current/work",
    },
];
const OWN_UPPER: Link = Link {
    path: "upper",
    target: "current/upper",
};
const BLANK_UPPER: Link = Link {
    path: "upper",
    target: "../../blank/upper",
};

/// The links in the directory of a session of `stack`.
#[must_use]
pub fn session_links(stack: Stack) -> [Link; 3] {
    let [rw, work] = SESSION_LINKS;
    match stack {
        Stack::Casper => [rw, work, OWN_UPPER],
        Stack::LiveBoot | Stack::Dracut => [rw, work, BLANK_UPPER],
    }
}

/// Whether the directory of a session of `stack` holds [`PERSISTENCE_CONF`].
#[must_use]
pub fn has_persistence_conf(stack: Stack) -> bool {
    stack == Stack::LiveBoot
}

/// The directory of a session.
#[must_use]
pub fn session_dir(session: SessionId) -> String {
    format!("{SESSIONS}/{session}")
}

/// The record of a session.
#[must_use]
pub fn session_record(session: SessionId) -> String {
    format!("{SESSIONS}/{session}/{RECORD}")
}

/// The directory of a generation.
#[must_use]
pub fn generation_dir(session: SessionId, generation: Generation) -> String {
    format!("{SESSIONS}/{session}/{GENERATIONS}/{generation}")
}

/// The record of a generation.
#[must_use]
pub fn generation_record(session: SessionId, generation: Generation) -> String {
    format!("{SESSIONS}/{session}/{GENERATIONS}/{generation}/{RECORD}")
}

/// What [`CURRENT`] holds when `generation` is the last complete one.
#[must_use]
pub fn current_target(generation: Generation) -> String {
    format!("{GENERATIONS}/{generation}")
}

/// Reads what [`CURRENT`] holds.
#[must_use]
pub fn parse_current(target: &str) -> Option<Generation> {
    target
        .strip_prefix(GENERATIONS)?
        .strip_prefix('/')?
        .parse()
        .ok()
}

/// What [`DEFAULT`] holds when `session` is the default.
#[must_use]
pub fn default_target(session: Option<SessionId>) -> String {
    session.map_or_else(|| NO_DEFAULT.to_owned(), |id| format!("sessions/{id}"))
}

/// Reads what [`DEFAULT`] holds; none if it is blank or not understood.
#[must_use]
pub fn parse_default(target: &str) -> Option<SessionId> {
    target.strip_prefix("sessions/")?.parse().ok()
}

/// The file in the root of a FAT, exFAT or NTFS medium that holds a store for sessions of
/// `stack`, by the name under which the stock image finds it.
#[must_use]
pub fn image_name(stack: Stack) -> &'static str {
    match stack {
        Stack::Casper => "writable",
        Stack::LiveBoot | Stack::Dracut => "persistence",
    }
}

/// The largest file, in bytes, that a filesystem of this type (as the kernel names it) can hold,
/// where that is a limit worth knowing.
#[must_use]
pub fn file_limit(fs_type: &str) -> Option<u64> {
    (fs_type == "vfat").then_some(FAT_FILE_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_of_the_root_resolve_in_every_session_and_without_one() {
        for stack in Stack::ALL {
            let names: Vec<_> = session_links(stack).iter().map(|link| link.path).collect();
            assert_eq!(names, ["rw", "work", "upper"], "{stack}");
        }
        assert!(
            ROOT_LINKS
                .iter()
                .all(|link| link.target.starts_with(DEFAULT))
        );
    }

    #[test]
    fn casper_reaches_only_its_own_sessions() {
        assert!(session_links(Stack::Casper).contains(&OWN_UPPER));
        assert!(!session_links(Stack::LiveBoot).contains(&OWN_UPPER));
        assert!(!has_persistence_conf(Stack::Casper));
    }

    #[test]
    fn pointers_are_read_as_written_and_nothing_else() {
        let id = SessionId::random();
        let two = Generation::FIRST.next();
        assert_eq!(parse_current(&current_target(two)), Some(two));
        assert_eq!(parse_default(&default_target(Some(id))), Some(id));
        assert_eq!(parse_default(&default_target(None)), None);
        for text in [
            "",
            "generations",
            "generations/",
            "generations/2/..",
            "/generations/2",
            "generations//2",
        ] {
            assert_eq!(parse_current(text), None, "{text}");
        }
        assert_eq!(parse_default(&format!("sessions/{id}/")), None);
        assert_eq!(parse_default("../../etc"), None);
    }

    #[test]
    fn paths_stay_below_the_store() {
        let id = SessionId::random();
        let path = generation_record(id, Generation::FIRST);
        assert_eq!(path, format!("{}/generations/1/.info", session_dir(id)));
        assert!(session_record(id).starts_with(SESSIONS));
    }
}
