//! What is saved comes back as it was, and an update writes what changed.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use wendy_store::Generation;
use wendyd::{
    engine::{
        Error, Source, StartedFrom, Unwatched,
        manage::{self, Verdict},
        save::{self, SaveRequest},
    },
    stores::{OpenStore, Saved},
};

use crate::{common::*, scene::*};

#[test]
fn a_session_comes_back_as_it_was() {
    let Some(bench) = Bench::new() else { return };
    let report = bench.saved("Biofuel report");
    assert!(report.default && report.generation.generation == Generation::FIRST);
    let store = bench.store();
    assert_eq!(look(&stock_upper(&store).unwrap()), bench.live.expected());
    drop(store);
    assert_eq!(bench.verdicts(), [Verdict::Complete]);
    let merged = boot(&bench.store(), &bench.live.lower());
    assert!(!merged.contains_key("etc/motd") && !merged.contains_key("usr/share/doc/old"));
    assert!(merged.contains_key("home/ann/note7"));
    check_filesystem(bench.partition.node());
    let checked = manage::check(&bench.store(), None, &Unwatched::default()).unwrap();
    let (verdict, read) = (checked[0].verdict, (checked[0].entries, checked[0].bytes));
    assert_eq!((verdict, read), (Verdict::Continued, (0, 0)));
}

#[test]
fn an_update_writes_what_changed_and_shares_the_rest() {
    let Some(bench) = Bench::new() else { return };
    settle();
    let first = bench.saved("Biofuel report");
    let store = bench.store();
    let shared = |store: &OpenStore| {
        let note = stock_upper(store).unwrap().join("home/ann/note9");
        fs::metadata(note).unwrap().ino()
    };
    let before = shared(&store);
    drop(store);
    bench.live.write("home/ann/note3", "another note");
    bench.live.write("srv/new", "new");
    fs::remove_file(bench.live.upper().join("home/ann/note4")).unwrap();
    let second = bench.save(&update_of(&first)).unwrap();
    assert_eq!(second.generation.generation.number(), 2);
    assert!(
        second.written_bytes < 1000,
        "{} bytes written",
        second.written_bytes
    );
    let store = bench.store();
    assert_eq!(look(&stock_upper(&store).unwrap()), bench.live.expected());
    assert_eq!(shared(&store), before);
    let generations =
        path_of(&store.root()).join(format!("casper/sessions/{}/generations", first.session));
    assert_eq!(fs::read_dir(generations).unwrap().count(), 1);
    drop(store);
    assert_eq!(bench.verdicts(), [Verdict::Complete]);
}

#[test]
fn nothing_new_makes_no_generation() {
    let Some(bench) = Bench::new() else { return };
    settle();
    let first = bench.saved("Biofuel report");
    let request = SaveRequest {
        name: "Fuel".to_owned(),
        ..update_of(&first)
    };
    let second = bench.save(&request).unwrap();
    assert_eq!(
        (second.generation.generation, second.written_bytes),
        (Generation::FIRST, 0)
    );
    let saved = Saved::read(bench.store().root()).unwrap();
    assert_eq!(saved.sessions[0].record.name.as_str(), "Fuel");
}

#[test]
fn a_lost_index_only_costs_time() {
    let Some(bench) = Bench::new() else { return };
    let first = bench.saved("Biofuel report");
    fs::remove_dir_all(bench.live.directory.path().join("index")).unwrap();
    bench.live.write("etc/hostname", "bob\n");
    let second = bench.save(&update_of(&first)).unwrap();
    assert!(second.written_bytes >= second.generation.size);
    assert_eq!(
        look(&stock_upper(&bench.store()).unwrap()),
        bench.live.expected()
    );
}

#[test]
fn a_generation_that_was_started_from_is_not_shared_with() {
    let Some(bench) = Bench::new() else { return };
    let first = bench.saved("Biofuel report");
    boot(&bench.store(), &bench.live.lower());
    let store = bench.store();
    fs::write(
        stock_upper(&store).unwrap().join("home/ann/note9"),
        "written while it ran",
    )
    .unwrap();
    drop(store);
    bench.live.write("etc/hostname", "bob\n");
    bench.save(&update_of(&first)).unwrap();
    assert_eq!(
        look(&stock_upper(&bench.store()).unwrap()),
        bench.live.expected()
    );
}

#[test]
fn the_running_session_is_saved_in_place_and_cannot_be_deleted() {
    let Some(bench) = Bench::new() else { return };
    let first = bench.saved("Biofuel report");
    let store = bench.store();
    let upper = stock_upper(&store).unwrap();
    let running = StartedFrom {
        store: store.devnum().unwrap(),
        session: first.session,
        generation: first.generation.generation,
    };
    let source = || Source {
        started_from: Some(running),
        ..source(&upper, bench.live.base.clone())
    };
    fs::write(upper.join("etc/hostname"), "on the stick\n").unwrap();
    let report = bench
        .live
        .save_from(&source(), &store, &update_of(&first))
        .unwrap();
    assert_eq!(report.generation.generation, Generation::FIRST);
    let refused =
        manage::delete_session(&store, first.session, Some(running), &Unwatched::default());
    assert!(matches!(refused, Err(Error::Running(_))));
    let copy = bench
        .live
        .save_from(&source(), &store, &named("A copy"))
        .unwrap();
    assert_ne!(copy.session, first.session);
    let copied = bench.generation(&store, copy.session).join("upper");
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
    let Some(bench) = Bench::new() else { return };
    for path in [
        "etc/ssh/ssh_host_rsa_key",
        "etc/machine-id",
        "home/ann/.cache/x/y",
        "srv/secret",
        "swapfile",
    ] {
        bench.live.write(path, "x");
    }
    let exclude = ["caches", "host-keys", "machine-id", "/srv/*"]
        .map(str::to_owned)
        .to_vec();
    bench
        .save(&SaveRequest {
            exclude,
            ..named("Biofuel report")
        })
        .unwrap();
    let tree = look(&stock_upper(&bench.store()).unwrap());
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
    let Some(bench) = Bench::new() else { return };
    let store = bench.store();
    let before = look(&path_of(&store.root()));
    let (indexes, source, watch) = (
        bench.live.indexes(),
        bench.live.source(),
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

#[test]
fn what_a_program_wrote_through_a_mapping_is_saved() {
    let Some(bench) = Bench::new() else { return };
    bench.live.write("srv/database", "one page");
    settle();
    let first = bench.saved("Biofuel report");
    let path = bench.live.upper().join("srv/database");
    // Nothing but this has changed, and then something else as well.
    for (content, other) in [(*b"ONE PAGE", false), (*b"one page", true)] {
        write_through_mapping(&path, &content);
        if other {
            bench.live.write("etc/hostname", "bob\n");
        }
        settle();
        bench.save(&update_of(&first)).unwrap();
        let store = bench.store();
        assert_eq!(look(&stock_upper(&store).unwrap()), bench.live.expected());
        drop(store);
        assert_eq!(bench.verdicts(), [Verdict::Complete]);
    }
}

/// Waits until every change so far is old enough to be told from a later one: what changed a moment
/// ago is copied again.
pub fn settle() {
    let started = Instant::now();
    let stamp = || {
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.metadata().unwrap().modified().unwrap()
    };
    let first = stamp();
    while stamp().duration_since(first).unwrap_or_default() <= Duration::from_millis(25) {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "the clock stands still"
        );
        thread::yield_now();
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
