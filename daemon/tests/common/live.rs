//! Live systems to be saved.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode as Bits};
use tempfile::TempDir;
use wendy_store::{BaseImage, Stack, UpperKind, base::LayerFacts};
use wendy_sys::mount::Space;
use wendyd::{
    engine::{
        Error, Result, Source, Unwatched, UpperSource,
        save::{self, Indexes, SaveReport, SaveRequest},
    },
    model::{Condition, State},
    stores::OpenStore,
};

use super::{Tree, in_memory, look, open_dir};

/// An upper layer given by hand, and where saves of it are remembered.
pub struct Live {
    pub directory: Directory,
    pub base: BaseImage,
}

/// A directory of this test, or of the one that started it.
pub enum Directory {
    Own(TempDir),
    Given(PathBuf),
}

impl Directory {
    pub fn path(&self) -> &Path {
        match self {
            Directory::Own(directory) => directory.path(),
            Directory::Given(path) => path,
        }
    }
}

impl Live {
    /// A small session: files, a link, a whiteout, an opaque directory.
    pub fn new() -> Live {
        let live = Live {
            directory: Directory::Own(in_memory()),
            base: image(b"one"),
        };
        fs::create_dir(live.upper()).unwrap();
        for dir in ["etc", "home/ann", "usr/share/doc", "tmp"] {
            fs::create_dir_all(live.upper().join(dir)).unwrap();
        }
        for n in 0..40 {
            live.write(
                &format!("home/ann/note{n}"),
                &format!("note {n}\n").repeat(n * 97),
            );
        }
        live.write("etc/hostname", "ann\n");
        live.write("tmp/scratch", "gone after the next start");
        symlink("hostname", live.upper().join("etc/name")).unwrap();
        let (whiteout, mode) = (live.upper().join("etc/motd"), Bits::empty());
        rustix::fs::mknodat(CWD, &whiteout, FileType::CharacterDevice, mode, 0).unwrap();
        let opaque = live.upper().join("usr/share/doc");
        rustix::fs::setxattr(
            &opaque,
            "trusted.overlay.opaque",
            b"y",
            rustix::fs::XattrFlags::empty(),
        )
        .unwrap();
        live
    }

    /// One that another process has made.
    pub fn at(directory: PathBuf) -> Live {
        Live {
            directory: Directory::Given(directory),
            base: image(b"one"),
        }
    }

    pub fn upper(&self) -> PathBuf {
        self.directory.path().join("upper")
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.upper().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn source(&self) -> Source {
        source(&self.upper(), self.base.clone())
    }

    pub fn indexes(&self) -> Indexes {
        Indexes::new(self.directory.path().join("index"))
    }

    pub fn save(&self, store: &OpenStore, request: &SaveRequest) -> Result<SaveReport> {
        self.save_from(&self.source(), store, request)
    }

    pub fn save_from(
        &self,
        source: &Source,
        store: &OpenStore,
        request: &SaveRequest,
    ) -> Result<SaveReport> {
        let indexes = self.indexes();
        let watch = Unwatched::default();
        save::save(
            save::Context {
                store,
                source,
                indexes: &indexes,
                ledger: &(),
                watch: &watch,
            },
            request,
        )
    }

    /// The image below, as far as the upper layer hides something of it.
    pub fn lower(&self) -> PathBuf {
        let lower = self.directory.path().join("lower");
        fs::create_dir_all(lower.join("usr/share/doc/old")).unwrap();
        fs::create_dir_all(lower.join("etc")).unwrap();
        fs::write(lower.join("etc/motd"), "welcome").unwrap();
        lower
    }

    /// What must come back: everything but what is left out of every save.
    pub fn expected(&self) -> Tree {
        let mut tree = look(&self.upper());
        tree.retain(|path, _| !path.starts_with("tmp/"));
        tree
    }
}

/// What an engine saves; not a live system without an upper layer.
#[derive(Debug)]
pub struct Given {
    pub upper: Option<PathBuf>,
    pub base: BaseImage,
}

impl UpperSource for Given {
    fn open(&self) -> Result<Source> {
        let not_live = || Error::NotLive("no boot=live".to_owned());
        let upper = self.upper.as_ref().ok_or_else(not_live)?;
        fs::read_dir(upper).map_err(|error| Error::Corrupt {
            what: "the upper layer".to_owned(),
            why: error.to_string(),
        })?;
        Ok(source(upper, self.base.clone()))
    }

    fn space(&self) -> Space {
        Space::default()
    }

    fn condition(&self) -> Condition {
        let state = match self.upper {
            Some(_) => State::Volatile,
            None => State::NotLive,
        };
        Condition {
            state,
            ..Condition::default()
        }
    }
}

pub fn source(upper: &Path, base: BaseImage) -> Source {
    Source {
        upper: open_dir(upper),
        stack: Stack::LiveBoot,
        kind: UpperKind::Overlayfs,
        base,
        mount_points: Vec::new(),
        swap_files: Vec::new(),
        started_from: None,
    }
}

pub fn image(head: &[u8]) -> BaseImage {
    BaseImage::from_layers(&[LayerFacts {
        name: "filesystem.squashfs",
        size: 1,
        head,
    }])
}

pub fn named(name: &str) -> SaveRequest {
    SaveRequest {
        name: name.to_owned(),
        second_pass: true,
        ..SaveRequest::default()
    }
}

pub fn update_of(report: &SaveReport) -> SaveRequest {
    SaveRequest {
        session: Some(report.session),
        second_pass: true,
        ..SaveRequest::default()
    }
}
