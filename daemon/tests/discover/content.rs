//! What is on the media: stores and sessions.

use std::{fs, os::unix::fs::symlink, path::Path};

use wendy_store::{
    BaseImage, Consistency, Generation, GenerationFacts, GenerationRecord, Name, SessionId,
    SessionRecord, Stack, StoreId, StoreRecord, layout,
};

/// The image of all sessions, and of the running system.
pub fn base() -> BaseImage {
    BaseImage::from_layers(&[])
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn write(path: impl AsRef<Path>, bytes: Vec<u8>) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A store with one session, which is the default.
pub fn store_tree(root: &Path, id: StoreId, default: SessionId) {
    let record = StoreRecord::new(id, name("My stick"), 1);
    write(root.join(layout::MARKER), record.render().unwrap());
    session_tree(root, default, Some(3));
    symlink(
        layout::default_target(Some(default)),
        root.join(layout::DEFAULT),
    )
    .unwrap();
}

/// A session with a complete save of this number; without one it has only begun.
pub fn session_tree(root: &Path, id: SessionId, generation: Option<u32>) {
    let record = SessionRecord::new(id, name("Biofuel report"), Stack::LiveBoot, base(), 17);
    write(
        root.join(layout::session_record(id)),
        record.render().unwrap(),
    );
    let Some(number) = generation.and_then(Generation::new) else {
        return;
    };
    let facts = GenerationFacts {
        size: 500,
        files: 20,
        entries: 30,
        kernel: "6.12".into(),
        consistency: Consistency::Settled,
    };
    let record = GenerationRecord::new(number, 18, facts);
    write(
        root.join(layout::generation_record(id, number)),
        record.render().unwrap(),
    );
    let directory = root.join(layout::generation_dir(id, number));
    fs::create_dir(directory.join(layout::UPPER)).unwrap();
    let current = root.join(layout::session_dir(id)).join(layout::CURRENT);
    symlink(layout::current_target(number), current).unwrap();
}
