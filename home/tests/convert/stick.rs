//! A stick with a home that is converted.

use crate::common::snapshot::{Object, snapshot};
use crate::common::{Mounted, PROGRAM, can_mount, command, skip, succeed};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

pub type Snapshot = BTreeMap<PathBuf, Object>;

/// A stick's directory with a home in it, and a place to show it.
pub struct Stick {
    _dir: tempfile::TempDir,
    pub home: PathBuf,
    pub target: PathBuf,
}

impl Stick {
    /// `None`, said loudly, where nothing can be mounted.
    pub fn new() -> Option<Self> {
        if !can_mount() {
            skip("needs root and /dev/fuse");
            return None;
        }
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let (home, target) = (dir.path().join("pershome"), dir.path().join("shown"));
        fs::create_dir(&target).unwrap();
        succeed(&["create", home.to_str().unwrap()]);
        Some(Self {
            _dir: dir,
            home,
            target,
        })
    }

    /// Its directory as an argument.
    pub fn home(&self) -> &str {
        self.home.to_str().unwrap()
    }

    /// The mode of the home in force.
    pub fn mode(&self) -> String {
        let status = succeed(&["status", "--json", self.home()]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["mode"].as_str().unwrap().to_owned()
    }

    /// Shows the home meanwhile.
    pub fn shown<T>(&self, look: impl FnOnce(&Path) -> T) -> T {
        let mounted = Mounted::new(
            &self.home,
            &self.target,
            &["--uid", "1000", "--gid", "1000"],
        );
        let result = look(&self.target);
        mounted.end();
        result
    }

    pub fn snapshot(&self) -> Snapshot {
        self.shown(snapshot)
    }

    pub fn assert_holds(&self, expected: &Snapshot, when: &str) {
        let now = self.snapshot();
        for path in expected.keys().chain(now.keys()) {
            assert_eq!(
                now.get(path),
                expected.get(path),
                "{when}: {}",
                path.display()
            );
        }
    }

    pub fn convert(&self, to: &str, failpoints: &str) -> Output {
        command(PROGRAM)
            .args(["convert", "--to", to, self.home()])
            .env("WENDY_FAILPOINTS", failpoints)
            .output()
            .unwrap()
    }

    pub fn must_convert(&self, to: &str) -> String {
        let output = self.convert(to, "");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "to {to}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Nothing of another home is left.
    pub fn assert_tidy(&self, mode: &str) {
        let private: Vec<_> = names(&self.home.join(".wendy"));
        let is_image = mode == "image";
        assert_eq!(self.mode(), mode);
        assert_eq!(self.home.join("home.img").exists(), is_image);
        assert!(
            private.iter().all(|name| !name.starts_with("convert")),
            "{private:?}"
        );
        assert!(!private.contains(&"home.img.new".into()), "{private:?}");
        if is_image {
            assert_eq!(names(&self.home), [".wendy", "home.img"]);
            assert_eq!(private, ["VERSION.txt"]);
        }
    }
}

/// Names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Runs a script in a directory; it must succeed.
pub fn sh(dir: &Path, script: &str) {
    let status = command("sh")
        .args(["-ec", script])
        .current_dir(dir)
        .status();
    assert!(status.unwrap().success(), "{script}");
}

impl Stick {
    pub fn assert_in_image_with(&self, beside: &[&str]) {
        let mut expected = vec![".wendy", "home.img"];
        expected.extend(beside);
        expected.sort_unstable();
        assert_eq!(names(&self.home), expected);
        assert_eq!(self.mode(), "image");
    }
}
