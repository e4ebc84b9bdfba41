//! A disk that fails as the last save is about to make room for the next one.

use std::{fs, os::unix::fs::FileExt};

use wendy_sys::mount;
use wendyd::{
    engine::{
        Error, Unwatched,
        manage::{self, Verdict},
        save::{SaveReport, SaveRequest},
    },
    stores::{OpenStore, links},
};

use crate::{
    common::*,
    disk::{Disk, Plugged},
};

/// A disk with a session that fills more than half of it, which has changed since.
fn large() -> (Plugged, Live, SaveReport, Tree) {
    let stick = Stick::prepared(96 * MIB);
    let (partition, place) = (stick.partition(1), stick.table()[0]);
    let (live, store) = (Live::new(), partition.store());
    let free = mount::space(store.root()).unwrap().available;
    live.write(
        "large",
        &"1".repeat(usize::try_from(free / 10 * 6).unwrap()),
    );
    let first = live.save(&store, &named("Large")).unwrap();
    drop(store);
    fs::remove_dir_all(live.directory.path().join("index")).unwrap();
    let before = live.expected();
    live.write("etc/hostname", "bob\n");
    let content = read_at(
        stick.image(),
        place.start,
        usize::try_from(place.size).unwrap(),
    );
    (Disk::new(content).plug(), live, first, before)
}

/// Has something in the store that will fail to be written when all is, and takes nothing else along.
fn spoil(disk: &Plugged, store: &OpenStore) {
    let path = path_of(&store.root()).join("letter");
    let content = |text: &str| text.repeat(4096 / text.len());
    fs::write(&path, content("a letter")).unwrap();
    store.sync().unwrap();
    disk.wear_out(b"a letter");
    let file = fs::File::options().write(true).open(&path).unwrap();
    let end = content("its end.");
    file.write_all_at(end.as_bytes(), 0).unwrap();
}

#[test]
fn a_save_that_fails_before_the_last_one_is_removed_leaves_that_in_its_place() {
    if !is_root() {
        return;
    }
    let (disk, live, first, before) = large();
    let store = OpenStore::open(location(disk.node(), "ext4")).unwrap();
    spoil(&disk, &store);
    let request = SaveRequest {
        overwrite: true,
        ..update_of(&first)
    };
    let failed = live.save(&store, &request);
    assert!(matches!(failed, Err(Error::System { .. })), "{failed:?}");
    drop(store);
    let disk = disk.mended();
    let store = OpenStore::open(location(disk.node(), "ext4")).unwrap();
    let checked = manage::check(&store, None, &Unwatched::default()).unwrap();
    assert_eq!((checked.len(), checked[0].verdict), (1, Verdict::Complete));
    let default = links::default_session(store.root()).unwrap();
    assert_eq!(default, Some(first.session));
    assert_eq!(look(&stock_upper(&store).unwrap()), before);
    live.save(&store, &request).unwrap();
    assert_eq!(look(&stock_upper(&store).unwrap()), live.expected());
}
