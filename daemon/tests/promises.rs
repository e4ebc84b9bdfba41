//! Every test that docs/PROMISES.md names exists.

#![allow(clippy::unwrap_used, reason = "a test that fails says so")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What stands between backticks in the last column of the tables.
fn promised() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/PROMISES.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_suffix(" |"));
    let last = rows.filter_map(|row| row.rsplit('|').next());
    let words = last.flat_map(|column| column.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

/// Names of all functions with a test attribute, in all rooms.
fn tests(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
            tests(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let marked = text.split("test]\n").skip(1);
            found.extend(marked.filter_map(|after| {
                let signature = after.trim_start().split('(').next()?;
                Some(signature.rsplit_once("fn ")?.1.to_owned())
            }));
        }
    }
}

#[test]
fn every_test_that_is_promised_exists() {
    let (promised, mut there) = (promised(), BTreeSet::new());
    tests(&root(), &mut there);
    let missing: Vec<_> = promised.difference(&there).collect();
    assert!(missing.is_empty(), "promised, but not there: {missing:#?}");
    assert!(promised.len() > 80, "{} names were found", promised.len());
}
