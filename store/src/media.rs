//! Naming what other people's media are, from plain facts about them.
//!
//! Nothing is decided here but a name: a medium that carries no marker of ours is never written
//! to without being asked, whatever it looks like.

/// What was seen on a filesystem without writing to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaFacts {
    /// Type of the filesystem as libblkid names it, empty if unknown.
    pub fs_type: String,
    /// Label of the filesystem, empty if none.
    pub label: String,
    /// Name of the partition in a GPT, empty if none.
    pub partition_name: String,
    /// Labels of the other filesystems on the same disk.
    pub siblings: Vec<String>,
    /// Entries of the root directory; empty if it could not be looked at.
    pub root: Vec<Entry>,
    /// Entries of `/LiveOS`.
    pub live_os: Vec<Entry>,
    /// Content of `/persistence.conf`.
    pub persistence_conf: Option<String>,
    /// Whether `/casper/.info` is there.
    pub marker: bool,
    /// Whether `/.disk/info` is there.
    pub disk_info: bool,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

/// What a medium is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// A store of wendy.
    Wendy,
    /// casper's persistence as an overlay: `upper` and `work`.
    Casper,
    /// casper's persistence from before overlays: the changes stand directly in the root.
    CasperOld,
    /// casper's persistent `/home`.
    CasperHome,
    /// casper's snapshot, copied into the system at each boot.
    CasperSnapshot,
    /// live-boot's persistence.
    LiveBoot,
    /// A persistent overlay or home of dracut's live systems.
    LiveOs,
    /// The encrypted storage of Tails.
    Tails,
    /// A Ventoy stick.
    Ventoy,
    /// A stick written by Rufus.
    Rufus,
    /// A live or installation medium.
    LiveMedium,
    /// Nothing of the above.
    Plain,
}

/// What a medium is, and one plain sentence about it (empty for [`MediaKind::Plain`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// The kind.
    pub kind: MediaKind,
    /// For people.
    pub description: &'static str,
}

/// Names a medium. The most certain sign wins: a marker before contents, contents before labels.
#[must_use]
pub fn recognise(facts: &MediaFacts) -> Recognised {
    let (kind, description) = RULES
        .iter()
        .find(|(holds, ..)| holds(facts))
        .map_or((MediaKind::Plain, ""), |(_, kind, description)| {
            (*kind, *description)
        });
    Recognised { kind, description }
}

type Rule = (fn(&MediaFacts) -> bool, MediaKind, &'static str);

const RULES: [Rule; 17] = [
    (|facts| facts.marker, MediaKind::Wendy, "a wendy store"),
    (
        is_tails,
        MediaKind::Tails,
        "the persistent storage of Tails, left alone",
    ),
    (
        is_ventoy,
        MediaKind::Ventoy,
        "a Ventoy stick that starts images from files",
    ),
    (
        |facts| is_rufus(facts) && is_casper_label(&facts.label),
        MediaKind::Rufus,
        "the persistent partition of a stick made with Rufus, for Ubuntu's live systems",
    ),
    (
        |facts| is_rufus(facts) && is_live_boot(facts),
        MediaKind::Rufus,
        "the persistent partition of a stick made with Rufus, for Debian's live systems",
    ),
    (
        |facts| is_casper_label(&facts.label) && facts.directory("upper"),
        MediaKind::Casper,
        "the saved session of an Ubuntu live system, made by casper",
    ),
    (
        is_casper_old,
        MediaKind::CasperOld,
        "the saved session of an old Ubuntu live system, from before overlays",
    ),
    (
        |facts| is_casper_label(&facts.label),
        MediaKind::Casper,
        "an empty place for the session of an Ubuntu live system, made by casper",
    ),
    (
        |facts| facts.label == "home-rw" || facts.file("home-rw"),
        MediaKind::CasperHome,
        "the saved home directories of an Ubuntu live system",
    ),
    (
        is_casper_snapshot,
        MediaKind::CasperSnapshot,
        "a snapshot that an Ubuntu live system copies in at each start",
    ),
    (
        is_live_boot,
        MediaKind::LiveBoot,
        "the saved session of a Debian live system, made by live-boot",
    ),
    (
        |facts| {
            facts
                .live_os
                .iter()
                .any(|entry| entry.name.starts_with("overlay-"))
        },
        MediaKind::LiveOs,
        "a Fedora-style live medium with a saved session on it",
    ),
    (
        |facts| facts.live_os.iter().any(|entry| entry.name == "home.img"),
        MediaKind::LiveOs,
        "a Fedora-style live medium with saved home directories on it",
    ),
    (
        |facts| facts.file("casper-rw") || facts.file("writable"),
        MediaKind::Casper,
        "a stick with the saved session of an Ubuntu live system in a file",
    ),
    (
        |facts| facts.file("persistence"),
        MediaKind::LiveBoot,
        "a stick with the saved session of a Debian live system in a file",
    ),
    (
        |facts| !facts.live_os.is_empty() || facts.directory("live") && facts.directory(".disk"),
        MediaKind::LiveMedium,
        "a live medium",
    ),
    (
        |facts| facts.disk_info || facts.fs_type == "iso9660" && facts.directory("casper"),
        MediaKind::LiveMedium,
        "a live or installation medium",
    ),
];

impl MediaFacts {
    fn has(&self, name: &str, kind: EntryKind) -> bool {
        self.root
            .iter()
            .any(|entry| entry.kind == kind && entry.name == name)
    }

    fn directory(&self, name: &str) -> bool {
        self.has(name, EntryKind::Directory)
    }

    fn file(&self, name: &str) -> bool {
        self.has(name, EntryKind::File)
    }
}

/// The labels casper looks for.
#[must_use]
pub fn is_casper_label(label: &str) -> bool {
    matches!(label, "casper-rw" | "writable")
}

/// Tails names its LUKS partition so; what is inside cannot be seen.
fn is_tails(facts: &MediaFacts) -> bool {
    facts.label == "TailsData" || facts.partition_name == "TailsData"
}

fn is_ventoy(facts: &MediaFacts) -> bool {
    matches!(facts.label.as_str(), "Ventoy" | "VTOYEFI")
        || facts.siblings.iter().any(|label| label == "VTOYEFI")
        || facts.directory("ventoy")
}

/// Rufus puts its persistent partition behind the FAT one with the image's files and, for
/// partitions larger than the drivers of firmware can read, a small one labelled `UEFI_NTFS`.
fn is_rufus(facts: &MediaFacts) -> bool {
    facts.siblings.iter().any(|label| label == "UEFI_NTFS")
}

/// Before overlays casper kept the changes in the root itself: parts of a system's tree, no upper.
fn is_casper_old(facts: &MediaFacts) -> bool {
    let system = ["etc", "home", "usr", "var"];
    is_casper_label(&facts.label)
        && !facts.directory("upper")
        && system.iter().filter(|name| facts.directory(name)).count() >= 2
}

fn is_casper_snapshot(facts: &MediaFacts) -> bool {
    let names = ["casper-sn", "home-sn"];
    let is_image = |entry: &Entry| {
        names.iter().any(|name| {
            let rest = entry.name.strip_prefix(name);
            rest.is_some_and(|rest| matches!(rest, ".squashfs" | ".cpio.gz" | ".ext2"))
        })
    };
    names.contains(&facts.label.as_str()) || facts.root.iter().any(is_image)
}

fn is_live_boot(facts: &MediaFacts) -> bool {
    facts.persistence_conf.is_some()
        || facts.label == "persistence"
        || facts.partition_name == "persistence"
}

#[cfg(test)]
mod tests;
