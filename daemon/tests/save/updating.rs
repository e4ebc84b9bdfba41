//! An update writes what changed, whatever it was, and shares the rest.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use wendy_store::Generation;
use wendyd::{
    engine::{manage::Verdict, save::SaveRequest},
    stores::{OpenStore, Saved},
};

use crate::{common::*, scene::*};

#[test]
fn an_update_writes_what_changed_and_shares_the_rest() {
    let Some(scene) = Scene::new() else { return };
    settle();
    let first = scene.saved("Biofuel report");
    let store = scene.store();
    let shared = |store: &OpenStore| {
        let note = stock_upper(store).unwrap().join("home/ann/note9");
        fs::metadata(note).unwrap().ino()
    };
    let before = shared(&store);
    drop(store);
    scene.live.write("home/ann/note3", "another note");
    scene.live.write("srv/new", "new");
    fs::remove_file(scene.live.upper().join("home/ann/note4")).unwrap();
    let second = scene.save(&update_of(&first)).unwrap();
    assert_eq!(second.generation.generation.number(), 2);
    assert!(
        second.written_bytes < 1000,
        "{} bytes written",
        second.written_bytes
    );
    let store = scene.store();
    assert_eq!(look(&stock_upper(&store).unwrap()), scene.live.expected());
    assert_eq!(shared(&store), before);
    let generations =
        path_of(&store.root()).join(format!("casper/sessions/{}/generations", first.session));
    assert_eq!(fs::read_dir(generations).unwrap().count(), 1);
    drop(store);
    assert_eq!(scene.verdicts(), [Verdict::Complete]);
}

#[test]
fn nothing_new_makes_no_generation() {
    let Some(scene) = Scene::new() else { return };
    settle();
    let first = scene.saved("Biofuel report");
    let request = SaveRequest {
        name: "Fuel".to_owned(),
        ..update_of(&first)
    };
    let second = scene.save(&request).unwrap();
    assert_eq!(
        (second.generation.generation, second.written_bytes),
        (Generation::FIRST, 0)
    );
    let saved = Saved::read(scene.store().root()).unwrap();
    assert_eq!(saved.sessions[0].record.name.as_str(), "Fuel");
}

#[test]
fn a_lost_index_only_costs_time() {
    let Some(scene) = Scene::new() else { return };
    let first = scene.saved("Biofuel report");
    fs::remove_dir_all(scene.live.directory.path().join("index")).unwrap();
    scene.live.write("etc/hostname", "bob\n");
    let second = scene.save(&update_of(&first)).unwrap();
    assert!(second.written_bytes >= second.generation.size);
    assert_eq!(
        look(&stock_upper(&scene.store()).unwrap()),
        scene.live.expected()
    );
}

#[test]
fn a_generation_that_was_started_from_is_not_shared_with() {
    let Some(scene) = Scene::new() else { return };
    let first = scene.saved("Biofuel report");
    boot(&scene.store(), &scene.live.lower());
    let store = scene.store();
    fs::write(
        stock_upper(&store).unwrap().join("home/ann/note9"),
        "written while it ran",
    )
    .unwrap();
    drop(store);
    scene.live.write("etc/hostname", "bob\n");
    scene.save(&update_of(&first)).unwrap();
    assert_eq!(
        look(&stock_upper(&scene.store()).unwrap()),
        scene.live.expected()
    );
}

#[test]
fn what_a_program_wrote_through_a_mapping_is_saved() {
    let Some(scene) = Scene::new() else { return };
    scene.live.write("srv/database", "one page");
    settle();
    let first = scene.saved("Biofuel report");
    let path = scene.live.upper().join("srv/database");
    // Nothing but this has changed, and then something else as well.
    for (content, other) in [(*b"ONE PAGE", false), (*b"one page", true)] {
        write_through_mapping(&path, &content);
        if other {
            scene.live.write("etc/hostname", "bob\n");
        }
        settle();
        scene.save(&update_of(&first)).unwrap();
        let store = scene.store();
        assert_eq!(look(&stock_upper(&store).unwrap()), scene.live.expected());
        drop(store);
        assert_eq!(scene.verdicts(), [Verdict::Complete]);
    }
}

/// Leaves no trace in the inode: the page is mapped, and read, before it is written to.
#[allow(unsafe_code, reason = "mapping a file is the point")]
fn write_through_mapping(path: &Path, content: &[u8; 8]) {
    use std::num::NonZeroUsize;

    use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

    let file = fs::File::options().read(true).write(true).open(path);
    let file = file.unwrap();
    let before = file.metadata().unwrap();
    let length = NonZeroUsize::new(content.len()).unwrap();
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a fresh mapping of a file of this length, used by nobody else.
    unsafe {
        let map = mmap(None, length, protection, MapFlags::MAP_SHARED, &file, 0).unwrap();
        let bytes = map.as_ptr().cast::<[u8; 8]>();
        assert_ne!(bytes.read_volatile(), *content);
        bytes.write_volatile(*content);
        munmap(map, length.get()).unwrap();
    }
    let after = file.metadata().unwrap();
    assert_eq!(
        (before.ctime(), before.ctime_nsec()),
        (after.ctime(), after.ctime_nsec())
    );
}
