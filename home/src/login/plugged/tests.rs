use super::*;
use crate::home::{self, Home, NewNode, Options, Stale};
use crate::ids::Ino;
use crate::record::Kind;
use crate::store::OpenError;
use rustix::io::Errno;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn directory(path: &Path) -> DirectoryMedium {
    DirectoryMedium::open(path).unwrap()
}

fn is_eio<T>(result: io::Result<T>) -> bool {
    matches!(result, Err(error) if error.raw_os_error() == Some(libc::EIO))
}

#[test]
fn a_pulled_medium_fails_at_once_and_a_returned_one_works() {
    let dir = tempfile::tempdir().unwrap();
    let medium = Plugged::new(directory(dir.path()));
    let file = medium.create("file").unwrap();
    file.write_at(b"kept", 0).unwrap();
    medium.pull();
    assert!(is_eio(file.write_at(b"lost", 0)) && is_eio(file.sync()));
    assert!(is_eio(medium.open("file")) && is_eio(medium.sync_all()));

    medium.put(directory(dir.path()));
    assert!(is_eio(file.sync()), "an old file came back to life");
    let mut bytes = [0; 4];
    medium.open("file").unwrap().read_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"kept");
}

/// Copies what is durable, as a stick has it that is pulled now.
fn pulled_copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&to).unwrap();
            pulled_copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// A home in use, and a copy of what was durable when the file `kept` had been synced.
struct Pulled {
    before: TempDir,
    after: TempDir,
    home: Home<Plugged>,
    kept: Ino,
}

impl Pulled {
    fn new() -> Self {
        let [before, after] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        home::create(&directory(before.path()), [1; 16]).unwrap();
        let medium = Plugged::new(directory(before.path()));
        let (home, _) = Home::open(medium, Options::new(1, 1)).unwrap();
        let kept = create(&home, "kept");
        home.write(kept, 0, b"text").unwrap();
        home.sync_file(kept).unwrap();
        pulled_copy(before.path(), after.path());
        Self {
            before,
            after,
            home,
            kept,
        }
    }

    /// The copy is plugged in.
    fn comes_back(&self) -> Result<Stale, OpenError> {
        self.home.medium().pull();
        self.home
            .resume(|plugged| plugged.put(directory(self.after.path())))
    }
}

fn file() -> NewNode {
    NewNode {
        kind: Kind::File,
        mode: 0o600,
        uid: 1,
        gid: 1,
        device: 0,
        target: Vec::new(),
    }
}

fn create<M: Medium>(home: &Home<M>, name: &str) -> Ino {
    let created = home.create(Ino::ROOT, name.as_bytes(), &file());
    created.unwrap().0.ino
}

#[test]
fn a_home_goes_on_with_what_was_synced() {
    let pulled = Pulled::new();
    let (home, kept) = (&pulled.home, pulled.kept);
    let lost = create(home, "lost");
    home.medium().pull();
    assert_eq!(home.write(kept, 0, b"more"), Err(Errno::IO));
    assert_eq!(home.make(Ino::ROOT, b"new", &file()), Err(Errno::IO));

    let stale = pulled.comes_back().unwrap();
    assert_eq!(stale.names, [(Ino::ROOT, b"lost".to_vec())]);
    assert_eq!(home.read(kept, 0, 9).unwrap(), b"text");
    assert_eq!(home.lookup(Ino::ROOT, b"lost"), Err(Errno::NOENT));
    home.write(kept, 4, b" and more").unwrap();
    let new = create(home, "new");
    assert!(new > lost, "a number was used again");
    for ino in [kept, new] {
        home.release(ino).unwrap();
    }
    home.close().unwrap();
    let text = fs::read_to_string(pulled.after.path().join("kept")).unwrap();
    assert_eq!(text, "text and more");
}

#[test]
fn who_wrote_what_was_not_synced_is_told_that_it_is_lost() {
    let pulled = Pulled::new();
    let (home, kept) = (&pulled.home, pulled.kept);
    home.write(kept, 0, b"more").unwrap();
    pulled.comes_back().unwrap();
    assert_eq!(home.sync_file(kept), Err(Errno::IO));
    home.write(kept, 0, b"once").unwrap();
    home.sync_file(kept).unwrap();
    pulled.comes_back().unwrap();
    home.sync_file(kept).unwrap();
}

#[test]
fn an_open_file_that_is_lost_becomes_no_other_one() {
    let pulled = Pulled::new();
    let lost = create(&pulled.home, "download");
    let photo = pulled.after.path().join("photo.jpg");
    fs::write(&photo, "a beach").unwrap();
    pulled.comes_back().unwrap();
    let home = &pulled.home;
    let adopted = home.lookup(Ino::ROOT, b"photo.jpg").unwrap().ino;
    assert!(adopted > lost, "a number was used again");
    home.write(lost, 0, b"page 1").unwrap_err();
    home.release(lost).unwrap_err();
    assert_eq!(fs::read_to_string(&photo).unwrap(), "a beach");
}

#[test]
fn a_stick_that_was_used_elsewhere_meanwhile_is_not_gone_on_with() {
    let pulled = Pulled::new();
    let lost = create(&pulled.home, "here");
    let copy = tempfile::tempdir().unwrap();
    pulled_copy(pulled.after.path(), copy.path());
    let elsewhere = Options {
        host: [7; 16],
        ..Options::new(1, 1)
    };
    let (other, _) = Home::open(directory(pulled.after.path()), elsewhere).unwrap();
    assert_eq!(create(&other, "there"), lost, "nothing to be mixed up");
    other.close().unwrap();
    let refused = pulled.comes_back();
    assert!(
        matches!(refused, Err(OpenError::UsedElsewhere)),
        "{refused:?}"
    );
    assert!(pulled.home.write(lost, 0, b"here").is_err());

    // The right one may still come.
    pulled.home.medium().pull();
    let resumed = pulled
        .home
        .resume(|plugged| plugged.put(directory(copy.path())));
    resumed.unwrap();
    assert_eq!(pulled.home.read(pulled.kept, 0, 9).unwrap(), b"text");
    assert_eq!(pulled.home.returns(), 1);
}

#[test]
fn a_copy_from_before_this_use_is_not_gone_on_with() {
    let Pulled { after, home, .. } = Pulled::new();
    drop(home);
    let copy = tempfile::tempdir().unwrap();
    pulled_copy(after.path(), copy.path());
    let medium = Plugged::new(directory(after.path()));
    let (home, _) = Home::open(medium, Options::new(1, 1)).unwrap();
    home.medium().pull();
    let resumed = home.resume(|plugged| plugged.put(directory(copy.path())));
    assert!(
        matches!(resumed, Err(OpenError::UsedElsewhere)),
        "{resumed:?}"
    );
    home.resume(|plugged| plugged.put(directory(after.path())))
        .unwrap();
}

#[test]
fn it_comes_back_again_and_again() {
    let pulled = Pulled::new();
    for returns in 1..4 {
        pulled.comes_back().unwrap();
        assert_eq!(pulled.home.returns(), returns);
        assert_eq!(pulled.home.read(pulled.kept, 0, 9).unwrap(), b"text");
    }
    drop(pulled.before);
}
