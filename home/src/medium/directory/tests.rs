use super::*;

fn medium(dir: &tempfile::TempDir) -> DirectoryMedium {
    DirectoryMedium::open(dir.path()).unwrap()
}

#[test]
fn a_look_tells_a_lock_from_another_look() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (medium(&dir), medium(&dir));
    fs::flock(&other.root, rustix::fs::FlockOperation::LockShared).unwrap();
    assert!(!one.is_locked().unwrap());
    drop(other);
    one.lock().unwrap();
    assert!(one.is_locked().unwrap() && medium(&dir).is_locked().unwrap());
    assert_eq!(
        medium(&dir).lock().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    drop(one);
    assert!(!medium(&dir).is_locked().unwrap());
}

#[test]
fn nobody_is_kept_out_by_those_who_only_look() {
    let dir = tempfile::tempdir().unwrap();
    let (stop, looks) = (std::sync::atomic::AtomicBool::new(false), medium(&dir));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                looks.is_locked().unwrap();
            }
        });
        for _ in 0..1000 {
            medium(&dir).lock().unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
