//! A disk that fails under a save, or under who looks at what was saved.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use wendy_sys::mount::{self, DetachedMount, MountFlags};
use wendyd::{
    engine::{
        Error, Result, Source, StartedFrom, Unwatched,
        manage::{self, Verdict},
        prepare::Mode,
        save::SaveReport,
    },
    jobs::{Failure, FailureKind},
    stores::{Losses, OpenStore},
};

use crate::{
    common::*,
    disk::{Disk, Fault, Plugged},
    spread,
};

/// A store with one save on a disk, and a live system that has changed since.
struct Scene {
    disk: Disk,
    live: Live,
    first: SaveReport,
    before: Tree,
    index: Vec<(PathBuf, Vec<u8>)>,
}

impl Scene {
    /// In a partition of its own.
    fn new() -> Scene {
        let stick = Stick::prepared(96 * MIB);
        let (partition, place) = (stick.partition(1), stick.table()[0]);
        let part = |bytes: u64| usize::try_from(bytes).unwrap();
        Scene::saved(partition.node(), || {
            fs::read(stick.image()).unwrap()[part(place.start)..][..part(place.size)].to_vec()
        })
    }

    /// In a file on a stick with other files.
    fn in_image() -> Scene {
        let stick = Stick::formatted(128 * MIB, "ext4");
        prepare_as(&stick.target(), Mode::Loopback).unwrap();
        Scene::saved(stick.node(), || fs::read(stick.image()).unwrap())
    }

    fn saved(node: &Path, content: impl Fn() -> Vec<u8>) -> Scene {
        let live = Live::new();
        let first = live.save(&open(node).unwrap(), &named("One")).unwrap();
        let before = live.expected();
        check_filesystem(node);
        for n in 0..30 {
            live.write(&format!("home/ann/note{n}"), &"changed\n".repeat(n * 211));
        }
        live.write("srv/data", &"new".repeat(1 << 18));
        fs::remove_file(live.upper().join("home/ann/note31")).unwrap();
        let index = fs::read_dir(live.directory.path().join("index")).unwrap();
        let index = index.map(|entry| entry.unwrap().path());
        let index = index.map(|path| (path.clone(), fs::read(path).unwrap()));
        Scene {
            disk: Disk::new(content()),
            index: index.collect(),
            first,
            before,
            live,
        }
    }

    /// Saves the changes onto a fresh copy of the disk with something wrong with it.
    fn update(&self, fault: Fault) -> (Plugged, Result<SaveReport>) {
        for (path, content) in &self.index {
            fs::write(path, content).unwrap();
        }
        let plugged = self.disk.copy().with(fault).plug();
        let result =
            open(plugged.node()).and_then(|store| self.live.save(&store, &update_of(&self.first)));
        (plugged, result)
    }

    /// On the mended disk the session is what it was or what it became, and can be saved again.
    fn check(&self, plugged: Plugged, result: Result<SaveReport>, fault: Fault) {
        let plugged = plugged.mended();
        let store = open(plugged.node()).unwrap();
        let found = look(&stock_upper(&store).unwrap());
        match result {
            Ok(_) => assert_eq!(found, self.live.expected(), "{fault:?}: said to be saved"),
            Err(error) => {
                assert!(
                    [&self.before, &self.live.expected()].contains(&&found),
                    "{fault:?}: neither the old nor the new save: {error}"
                );
                check_words(error);
            }
        }
        assert_eq!(verdict(&store).unwrap(), Verdict::Complete, "{fault:?}");
        self.live.save(&store, &update_of(&self.first)).unwrap();
        assert_eq!(look(&stock_upper(&store).unwrap()), self.live.expected());
        assert_eq!(verdict(&store).unwrap(), Verdict::Complete, "{fault:?}");
    }
}

fn open(node: &Path) -> Result<OpenStore> {
    OpenStore::open(location(node, "ext4"))
}

fn verdict(store: &OpenStore) -> Result<Verdict> {
    Ok(manage::check(store, None, &Unwatched::default())?[0].verdict)
}

/// The error has a name on the bus and says what went wrong.
fn check_words(error: Error) {
    let failure = Failure::from(error);
    let named = [FailureKind::Failed, FailureKind::Corrupt];
    assert!(
        named.contains(&failure.kind) && !failure.message.is_empty(),
        "{failure:?}"
    );
}

#[test]
fn no_save_is_lost_to_a_block_that_cannot_be_written() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let (sound, result) = scene.update(Fault::None);
    let writes = sound.writes();
    scene.check(sound, result, Fault::None);
    for place in spread(writes.len()) {
        let fault = Fault::Unwritable(writes[place]);
        let (plugged, result) = scene.update(fault);
        scene.check(plugged, result, fault);
    }
}

