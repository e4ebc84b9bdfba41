//! Full media: what is there stays, what is removed makes room, and the end is an orderly one.

use super::*;
use crate::medium::MediumFile as _;

#[test]
fn removed_files_make_room_on_a_full_medium() {
    let (fake, home) = new_home(BIG);
    fake.leave_free(6000);
    write_file(&home, Ino::ROOT, b"old", &[1; 5000]);
    home.unlink(Ino::ROOT, b"old").unwrap();
    let new = write_file(&home, Ino::ROOT, b"new", &[2; 5000]);
    home.open_file(new).unwrap();
    assert_eq!(home.write(new, 5000, &[3; 5000]), Err(Errno::NOSPC));
    home.release(new).unwrap();
    assert_eq!(read_file(&home, new), [2; 5000]);
}

/// Metadata alone can fill a home, because the medium keeps all of it.
#[test]
fn a_home_full_of_names_can_be_emptied() {
    let (fake, home) = new_home(BIG);
    fake.leave_free(100);
    let target = vec![b'x'; 3000];
    let link = NewNode {
        target,
        ..node(Kind::Symlink)
    };
    let names = || (0..).map(|number: u32| number.to_string().into_bytes());
    let full = names().find(|name| home.make(Ino::ROOT, name, &link).is_err());
    let made: usize = String::from_utf8(full.unwrap()).unwrap().parse().unwrap();
    assert!(made > 50, "only {made}");
    for name in names().take(made) {
        home.unlink(Ino::ROOT, &name).unwrap();
    }
    home.make(Ino::ROOT, b"again", &link).unwrap();
    let (_, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert_eq!(home.list(Ino::ROOT).unwrap().len(), 1);
}

/// A home on a medium that is so full that no checkpoint fits; what is in it is durable.
fn home_without_room() -> (Fake, Home<Fake>) {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"file", b"1");
    write_file(&home, Ino::ROOT, b"other", b"2");
    home.flush().unwrap();
    drop(home);
    fake.open(".wendy/ckpt.1").unwrap().set_len(200).unwrap();
    fake.leave_free(0);
    let home = open(&fake);
    (fake, home)
}

#[test]
fn the_end_on_a_full_medium_is_in_order() {
    let (fake, home) = home_without_room();
    let file = home.lookup(Ino::ROOT, b"file").unwrap().ino;
    let mode = Some(0o600);
    let private = Change {
        mode,
        ..Change::default()
    };
    assert_eq!(home.change(file, &private), Err(Errno::NOSPC));
    home.unlink(Ino::ROOT, b"file").unwrap();
    let (_, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert_eq!(home.list(Ino::ROOT).unwrap().len(), 1);
}

#[test]
fn a_full_medium_that_comes_back_is_used_again() {
    let (_, home) = home_without_room();
    home.resume(|_| {}).unwrap();
    home.unlink(Ino::ROOT, b"file").unwrap();
    assert_eq!(home.list(Ino::ROOT).unwrap().len(), 1);
}
