//! A medium that fills up in the middle of a save, at any byte and at any file.

use std::{
    fmt,
    fs::{self, File},
    os::fd::AsFd,
    path::Path,
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};
use wendy_layers::Progress;
use wendy_sys::{Cancel, mount};
use wendyd::{
    engine::{
        Error, Result, Unwatched, Watch,
        manage::{self, Verdict},
        save::{self, SaveReport, SaveRequest},
    },
    jobs::{Fact, Phase},
    stores::OpenStore,
};

use crate::{common::*, spread};

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
    let watch = AtCopy {
        act,
        cancel: Cancel::new(),
    };
    with_context(live, store, &watch, |context| save::save(context, request))
}

fn with_context<T>(
    live: &Live,
    store: &OpenStore,
    watch: &dyn Watch,
    what: impl FnOnce(save::Context<'_>) -> T,
) -> T {
    let (source, indexes) = (live.source(), live.indexes());
    what(save::Context {
        store,
        source: &source,
        indexes: &indexes,
        ledger: &(),
        watch,
    })
}

/// A live system with enough in it to meet the end of the room.
fn large() -> Live {
    let live = Live::new();
    for n in 0..24 {
        live.write(&format!("srv/{n}/data"), &format!("{n}").repeat(128 * 1024));
    }
    live
}

/// Takes all room but these bytes.
fn fill(path: &Path, dir: &impl AsFd, left: u64) {
    let taken = mount::space(dir).unwrap().available.saturating_sub(left);
    if taken > 0 {
        let file = File::create(path).unwrap();
        match fallocate(file, FallocateFlags::empty(), 0, taken) {
            // Noting where they are takes some as well.
            Ok(()) | Err(Errno::NOSPC) => {}
            Err(errno) => panic!("{errno}"),
        }
    }
}

/// Takes all inodes but these.
fn take_files(ballast: &Path, left: u64) {
    let free = mount::space(File::open(ballast).unwrap())
        .unwrap()
        .free_inodes;
    let taken = fs::read_dir(ballast).unwrap().count() as u64;
    for n in 0..free.saturating_sub(left) {
        File::create(ballast.join((taken + n).to_string())).unwrap();
    }
}

/// A store with one save of a live system that goes on changing.
struct Filling {
    live: Live,
    first: SaveReport,
    stick: Stick,
    partition: Partition,
    before: Tree,
}

impl Filling {
    fn new() -> Filling {
        let stick = Stick::prepared(128 * MIB);
        let partition = stick.partition(1);
        let live = large();
        let first = live.save(&partition.store(), &named("One")).unwrap();
        let before = live.expected();
        Filling {
            live,
            first,
            stick,
            partition,
            before,
        }
    }

    /// Saves another state, while `take` leaves too little in the directory it is given, or enough.
    fn update(&mut self, round: usize, take: impl Fn(&Path) + Sync) -> bool {
        for n in 0..24 {
            let content = format!("{round}").repeat(4096 * (n + 1));
            self.live.write(&format!("srv/{n}/data"), &content);
        }
        let store = self.partition.store();
        let ballast = path_of(&store.root()).join("ballast");
        fs::create_dir(&ballast).unwrap();
        let result = save_while(&self.live, &store, &update_of(&self.first), || {
            take(&ballast)
        });
        fs::remove_dir_all(&ballast).unwrap();
        match result {
            Ok(_) => self.before = self.live.expected(),
            Err(ref error) => assert!(matches!(error, Error::Full(_)), "{error:?}"),
        }
        assert_eq!(look(&stock_upper(&store).unwrap()), self.before);
        let checked = manage::check(&store, None, &Unwatched::default()).unwrap();
        assert_eq!((checked.len(), checked[0].verdict), (1, Verdict::Complete));
        result.is_ok()
    }

    /// Whether the store is as good as ever.
    fn check(mut self) {
        assert!(self.update(9999, |_| {}), "the next save works");
        check_filesystem(self.partition.node());
        assert_eq!(self.stick.table().len(), 1);
    }
}

#[test]
fn a_store_that_fills_up_at_any_byte_keeps_the_last_save() {
    if !is_root() {
        return;
    }
    let mut filling = Filling::new();
    let needed = 24 * 25 / 2 * 4096 * 4 + (1 << 20);
    let mut failed = 0;
    for (round, left) in spread(needed).enumerate() {
        let left = left as u64;
        failed += usize::from(!filling.update(round, |ballast| {
            let dir = File::open(ballast).unwrap();
            fill(&ballast.join("bytes"), &dir, left);
        }));
    }
    assert!(failed > 0, "there was always room");
    filling.check();
}

#[test]
fn a_store_that_runs_out_of_files_keeps_the_last_save() {
    if !is_root() {
        return;
    }
    const ROOM: usize = 200;
    let mut filling = Filling::new();
    let store = filling.partition.store();
    let always = path_of(&store.root()).join("always");
    fs::create_dir(&always).unwrap();
    take_files(&always, ROOM as u64);
    drop(store);
    let mut failed = 0;
    for (round, left) in spread(ROOM).enumerate() {
        let left = left as u64;
        failed += usize::from(!filling.update(round, |ballast| take_files(ballast, left)));
    }
    assert!(failed > 0, "there was always room");
    filling.check();
}

#[test]
fn a_plan_tells_of_too_few_files() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(128 * MIB);
    let (store, live) = (stick.store(), large());
    let ballast = path_of(&store.root()).join("ballast");
    fs::create_dir(&ballast).unwrap();
    for left in [9, 0] {
        take_files(&ballast, left);
        let found = with_context(&live, &store, &Unwatched::default(), |context| {
            let plan = save::plan(context, &named("One")).unwrap();
            (plan.facts(), save::save(context, &named("One")))
        });
        assert_eq!(found.0.get("fits"), Some(&Fact::from(false)), "{left}");
        let refused = matches!(found.1, Err(Error::NoInodes { have, .. }) if have == left);
        assert!(refused, "{:?}", found.1);
    }
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