#[test]
fn no_save_is_lost_to_a_disk_that_stops_writing() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let writes = scene.update(Fault::None).0.writes().len();
    let mut failed = 0;
    for place in spread(writes) {
        let fault = Fault::NoWriteAfter(place);
        let (plugged, result) = scene.update(fault);
        failed += usize::from(result.is_err());
        scene.check(plugged, result, fault);
    }
    assert!(failed > 0, "nothing failed");
}

#[test]
fn no_save_in_an_image_file_is_lost_either() {
    if !is_root() {
        return;
    }
    let scene = Scene::in_image();
    let writes = scene.update(Fault::None).0.writes();
    for place in spread(writes.len()) {
        let fault = match place % 2 {
            0 => Fault::NoWriteAfter(place),
            _ => Fault::Unwritable(writes[place]),
        };
        let (plugged, result) = scene.update(fault);
        scene.check(plugged, result, fault);
    }
}

/// A system that runs from its session, and has lost what it wrote there before anybody saved it.
struct Losing<'a> {
    scene: &'a Scene,
    disk: Plugged,
    _system: DetachedMount,
    upper: PathBuf,
}

impl Losing<'_> {
    fn new(scene: &Scene) -> Losing<'_> {
        let disk = scene.disk.copy().plug();
        let system = mount::detached("ext4", Some(disk.node()), &[], MountFlags::default());
        let system = system.unwrap();
        let upper = followed(&path_of(&system).join("rw"));
        let letter = upper.join("home/ann/letter");
        let content = |text: &str| text.repeat(4096 / text.len());
        fs::write(&letter, content("a letter")).unwrap();
        mount::syncfs(&system).unwrap();
        disk.wear_out(b"a letter");
        let file = fs::File::options().write(true).open(&letter).unwrap();
        file.write_all_at(content("its end.").as_bytes(), 0)
            .unwrap();
        Losing {
            scene,
            disk,
            _system: system,
            upper,
        }
    }

    /// Opens a store as a daemon does that was started a moment ago.
    fn open(&self, node: &Path) -> OpenStore {
        let losses = Losses::new(self.scene.live.directory.path().join("run/lost"));
        OpenStore::open_noting(location(node, "ext4"), losses).unwrap()
    }

    fn source(&self) -> Source {
        let session = &self.scene.first;
        Source {
            started_from: Some(StartedFrom {
                store: self.open(self.disk.node()).devnum().unwrap(),
                session: session.session,
                generation: session.generation.generation,
            }),
            ..source(&self.upper, self.scene.live.base.clone())
        }
    }

    /// Saves to the session that the system runs from.
    fn check_refused(&self, source: &Source) {
        let (live, store) = (&self.scene.live, self.open(self.disk.node()));
        let saved = live.save_from(source, &store, &update_of(&self.scene.first));
        assert!(matches!(saved, Err(Error::Corrupt { .. })), "{saved:?}");
    }
}

#[test]
fn what_the_running_system_has_lost_is_not_said_to_be_saved() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let losing = Losing::new(&scene);
    // Whoever opens it first is told by the kernel, and no one after that.
    let source = losing.source();
    losing.check_refused(&source);
    losing.check_refused(&source);
}

#[test]
fn what_a_save_elsewhere_finds_to_be_lost_is_not_said_to_be_saved_here() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let losing = Losing::new(&scene);
    let elsewhere = Stick::prepared(96 * MIB);
    let (partition, mut source) = (
        elsewhere.partition(1),
        source(&losing.upper, scene.live.base.clone()),
    );
    let store = losing.open(partition.node());
    scene
        .live
        .save_from(&source, &store, &named("Elsewhere"))
        .unwrap();
    source.started_from = losing.source().started_from;
    losing.check_refused(&source);
}

#[test]
fn a_block_that_cannot_be_read_loses_nothing_and_is_told() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let sound = scene.disk.copy().plug();
    let store = open(sound.node()).unwrap();
    assert_eq!(verdict(&store).unwrap(), Verdict::Complete);
    drop(store);
    let (reads, mut told) = (sound.reads(), 0);
    for place in spread(reads.len()) {
        let fault = Fault::Unreadable(reads[place]);
        let plugged = scene.disk.copy().with(fault).plug();
        let checked = open(plugged.node()).and_then(|store| verdict(&store));
        told += usize::from(!matches!(checked, Ok(Verdict::Complete)));
        if let Err(error) = checked {
            check_words(error);
        }
        drop(plugged);
        let (plugged, result) = scene.update(fault);
        scene.check(plugged, result, fault);
    }
    assert!(told > 0, "no damage was told");
}
