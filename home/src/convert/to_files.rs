//! From an image to files.

use super::{ConvertError, Converted, Result, Step, begin, open_files, room, sound_image};
use crate::home::{self, Home, Options};
use crate::image::{FILE, Image, MountedImage};
use crate::import::{Imported, directory};
use crate::medium::Medium as _;
use crate::medium::directory::{DirectoryMedium, Shown};
use crate::medium::preview::Preview;
use crate::mode::Mode;
use crate::names::{self, PRIVATE_DIR};
use rustix::fs::fstat;
use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd as _};
use std::path::PathBuf;
use wendy_sys::step;

/// Builds the files beside the image, all of them in `.wendy`, complete and durable.
pub(super) fn build(
    medium: &DirectoryMedium,
    options: Options,
    tell: &mut dyn FnMut(Step),
) -> Result<Converted> {
    let id = sound_image(medium)?.superblock()?.uuid;
    let image = Image::open(medium, true)?;
    let mounted = MountedImage::of(&image)?;
    room::files(medium, mounted.root())?;
    nothing_in_the_way(medium, mounted.root())?;
    let stat = fstat(mounted.root())?;
    let options = Options {
        uid: stat.st_uid,
        gid: stat.st_gid,
        ..options
    };
    begin(medium, Mode::Files)?;
    home::create(&medium.showing(Shown::PrivateOnly)?, id)?;
    step("convert.fill")?;
    let home = open_files(medium.showing(Shown::PrivateOnly)?, options)?;
    let imported = copy(&home, mounted.root(), tell)?;
    home.close()?;
    step("convert.filled")?;
    verify(medium, options, &imported)?;
    Ok(Converted {
        names: imported.names,
        bytes: imported.bytes,
        lost: imported.attributes_left_out,
    })
}

fn copy(
    home: &Home<DirectoryMedium>,
    root: impl AsFd,
    tell: &mut dyn FnMut(Step),
) -> Result<Imported> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", root.as_fd().as_raw_fd()));
    let mut failed = Ok(());
    let imported = directory::replicate(home, &path, &mut |so_far: &Imported| {
        tell(Step::Copying(so_far.names, so_far.bytes));
        if failed.is_ok() {
            failed = step("convert.name");
        }
    })?;
    failed?;
    let left_out = imported.left_out.iter().map(|it| &it.path);
    match left_out.chain(&imported.beside).next() {
        Some(path) => Err(ConvertError::Incomplete(path.clone())),
        None => Ok(imported),
    }
}

/// Opens the new home once more: what is on the medium is what was written.
fn verify(medium: &DirectoryMedium, options: Options, imported: &Imported) -> Result<()> {
    step("convert.check")?;
    let apart = Preview(medium.showing(Shown::PrivateOnly)?);
    let (home, found) = Home::open(apart, options)?;
    let mut names = 0;
    home.walk::<ConvertError>(|_| {
        names += 1;
        Ok(())
    })?;
    // The walk begins with the home itself.
    if found.is_anything() || names != imported.names + 1 {
        let have = format!("{names} names of {}, {found:?}", imported.names + 1);
        return Err(ConvertError::Incomplete(have));
    }
    Ok(())
}

/// A stranger may have put something beside the image that has the name of something in it.
fn nothing_in_the_way(medium: &DirectoryMedium, root: impl AsFd) -> Result<()> {
    let mut taken = BTreeSet::new();
    for entry in rustix::fs::Dir::read_from(root)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if names::is_valid(&name) {
            taken.insert(names::fold(&names::encode(&name)));
        }
    }
    for (name, _) in medium.list("")? {
        let ours = [FILE, PRIVATE_DIR]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own));
        if !ours && taken.contains(&names::fold(&name)) {
            return Err(ConvertError::InTheWay(format!("{name} beside {FILE}")));
        }
    }
    Ok(())
}
