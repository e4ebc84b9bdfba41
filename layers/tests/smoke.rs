//! A copy, an update and a verification of a plain tree.

use std::fs::{self, File};
use std::os::fd::AsFd;

use wendy_layers::{Exclude, Job, Previous, Unattended, copy, forecast, manifest, refresh};

fn main_tree(at: &std::path::Path) {
    fs::create_dir_all(at.join("etc/deep/er")).unwrap();
    fs::write(at.join("etc/motd"), "hello").unwrap();
    fs::write(at.join("etc/deep/er/file"), vec![7; 3_000_000]).unwrap();
    fs::hard_link(at.join("etc/motd"), at.join("etc/deep/motd")).unwrap();
    std::os::unix::fs::symlink("nowhere", at.join("link")).unwrap();
}

fn job<'a>(
    upper: &'a File,
    dest: &'a File,
    exclude: &'a Exclude,
    manifest: Option<&'a manifest::Writer>,
) -> Job<'a> {
    Job {
        upper: upper.as_fd(),
        dest: dest.as_fd(),
        exclude,
        progress: &Unattended,
        manifest,
    }
}

#[test]
fn copy_update_verify() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name);
    for name in ["upper", "one", "two"] {
        fs::create_dir(path(name)).unwrap();
    }
    main_tree(&path("upper"));
    let (upper, one, two) = (
        File::open(path("upper")).unwrap(),
        File::open(path("one")).unwrap(),
        File::open(path("two")).unwrap(),
    );
    let exclude = Exclude::nothing();
    let first = copy(&job(&upper, &one, &exclude, None), None).unwrap();
    let before = forecast(upper.as_fd(), &exclude, Some(&first.index), &Unattended).unwrap();
    assert_eq!(before.total, first.totals);
    let writer = manifest::Writer::new(File::create(path("manifest")).unwrap()).unwrap();
    let again = refresh(&job(&upper, &one, &exclude, Some(&writer)), &first.index).unwrap();
    writer.finish().unwrap();
    assert_eq!(again.totals, first.totals);
    let report = manifest::verify(
        one.as_fd(),
        File::open(path("manifest")).unwrap(),
        &Unattended,
    )
    .unwrap();
    assert!(report.is_intact(), "{report:?}");
    let previous = Previous {
        tree: one.as_fd(),
        index: &again.index,
    };
    let second = copy(&job(&upper, &two, &exclude, None), Some(previous)).unwrap();
    assert_eq!(second.totals, first.totals);
    assert_eq!(fs::read(path("two/etc/deep/motd")).unwrap(), b"hello");
}
