//! The contenders.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::syncfs;
use wendy_layers::manifest::Writer;
use wendy_layers::testing::tool;
use wendy_layers::{
    Copied, Exclude, Forecast, Index, Job, Look, Previous, Result, Unattended, confirm, copy,
    forecast, refresh, remove_tree,
};

use crate::place::Visible;
use crate::{Outcome, open};

/// What people copy trees with.
#[derive(Clone, Copy)]
pub enum Tool {
    Cp,
    Rsync,
    Tar,
}

impl Tool {
    pub const ALL: [Self; 3] = [Self::Cp, Self::Rsync, Self::Tar];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cp => "cp -a",
            Self::Rsync => "rsync -aHAX",
            Self::Tar => "tar | tar",
        }
    }

    /// Copies the contents of `from` into the directory `copy` of a medium.
    pub fn copy(self, from: &Path, to: &Visible) -> Outcome<()> {
        let command = match self {
            Self::Cp => "cp -a \"$1/.\" \"$2\"",
            Self::Rsync => "rsync -aHAX --delete \"$1/\" \"$2\"",
            Self::Tar => {
                "tar --acls --xattrs --xattrs-include='*' -C \"$1\" -cf - . | \
                 tar --acls --xattrs --xattrs-include='*' -C \"$2\" -xpf -"
            }
        };
        let to = to.path("copy");
        tool(
            "sh",
            [
                "-c".as_ref(),
                command.as_ref(),
                "sh".as_ref(),
                from.as_os_str(),
                to.as_os_str(),
            ],
        )?;
        Ok(())
    }
}

/// What rsync offers for the same promise: a new copy beside the last one, unchanged files shared.
pub fn rsync_beside(from: &Path, to: &Visible) -> Outcome<()> {
    let (from, next) = (from.join(""), to.path("next"));
    let args = [
        "-aHAX".as_ref(),
        "--link-dest=../copy".as_ref(),
        from.as_os_str(),
        next.as_os_str(),
    ];
    tool("rsync", args)?;
    Ok(())
}

/// The copier of this crate, used as a save uses it.
pub struct Wendy {
    upper: PathBuf,
    exclude: Exclude,
}

impl Wendy {
    pub fn new(upper: &Path) -> Self {
        Self {
            upper: upper.into(),
            exclude: Exclude::nothing(),
        }
    }

    /// Saves for the first time: a pass, and a second pass with the manifest.
    pub fn first(&self, to: &Visible) -> Outcome<Index> {
        let (upper, dest) = (open(self.upper.clone())?, open(to.path("copy"))?);
        let Copied { index, .. } = copy(&self.job(&upper, &dest, None), None)?;
        let again = self.with_manifest(to, "copy", |job| refresh(job, &index))?;
        flip(to, "copy")?;
        Ok(again.index)
    }

    /// Saves again, beside what was saved before. Returns when all that inodes tell of was on the
    /// medium; then what was saved before is removed, and all data looked at.
    pub fn update(&self, to: &Visible, before: &mut Index) -> Outcome<Instant> {
        let upper = open(self.upper.clone())?;
        self.forecast(&upper, Look::Inodes, before)?;
        fs::create_dir(to.path("next"))?;
        let older = open(to.path("copy"))?;
        let previous = Previous {
            tree: older.as_fd(),
            index: before,
        };
        let mut updated = self.with_manifest(to, "next", |job| copy(job, Some(previous)))?;
        flip(to, "next")?;
        let saved = Instant::now();
        remove_tree(open(to.path(""))?.as_fd(), "copy".as_ref(), &Unattended)?;
        let indexes = (&*before, &mut updated.index);
        let silent = confirm(upper.as_fd(), &self.exclude, indexes, &Unattended)?;
        assert_eq!(silent, 0, "nobody writes through a mapping here");
        Ok(saved)
    }

    /// Finds out what a save would write.
    pub fn look(&self, before: &mut Index) -> Outcome<bool> {
        let upper = open(self.upper.clone())?;
        Ok(self.forecast(&upper, Look::Inodes, before)?.is_unchanged()
            && self.forecast(&upper, Look::Data, before)?.is_unchanged())
    }

    /// Bytes of data in the upper.
    pub fn bytes(&self) -> Outcome<u64> {
        let upper = open(self.upper.clone())?;
        let found = forecast(
            upper.as_fd(),
            &self.exclude,
            None,
            Look::Inodes,
            &Unattended,
        )?;
        Ok(found.total.bytes)
    }

    fn forecast(&self, upper: &File, look: Look, index: &mut Index) -> Outcome<Forecast> {
        let (upper, index) = (upper.as_fd(), Some(index));
        Ok(forecast(upper, &self.exclude, index, look, &Unattended)?)
    }

    fn with_manifest(
        &self,
        to: &Visible,
        name: &str,
        pass: impl FnOnce(&Job<'_>) -> Result<Copied>,
    ) -> Outcome<Copied> {
        let (upper, dest) = (open(self.upper.clone())?, open(to.path(name))?);
        let writer = Writer::new(File::create(to.path(format!("{name}.manifest")))?)?;
        let copied = pass(&self.job(&upper, &dest, Some(&writer)))?;
        writer.finish()?;
        Ok(copied)
    }

    fn job<'a>(&'a self, upper: &'a File, dest: &'a File, manifest: Option<&'a Writer>) -> Job<'a> {
        Job {
            upper: upper.as_fd(),
            dest: dest.as_fd(),
            exclude: &self.exclude,
            progress: &Unattended,
            manifest,
        }
    }
}

/// Lets `name` count once it is on the medium, by one rename.
fn flip(to: &Visible, name: &str) -> Outcome<()> {
    let top = open(to.path(""))?;
    syncfs(&top)?;
    symlink(name, to.path("current.new"))?;
    fs::rename(to.path("current.new"), to.path("current"))?;
    Ok(top.sync_all()?)
}
