//! Somebody exchanges directories for links while a save goes over them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use wendyd::engine::Unwatched;

use crate::common::*;

const ROUNDS: usize = 30;

/// Exchanges `name` and `name.other` in a directory until told to stop.
fn exchange(directory: &Path, name: &str, stop: &AtomicBool) {
    let (one, other) = (
        directory.join(name),
        directory.join(format!("{name}.other")),
    );
    while !stop.load(Ordering::Relaxed) {
        // It may be about to be removed.
        let _ = renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
    }
}

/// A directory that only root may read, with a letter in it.
fn secret_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("deep")).unwrap();
    for path in ["letter", "deep/letter"] {
        fs::write(directory.path().join(path), "a letter of somebody else").unwrap();
    }
    directory
}

/// A user could have root's files copied into their own home that way.
#[test]
fn a_save_follows_no_link_that_takes_the_place_of_a_directory() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(128 * MIB);
    let store = stick.store();
    let live = Live::new();
    let secret = secret_directory();
    let home = live.upper().join("home/ann");
    for n in 0..20 {
        live.write(&format!("home/ann/trap/deep/{n}"), "mine");
        live.write("home/ann/trap/letter", "mine");
    }
    symlink(secret.path(), home.join("trap.other")).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| exchange(&home, "trap", &stop));
        for round in 0..ROUNDS {
            let saved = live.save(&store, &named(&format!("Round {round}")));
            let saved = saved.inspect_err(|_| stop.store(true, Ordering::Relaxed));
            let saved = saved.unwrap();
            let upper = path_of(&store.root())
                .join(format!("casper/sessions/{}/current/upper", saved.session));
            let tree = look(&upper);
            let theirs = format!("{:?}", b"a letter of somebody else");
            let found = tree.iter().find(|(_, words)| words.contains(&theirs));
            if found.is_some() {
                stop.store(true, Ordering::Relaxed);
            }
            assert_eq!(found, None, "round {round}");
            let done = wendyd::engine::manage::delete_session(
                &store,
                saved.session,
                None,
                &Unwatched::default(),
            );
            done.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Whoever has the store mounted as well could have root write, or remove, outside of it.
#[test]
fn a_save_writes_nothing_outside_of_the_store_whatever_is_exchanged_in_it() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(128 * MIB);
    let partition = stick.partition(1);
    let live = Live::new();
    let first = live.save(&partition.store(), &named("One")).unwrap();
    let victim = secret_directory();
    let before = look(victim.path());
    let theirs = mounted(partition.node(), "ext4");
    let session = path_of(&theirs).join(format!("casper/sessions/{}", first.session));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for name in ["generations", "upper", "home"] {
            let (session, victim, stop) = (&session, victim.path(), &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    trap(session, name, victim);
                }
            });
        }
        for round in 0..ROUNDS {
            live.write("etc/hostname", &format!("{round}\n"));
            // It may fail, as long as it harms nobody.
            let _ = live.save(&partition.store(), &update_of(&first));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(look(victim.path()), before);
}

/// Puts a link to the victim in the place of a directory of the session, for a moment.
fn trap(session: &Path, name: &str, victim: &Path) {
    let place = match name {
        "generations" => session.join(name),
        _ => {
            let generations = fs::read_dir(session.join("generations"));
            let last = generations.into_iter().flatten().flatten().last();
            let Some(last) = last else { return };
            match name {
                "upper" => last.path().join("upper"),
                _ => last.path().join("upper/home"),
            }
        }
    };
    let aside = place.with_extension("aside");
    if fs::rename(&place, &aside).is_ok() {
        let _ = symlink(victim, &place);
        thread::yield_now();
        let _ = fs::remove_file(&place);
        let _ = fs::rename(&aside, &place);
    }
}
