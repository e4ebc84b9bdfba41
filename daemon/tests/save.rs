//! Sessions are saved, updated and managed; what is refused is refused by name.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod bench;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use bench::*;
use wendy_store::{Generation, SessionId};
use wendy_sys::mount;
use wendyd::{
    engine::{
        Error, Source, StartedFrom, Unwatched,
        manage::{self, Verdict},
        save::{self, SaveReport, SaveRequest},
    },
    stores::{OpenStore, Saved, links, records, sessions},
};

const SIZE: u64 = 256 * MIB;

/// A live system, and a store to save it to.
struct Bench {
    live: Live,
    _stick: Stick,
    partition: Partition,
}

impl Bench {
    fn new() -> Option<Bench> {
        if !is_root() {
            return None;
        }
        let stick = Stick::prepared(SIZE);
        let partition = stick.partition(1);
        Some(Bench {
            live: Live::new(),
            _stick: stick,
            partition,
        })
    }

    fn save(&self, request: &SaveRequest) -> Result<SaveReport, Error> {
        self.live.save(&self.partition.store(), request)
    }

    fn saved(&self, name: &str) -> SaveReport {
        self.save(&named(name)).unwrap()
    }

    fn store(&self) -> OpenStore {
        self.partition.store()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let checked = manage::check(&self.store(), None, &Unwatched::default()).unwrap();
        checked.iter().map(|one| one.verdict).collect()
    }

    /// The real directory of the generation that counts.
    fn generation(&self, store: &OpenStore, session: SessionId) -> PathBuf {
        let current = path_of(&store.root()).join(format!("casper/sessions/{session}/current"));
        current.canonicalize().unwrap_or(current)
    }
}

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
    assert_eq!(bench.verdicts(), [Verdict::Continued]);
}

#[test]
fn an_update_writes_what_changed_and_shares_the_rest() {
    let Some(bench) = Bench::new() else { return };
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
    let copied =
        path_of(&store.root()).join(format!("casper/sessions/{}/current/upper", copy.session));
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
fn sessions_are_renamed_chosen_and_deleted() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One").session;
    let two = bench.saved("Two").session;
    let store = bench.store();
    let default = || links::default_session(store.root()).unwrap();
    assert_eq!(default(), Some(one));
    manage::set_default(&store, two).unwrap();
    assert_eq!(default(), Some(two));
    manage::rename_session(&store, two, "Second").unwrap();
    assert!(matches!(
        manage::rename_session(&store, two, "One"),
        Err(Error::NameTaken(_))
    ));
    manage::rename_store(&store, "The blue one").unwrap();
    manage::delete_session(&store, two, None, &Unwatched::default()).unwrap();
    assert_eq!(default(), Some(one));
    manage::delete_session(&store, one, None, &Unwatched::default()).unwrap();
    assert_eq!(default(), None);
    assert!(stock_upper(&store).is_none() && path_of(&store.root()).join("upper").is_dir());
    assert!(Saved::read(store.root()).unwrap().sessions.is_empty());
    drop(store);
    assert_eq!(bench.store().record().name.as_str(), "The blue one");
    check_filesystem(bench.partition.node());
}

#[test]
fn damage_is_found_and_named() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One").session;
    bench.saved("Two");
    let store = bench.store();
    fs::write(
        bench.generation(&store, one).join("upper/etc/hostname"),
        "eve\n",
    )
    .unwrap();
    let checked = manage::check(&store, Some(one), &Unwatched::default()).unwrap();
    assert_eq!(
        (checked.len(), checked[0].verdict, checked[0].damaged),
        (1, Verdict::Damaged, 1)
    );
    let all = manage::check(&store, None, &Unwatched::default()).unwrap();
    assert_eq!(
        all.iter()
            .filter(|one| one.verdict == Verdict::Complete)
            .count(),
        1
    );
    fs::remove_file(bench.generation(&store, one).join("manifest")).unwrap();
    let checked = manage::check(&store, Some(one), &Unwatched::default()).unwrap();
    assert_eq!(checked[0].verdict, Verdict::Damaged);
}

#[test]
fn leftovers_are_removed_and_strangers_stay() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One").session;
    let store = bench.store();
    let sessions = path_of(&store.root()).join("casper/sessions");
    let unfinished = sessions.join(SessionId::random().to_string());
    let deleted = sessions.join(format!(".deleted-{}", SessionId::random()));
    let generation = sessions.join(format!("{one}/generations/7"));
    let strange = [
        sessions.join("notes"),
        sessions.join(format!("{one}/generations/old")),
    ];
    for dir in [&unfinished, &deleted, &generation, &strange[0], &strange[1]] {
        fs::create_dir_all(dir.join("upper/deep")).unwrap();
    }
    bench.live.save(&store, &named("Two")).unwrap();
    assert!(!unfinished.exists() && !deleted.exists() && !generation.exists());
    assert!(strange.iter().all(|path| path.exists()));
}

