//! What is saved comes back as it was.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use wendy_store::Generation;
use wendyd::{
    engine::{
        Error, Source, StartedFrom, Unwatched,
        manage::{self, Verdict},
        save::{self, SaveRequest},
    },
    stores::OpenStore,
};

use crate::{common::*, scene::*};

#[test]
fn a_session_comes_back_as_it_was() {
    let Some(scene) = Scene::new() else { return };
    let report = scene.saved("Biofuel report");
    assert!(report.default && report.generation.generation == Generation::FIRST);
    let store = scene.store();
    assert_eq!(look(&stock_upper(&store).unwrap()), scene.live.expected());
    drop(store);
    assert_eq!(scene.verdicts(), [Verdict::Complete]);
    let merged = boot(&scene.store(), &scene.live.lower());
    assert!(!merged.contains_key("etc/motd") && !merged.contains_key("usr/share/doc/old"));
    assert!(merged.contains_key("home/ann/note7"));
    check_filesystem(scene.partition.node());
    let checked = manage::check(&scene.store(), None, &Unwatched::default()).unwrap();
    let (verdict, read) = (checked[0].verdict, (checked[0].entries, checked[0].bytes));
    assert_eq!((verdict, read), (Verdict::Continued, (0, 0)));
}

#[test]
fn the_running_session_is_saved_in_place_and_cannot_be_deleted() {
    let Some(scene) = Scene::new() else { return };
    let first = scene.saved("Biofuel report");
    let store = scene.store();
    let upper = stock_upper(&store).unwrap();
    let running = StartedFrom {
        store: store.devnum().unwrap(),
        session: first.session,
        generation: first.generation.generation,
    };
    let source = || Source {
        started_from: Some(running),
        ..source(&upper, scene.live.base.clone())
    };
    fs::write(upper.join("etc/hostname"), "on the stick\n").unwrap();
    let report = scene
        .live
        .save_from(&source(), &store, &update_of(&first))
        .unwrap();
    assert_eq!(report.generation.generation, Generation::FIRST);
    let refused =
        manage::delete_session(&store, first.session, Some(running), &Unwatched::default());
    assert!(matches!(refused, Err(Error::Running(_))));
    let copy = scene
        .live
        .save_from(&source(), &store, &named("A copy"))
        .unwrap();
    assert_ne!(copy.session, first.session);
    let copied = scene.generation(&store, copy.session).join("upper");
    assert_eq!(
        fs::read_to_string(copied.join("etc/hostname")).unwrap(),
        "on the stick\n"
    );
    let original = fs::metadata(upper.join("etc/hostname")).unwrap().ino();
    assert_ne!(
        fs::metadata(copied.join("etc/hostname")).unwrap().ino(),
        original
    );
}

#[test]
fn what_is_excluded_stays_behind() {
    let Some(scene) = Scene::new() else { return };
    for path in [
        "etc/ssh/ssh_host_rsa_key",
        "etc/machine-id",
        "home/ann/.cache/x/y",
        "srv/secret",
        "swapfile",
    ] {
        scene.live.write(path, "x");
    }
    let exclude = ["caches", "host-keys", "machine-id", "/srv/*"]
        .map(str::to_owned)
        .to_vec();
    scene
        .save(&SaveRequest {
            exclude,
            ..named("Biofuel report")
        })
        .unwrap();
    let tree = look(&stock_upper(&scene.store()).unwrap());
    for path in [
        "etc/ssh/ssh_host_rsa_key",
        "etc/machine-id",
        "home/ann/.cache/x",
        "srv/secret",
        "swapfile",
        "tmp/scratch",
    ] {
        assert!(!tree.contains_key(path), "{path}");
    }
    assert!(
        tree.contains_key("srv")
            && tree.contains_key("tmp")
            && tree.contains_key("home/ann/.cache")
    );
}

#[test]
fn a_plan_counts_and_writes_nothing() {
    let Some(scene) = Scene::new() else { return };
    let store = scene.store();
    let before = look(&path_of(&store.root()));
    let (indexes, source, watch) = (
        scene.live.indexes(),
        scene.live.source(),
        Unwatched::default(),
    );
    let context = save::Context {
        store: &store,
        source: &source,
        indexes: &indexes,
        ledger: &(),
        watch: &watch,
    };
    let plan = save::plan(context, &named("One")).unwrap();
    assert!(plan.default && plan.space() > plan.forecast.total.bytes);
    assert!(plan.forecast.total.files >= 41);
    assert_eq!(look(&path_of(&store.root())), before);
}

#[test]
fn a_store_in_an_image_file_works_like_any_other() {
    if !is_root() {
        return;
    }
    let stick = Stick::formatted(SIZE, "btrfs");
    prepare_as(&stick.target(), wendyd::engine::prepare::Mode::Loopback).unwrap();
    let live = Live::new();
    let open = || OpenStore::open(location(stick.node(), "btrfs")).unwrap();
    let report = live.save(&open(), &named("One")).unwrap();
    live.write("etc/hostname", "bob\n");
    live.save(&open(), &update_of(&report)).unwrap();
    assert_eq!(look(&stock_upper(&open()).unwrap()), live.expected());
    manage::rename_store(&open(), "Other").unwrap();
    let outer = mounted(stick.node(), "btrfs");
    let marker = fs::read_to_string(path_of(&outer).join(Path::new("casper/.info"))).unwrap();
    assert!(
        marker.contains("name=Other") && marker.contains("image="),
        "{marker}"
    );
}
