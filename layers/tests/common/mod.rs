//! One upper, one destination, and the passes over them.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "every test uses its part and fails where it stands"
)]

pub mod changes;

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use wendy_layers::manifest::{self, Report, Writer};
use wendy_layers::testing::Mounted;
use wendy_layers::{
    Copied, Exclude, Forecast, Index, Job, Look, Previous, Progress, Result, Unattended, copy,
    forecast, refresh,
};

/// ext4 that can hold 64 KB of extended attributes.
pub const EXT4: &[&str] = &["-O", "ea_inode"];

/// A copy being made.
pub struct Copy {
    pub upper: File,
    pub dest: File,
    pub dest_path: PathBuf,
    manifest: PathBuf,
}

impl Copy {
    /// Of `upper` to the new directory `name` on `to`.
    pub fn new(upper: &Path, to: &Mounted, name: &str) -> Self {
        let dest_path = to.path(name);
        fs::create_dir(&dest_path).unwrap();
        let manifest = to.path(&format!("{name}.manifest"));
        Self {
            upper: File::open(upper).unwrap(),
            dest: File::open(&dest_path).unwrap(),
            dest_path,
            manifest,
        }
    }

    /// The first pass.
    pub fn first(&self) -> Copied {
        self.try_first(None, &Unattended).unwrap()
    }

    /// The first pass, sharing with an older copy.
    pub fn after(&self, older: &Self, index: &Index) -> Copied {
        let previous = Previous {
            tree: older.dest.as_fd(),
            index,
        };
        self.try_first(Some(previous), &Unattended).unwrap()
    }

    /// The first pass, which may fail.
    pub fn try_first(
        &self,
        previous: Option<Previous<'_>>,
        progress: &dyn Progress,
    ) -> Result<Copied> {
        let exclude = Exclude::nothing();
        copy(
            &Job {
                progress,
                ..self.job(&exclude, None)
            },
            previous,
        )
    }

    /// A second pass, with its manifest.
    pub fn second(&self, first: &Copied) -> Copied {
        self.again(&first.index, &Exclude::nothing())
    }

    /// Another pass, with its manifest, over a copy made when the upper looked as `index` says.
    pub fn again(&self, index: &Index, exclude: &Exclude) -> Copied {
        self.with_manifest(exclude, |job| refresh(job, index))
    }

    /// An update in one pass, with its manifest.
    pub fn update(&self, older: &Self, index: &Index, exclude: &Exclude) -> Copied {
        let tree = older.dest.as_fd();
        self.with_manifest(exclude, |job| copy(job, Some(Previous { tree, index })))
    }

    fn with_manifest(
        &self,
        exclude: &Exclude,
        pass: impl FnOnce(&Job<'_>) -> Result<Copied>,
    ) -> Copied {
        let writer = Writer::new(File::create(&self.manifest).unwrap()).unwrap();
        let copied = pass(&self.job(exclude, Some(&writer))).unwrap();
        writer.finish().unwrap();
        copied
    }

    pub fn verify(&self) -> Report {
        let manifest = File::open(&self.manifest).unwrap();
        manifest::verify(self.dest.as_fd(), manifest, &Unattended).unwrap()
    }

    pub fn forecast(&self, index: Option<&Index>) -> Forecast {
        let (nothing, mut index) = (Exclude::nothing(), index.cloned());
        let upper = self.upper.as_fd();
        forecast(upper, &nothing, index.as_mut(), Look::Data, &Unattended).unwrap()
    }

    fn job<'a>(&'a self, exclude: &'a Exclude, manifest: Option<&'a Writer>) -> Job<'a> {
        let (upper, dest) = (self.upper.as_fd(), self.dest.as_fd());
        Job {
            upper,
            dest,
            exclude,
            progress: &Unattended,
            manifest,
        }
    }
}

/// Waits until every change so far is old enough to be told from a later one.
pub fn settle() {
    let start = std::time::Instant::now();
    let stamp = || {
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.metadata().unwrap().modified().unwrap()
    };
    let first = stamp();
    while stamp()
        .duration_since(first)
        .unwrap_or_default()
        .as_millis()
        <= 25
    {
        assert!(start.elapsed().as_secs() < 10, "the clock stands still");
        std::thread::yield_now();
    }
}
