//! The contenders.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use wendy_layers::manifest::Writer;
use wendy_layers::testing::tool;
use wendy_layers::{Copied, Exclude, Index, Job, Previous, Unattended, copy, forecast, refresh};

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

/// The copier of this crate, used as a save uses it: a pass, a second pass with the manifest.
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

    /// Saves for the first time.
    pub fn first(&self, to: &Visible) -> Outcome<Index> {
        self.save(to, "copy", None)
    }

    /// Saves again, beside what was saved before.
    pub fn update(&self, to: &Visible, before: &mut Index) -> Outcome<Index> {
        self.look(before)?;
        fs::create_dir(to.path("next"))?;
        let older = open(to.path("copy"))?;
        self.save(
            to,
            "next",
            Some(Previous {
                tree: older.as_fd(),
                index: before,
            }),
        )
    }

    /// Finds out what a save would write.
    pub fn look(&self, before: &mut Index) -> Outcome<bool> {
        let upper = open(self.upper.clone())?;
        Ok(forecast(upper.as_fd(), &self.exclude, Some(before), &Unattended)?.is_unchanged())
    }

    /// Bytes of data in the upper.
    pub fn bytes(&self) -> Outcome<u64> {
        let upper = open(self.upper.clone())?;
        Ok(forecast(upper.as_fd(), &self.exclude, None, &Unattended)?
            .total
            .bytes)
    }

    fn save(&self, to: &Visible, name: &str, previous: Option<Previous<'_>>) -> Outcome<Index> {
        let (upper, dest) = (open(self.upper.clone())?, open(to.path(name))?);
        let writer = Writer::new(File::create(to.path(format!("{name}.manifest")))?)?;
        let job = |manifest| Job {
            upper: upper.as_fd(),
            dest: dest.as_fd(),
            exclude: &self.exclude,
            progress: &Unattended,
            manifest,
        };
        let Copied { index, .. } = copy(&job(None), previous)?;
        let Copied { index, .. } = refresh(&job(Some(&writer)), &index)?;
        writer.finish()?;
        Ok(index)
    }
}
