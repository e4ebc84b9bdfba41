//! Which questions are asked about a filesystem.
//!
//! Bounded in every direction, because the one who answers may be hostile: entries, sessions,
//! bytes per record and bytes in all.

use wendy_store::{SessionId, info, layout};

use super::{
    ext4::Ext4Tree,
    report::{Image, Kind, Report, SessionSeen, Text},
    tree::{TooLarge, Tree},
};

const MOST_ROOT_ENTRIES: usize = 256;
const MOST_SESSIONS: usize = 256;
/// Of one record; wendy's own have some hundred.
const MOST_RECORD_BYTES: usize = 8 << 10;
/// Of all sessions together; what does not fit is left out and said so.
const MOST_SESSION_BYTES: usize = 96 << 10;
const MOST_CONF_BYTES: usize = 4096;
/// A long name is not one of those that say something.
const MOST_NAME_BYTES: usize = 64;

/// Files in the root that may hold a filesystem, beside the one a marker names.
const IMAGE_NAMES: [&str; 3] = ["persistence", "writable", "casper-rw"];

/// Everything a report says about the filesystem and an image in its root.
pub fn describe(tree: &dyn Tree) -> Report {
    let mut report = describe_one(tree);
    report.image = find_image(tree, &report).map(Box::new);
    report
}

fn describe_one(tree: &dyn Tree) -> Report {
    let (root, _) = tree.entries("", MOST_ROOT_ENTRIES);
    let mut report = Report {
        space: tree.space(),
        clean: tree.clean(),
        needs_check: tree.needs_check(),
        root: short_names(root),
        live_os: short_names(tree.entries("LiveOS", MOST_ROOT_ENTRIES).0),
        persistence_conf: conf(tree),
        disk_info: tree.kind(".disk/info") == Some(Kind::File),
        marker: record(tree, layout::MARKER, info::MAX_BYTES),
        ..Report::default()
    };
    if report.marker.is_some() {
        report.default = tree.link(layout::DEFAULT).map(short);
        (report.sessions, report.left_out) = sessions(tree);
    }
    report
}

fn short_names(mut entries: Vec<(String, Kind)>) -> Vec<(String, Kind)> {
    entries.retain(|(name, _)| name.len() <= MOST_NAME_BYTES);
    entries
}

fn conf(tree: &dyn Tree) -> Option<String> {
    let bytes = tree.read(layout::PERSISTENCE_CONF, MOST_CONF_BYTES)?.ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn record(tree: &dyn Tree, path: &str, most: usize) -> Option<Text> {
    Some(match tree.read(path, most)? {
        Ok(bytes) => Text::new(bytes),
        Err(TooLarge) => Text::TooLarge,
    })
}

fn sessions(tree: &dyn Tree) -> (Vec<SessionSeen>, bool) {
    let (entries, mut left_out) = tree.entries(layout::SESSIONS, MOST_SESSIONS);
    let mut room = MOST_SESSION_BYTES;
    let mut seen = Vec::new();
    let directories = entries
        .into_iter()
        .filter(|(_, kind)| *kind == Kind::Directory);
    for session in directories.filter_map(|(name, _)| name.parse::<SessionId>().ok()) {
        let one = session_seen(tree, session);
        match room.checked_sub(one.size()) {
            Some(rest) => room = rest,
            None => {
                left_out = true;
                break;
            }
        }
        seen.push(one);
    }
    (seen, left_out)
}

fn session_seen(tree: &dyn Tree, session: SessionId) -> SessionSeen {
    let directory = layout::session_dir(session);
    let current = tree
        .link(&format!("{directory}/{}", layout::CURRENT))
        .map(short);
    let generation = current
        .as_deref()
        .and_then(layout::parse_current)
        .filter(|number| {
            let upper = format!(
                "{}/{}",
                layout::generation_dir(session, *number),
                layout::UPPER
            );
            tree.kind(&upper) == Some(Kind::Directory)
        });
    SessionSeen {
        id: session.to_string(),
        record: record(tree, &layout::session_record(session), MOST_RECORD_BYTES),
        current,
        generation: generation.and_then(|number| {
            record(
                tree,
                &layout::generation_record(session, number),
                MOST_RECORD_BYTES,
            )
        }),
    }
}

impl SessionSeen {
    fn size(&self) -> usize {
        let bytes = |text: &Option<Text>| match text {
            Some(Text::Utf8(text)) => text.len(),
            // Numbers and commas: a byte takes four in the report.
            Some(Text::Bytes(bytes)) => 4 * bytes.len(),
            Some(Text::TooLarge) | None => 0,
        };
        self.id.len() + bytes(&self.record) + bytes(&self.generation)
    }
}

fn find_image(tree: &dyn Tree, outer: &Report) -> Option<Image> {
    let named = outer.marker.as_ref().and_then(named_image);
    let candidates = named.into_iter().chain(IMAGE_NAMES.map(str::to_owned));
    candidates.into_iter().find_map(|file| {
        let report = describe_one(&Ext4Tree::open(tree.open(&file)?)?);
        report.marker.is_some().then_some(Image { file, report })
    })
}

/// Only looks for the file; whether the marker is sound is for the daemon to say.
fn named_image(marker: &Text) -> Option<String> {
    let info = info::Info::parse(marker.bytes()?).ok()?;
    let name = info.get("image")?;
    let is_name = !name.is_empty() && !name.contains('/') && !matches!(name, "." | "..");
    is_name.then(|| name.to_owned())
}

/// Link targets that mean something are short.
fn short(mut target: String) -> String {
    if target.len() > MOST_NAME_BYTES {
        target.clear();
    }
    target
}
