use super::*;

#[test]
fn a_small_file_is_opened_below_when_it_is_read() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"note", b"hello");
    assert!(home.open_to_read(ino).unwrap().is_none());
    home.settle().unwrap();
    crate::medium::Medium::unlink(&fake, "note").unwrap();
    assert!(home.read(ino, 0, 10).is_err(), "it had been opened before");
    home.release(ino).unwrap();
    assert_eq!(home.release(ino), Err(Errno::BADF));
}

#[test]
fn a_long_file_is_opened_below_at_once() {
    let (_, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"film", &[1; (64 << 10) + 1]);
    assert!(home.open_to_read(ino).unwrap().is_some());
    home.release(ino).unwrap();
}

#[test]
fn what_waits_to_be_read_outlives_its_name() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"note", b"hello");
    assert!(home.open_to_read(ino).unwrap().is_none());
    home.unlink(Ino::ROOT, b"note").unwrap();
    home.settle().unwrap();
    assert_eq!(home.read(ino, 1, 10).unwrap(), b"ello");
    home.release(ino).unwrap();
    home.settle().unwrap();
    assert_eq!(fake.read_file("note"), None);
    assert_eq!(home.attributes(ino), Err(Errno::NOENT));
}

#[test]
fn readers_that_wait_see_what_others_write() {
    let (_, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"note", b"hello");
    assert!(home.open_to_read(ino).unwrap().is_none());
    assert!(home.open_to_read(ino).unwrap().is_none());
    home.open_file(ino).unwrap();
    home.write(ino, 0, b"J").unwrap();
    home.release(ino).unwrap();
    home.release(ino).unwrap();
    assert_eq!(home.read(ino, 0, 10).unwrap(), b"Jello");
    home.release(ino).unwrap();
    assert_eq!(home.release(ino), Err(Errno::BADF));
}