#[test]
fn what_cannot_be_saved_is_refused_by_name() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One");
    assert!(matches!(
        bench.save(&named("One")),
        Err(Error::NameTaken(_))
    ));
    for name in ["", "a\nb", "\u{1b}[2J", " a", &"x".repeat(300)] {
        assert!(
            matches!(bench.save(&named(name)), Err(Error::BadName(_))),
            "{name:?}"
        );
    }
    let unknown = SaveRequest {
        session: Some(SessionId::random()),
        ..named("")
    };
    assert!(matches!(bench.save(&unknown), Err(Error::NotFound(_))));
    let pattern = SaveRequest {
        exclude: vec!["everything".to_owned()],
        ..named("Two")
    };
    assert!(matches!(
        bench.save(&pattern),
        Err(Error::BadExclude { .. })
    ));
    let other = Live {
        base: image(b"another"),
        ..Live::new()
    };
    assert!(matches!(
        other.save(&bench.store(), &update_of(&one)),
        Err(Error::OtherBase(_))
    ));
}

#[test]
fn damaged_and_newer_records_are_refused_by_name() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One");
    let store = bench.store();
    let session = path_of(&store.root()).join(format!("casper/sessions/{}/.info", one.session));
    let good = fs::read_to_string(&session).unwrap();
    fs::write(&session, good.replace("format=1", "format=2\nmood=blue")).unwrap();
    let newer = bench.live.save(&store, &update_of(&one));
    assert!(
        matches!(newer, Err(Error::NewerFormat { format: 2, .. })),
        "{newer:?}"
    );
    for damage in [
        "name=\u{7}\n",
        "nonsense",
        "",
        &good.replace("stack=", "stick="),
    ] {
        fs::write(&session, damage).unwrap();
        assert!(
            matches!(
                bench.live.save(&store, &update_of(&one)),
                Err(Error::Corrupt { .. })
            ),
            "{damage:?}"
        );
    }
    // A damaged neighbour keeps nobody from saving.
    bench.live.save(&store, &named("Two")).unwrap();
}

#[test]
fn a_store_of_a_newer_format_is_only_read() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One");
    let store = bench.store();
    let marker = path_of(&store.root()).join("casper/.info");
    fs::write(
        &marker,
        fs::read_to_string(&marker)
            .unwrap()
            .replace("format=1", "format=9"),
    )
    .unwrap();
    drop(store);
    assert!(matches!(
        bench.save(&named("Two")),
        Err(Error::NewerFormat { format: 9, .. })
    ));
    let store = bench.store();
    assert!(matches!(
        manage::rename_store(&store, "x"),
        Err(Error::NewerFormat { .. })
    ));
    assert!(matches!(
        manage::set_default(&store, one.session),
        Err(Error::NewerFormat { .. })
    ));
    assert_eq!(Saved::read(store.root()).unwrap().sessions.len(), 1);
    fs::write(path_of(&store.root()).join("casper/.info"), "format=1\n").unwrap();
    drop(store);
    let refused = OpenStore::open(location(bench.partition.node(), "ext4"));
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
}

#[test]
fn unknown_keys_survive() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One");
    let store = bench.store();
    let record = path_of(&store.root()).join(format!("casper/sessions/{}/.info", one.session));
    fs::write(
        &record,
        fs::read_to_string(&record).unwrap() + "mood=blue\n",
    )
    .unwrap();
    manage::rename_session(&store, one.session, "Another").unwrap();
    let text = fs::read_to_string(&record).unwrap();
    assert!(
        text.contains("mood=blue") && text.contains("name=Another"),
        "{text}"
    );
}

#[test]
fn links_that_lead_elsewhere_are_not_followed() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One");
    let store = bench.store();
    let outside = tempfile::tempdir().unwrap();
    let session = path_of(&store.root()).join(format!("casper/sessions/{}", one.session));
    fs::rename(session.join("generations"), session.join("moved")).unwrap();
    std::os::unix::fs::symlink(outside.path(), session.join("generations")).unwrap();
    let saved = Saved::read(store.root()).unwrap();
    assert!(saved.sessions.is_empty() && saved.damaged.len() == 1);
    assert!(matches!(
        bench.live.save(&store, &update_of(&one)),
        Err(Error::Corrupt { .. })
    ));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn one_writer_at_a_time() {
    let Some(bench) = Bench::new() else { return };
    let _store = bench.store();
    let second = OpenStore::open(location(bench.partition.node(), "ext4"));
    assert!(matches!(second, Err(Error::Busy(_))));
}

#[test]
fn too_little_room_is_said_before_the_first_byte() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.saved("One");
    let store = bench.store();
    let free = mount::space(store.root()).unwrap().available;
    let ballast = bench.live.upper().join("ballast");
    fs::write(&ballast, vec![1; usize::try_from(free).unwrap()]).unwrap();
    let refused = bench.live.save(&store, &named("Two"));
    let Err(Error::NoSpace { have, need, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(need > have);
    assert_eq!(Saved::read(store.root()).unwrap().sessions.len(), 1);
    assert_eq!(records_of(&store, one.session), Some(Generation::FIRST));
}

fn records_of(store: &OpenStore, session: SessionId) -> Option<Generation> {
    let dir = sessions::open(store.root(), session).unwrap();
    records::read_session(std::os::fd::AsFd::as_fd(&dir), "a session").unwrap();
    links::current(std::os::fd::AsFd::as_fd(&dir)).unwrap()
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
    let stick = Stick::made(SIZE, |image| {
        drop(run("mkfs.btrfs", &["-q", image.to_str().unwrap()]))
    });
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
