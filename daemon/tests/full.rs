//! A medium that fills up or fails in the middle of a save: the last complete save survives.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod bench;

use std::{
    fmt,
    fs::{self, File},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use bench::*;
use wendy_layers::Progress;
use wendy_sys::{
    Cancel,
    loopdev::{Loop, LoopOptions},
    mount::{self, MountFlags},
};
use wendyd::{
    engine::{
        Error, Result, Unwatched, Watch,
        manage::{self, Verdict},
        prepare::Mode,
        save::{self, SaveReport, SaveRequest},
    },
    jobs::Phase,
    stores::OpenStore,
};

/// Does something as soon as the copy begins, and is otherwise no one.
struct AtCopy<F> {
    act: F,
    cancel: Cancel,
}

impl<F> fmt::Debug for AtCopy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtCopy")
    }
}

impl<F: Sync> Progress for AtCopy<F> {
    fn advance(&self, _bytes: u64, _entries: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}

impl<F: Fn() + Sync> Watch for AtCopy<F> {
    fn phase(&self, phase: Phase) {
        if phase == Phase::Copying {
            (self.act)();
        }
    }

    fn total(&self, _bytes: u64, _entries: u64) {}

    fn point_of_no_return(&self) -> Result<()> {
        Ok(())
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

fn save_while(
    live: &Live,
    store: &OpenStore,
    request: &SaveRequest,
    act: impl Fn() + Sync,
) -> Result<SaveReport> {
    let (source, indexes) = (live.source(), live.indexes());
    let watch = AtCopy {
        act,
        cancel: Cancel::new(),
    };
    save::save(
        save::Context {
            store,
            source: &source,
            indexes: &indexes,
            watch: &watch,
        },
        request,
    )
}

/// A live system with enough in it to meet the end of the room.
fn large() -> Live {
    let live = Live::new();
    for n in 0..24 {
        live.write(&format!("srv/{n}/data"), &format!("{n}").repeat(128 * 1024));
    }
    live
}

/// Writes a file until only `left` bytes are free.
fn fill(path: &Path, dir: &impl AsFd, left: u64) {
    let free = mount::space(dir).unwrap().available.saturating_sub(left);
    let mut file = File::create(path).unwrap();
    let chunk = vec![0x55; 1 << 16];
    for _ in 0..free / chunk.len() as u64 {
        if std::io::Write::write_all(&mut file, &chunk).is_err() {
            return;
        }
    }
}

#[test]
fn a_store_that_fills_up_meanwhile_keeps_the_last_save() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(160 * MIB);
    let partition = stick.partition(1);
    let live = large();
    let first = live.save(&partition.store(), &named("One")).unwrap();
    let before = live.expected();
    for (round, left) in [0, 1, 2, 3, 4, 5].into_iter().enumerate() {
        for n in 0..24 {
            live.write(
                &format!("srv/{n}/data"),
                &format!("{round}").repeat(256 * 1024),
            );
        }
        let store = partition.store();
        let ballast = path_of(&store.root()).join("ballast");
        let act = || fill(&ballast, &store.root(), left * MIB);
        let failed = save_while(&live, &store, &update_of(&first), act);
        assert!(
            matches!(failed, Err(Error::Full(_))),
            "{left} MiB left: {failed:?}"
        );
        fs::remove_file(&ballast).unwrap();
        assert_eq!(look(&stock_upper(&store).unwrap()), before);
        let checked = manage::check(&store, None, &Unwatched::default()).unwrap();
        assert_eq!((checked.len(), checked[0].verdict), (1, Verdict::Complete));
        drop(store);
        check_filesystem(partition.node());
    }
    live.save(&partition.store(), &update_of(&first)).unwrap();
    assert_eq!(
        look(&stock_upper(&partition.store()).unwrap()),
        live.expected()
    );
}

#[test]
fn a_first_save_that_does_not_fit_after_all_leaves_nothing() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(128 * MIB);
    let store = stick.store();
    let live = large();
    let before = look(&path_of(&store.root()));
    let ballast = path_of(&store.root()).join("ballast");
    let failed = save_while(&live, &store, &named("One"), || {
        fill(&ballast, &store.root(), MIB)
    });
    assert!(matches!(failed, Err(Error::Full(_))), "{failed:?}");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(look(&path_of(&store.root())), before);
    live.save(&store, &named("One")).unwrap();
}

/// A stick on memory that is promised but not there: writing to it fails with an I/O error once
/// the memory is used up.
struct Failing {
    memory: mount::DetachedMount,
    device: Loop,
}

impl Failing {
    fn new(memory: u64, size: u64) -> Failing {
        let memory = mount::detached(
            "tmpfs",
            None,
            &[("size", Some(&memory.to_string()))],
            MountFlags::default(),
        )
        .unwrap();
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path_of(&memory).join("stick.img"))
            .unwrap();
        file.set_len(size).unwrap();
        let device = Loop::attach(file.as_fd(), LoopOptions::default()).unwrap();
        run(
            "mkfs.ext4",
            &["-q", "-E", "nodiscard", device.node().to_str().unwrap()],
        );
        Failing { memory, device }
    }

    fn ballast(&self) -> PathBuf {
        path_of(&self.memory).join("ballast")
    }

    /// From now on only so many more bytes can be written.
    fn fail_after(&self, left: u64) {
        fill(&self.ballast(), &self.memory, left);
    }

    fn heal(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

#[test]
fn a_medium_that_fails_meanwhile_keeps_the_last_save() {
    if !is_root() {
        return;
    }
    for left in [0, 256, 1024, 2048, 4096, 6144] {
        // The store lies in a file of a file system of its own, as on a stick full of files.
        let stick = Failing::new(96 * MIB, 128 * MIB);
        let file_system = target(stick.device.node(), None);
        let small = wendyd::engine::prepare::PrepareRequest {
            size: Some(96 * MIB),
            ..request(Mode::Loopback)
        };
        let plan = wendyd::engine::prepare::plan(&file_system, &small, &Cancel::new()).unwrap();
        wendyd::engine::prepare::prepare(&file_system, &small, &plan, &Unwatched::default())
            .unwrap();
        let open = || OpenStore::open(location(stick.device.node(), "ext4"));
        let live = large();
        let first = live.save(&open().unwrap(), &named("One")).unwrap();
        let before = live.expected();
        for n in 0..24 {
            live.write(&format!("srv/{n}/data"), &"new".repeat(128 * 1024));
        }
        let store = open().unwrap();
        let failed = save_while(&live, &store, &update_of(&first), || {
            stick.fail_after(left * 1024)
        });
        assert!(failed.is_err(), "{left} KiB left: {failed:?}");
        drop(store);
        stick.heal();
        let store = open().unwrap();
        assert_eq!(
            look(&stock_upper(&store).unwrap()),
            before,
            "{left} KiB left"
        );
        let checked = manage::check(&store, None, &Unwatched::default()).unwrap();
        assert_eq!(checked[0].verdict, Verdict::Complete, "{left} KiB left");
        live.save(&store, &update_of(&first)).unwrap();
        assert_eq!(look(&stock_upper(&store).unwrap()), live.expected());
    }
}
