//! From files to an image.

use super::{ConvertError, Converted, Result, Step, begin, open_files, room, unpack};
use crate::home::{Home, Options, new_root};
use crate::ids::Ino;
use crate::image::check::Found;
use crate::image::{FILE, Image, MountedImage, making};
use crate::medium::directory::{DirectoryMedium, Shown};
use crate::mode::Mode;
use crate::record::Place;
use crate::store::Store;
use wendy_sys::step;

/// Builds the image beside the files, complete, durable and named.
pub(super) fn build(
    medium: &DirectoryMedium,
    size: Option<u64>,
    options: Options,
    tell: &mut dyn FnMut(Step),
) -> Result<Converted> {
    let home = open_files(medium.showing(Shown::All)?, options)?;
    home.settle()?;
    nothing_in_the_way(&home)?;
    let plan = room::image(&home, medium, size, identity(medium)?)?;
    begin(medium, Mode::Image)?;
    making::make(medium, plan, &mut |done, all| {
        tell(Step::Reserving(done, all))
    })?;
    let image = Image::open_at(medium, making::UNFINISHED, false)?;
    let converted = fill(&image, &home, tell)?;
    home.close()?;
    step("convert.check")?;
    if image.look()? != Found::Sound {
        return Err(ConvertError::Incomplete(
            "e2fsck finds fault with it".into(),
        ));
    }
    making::name(medium)?;
    if Image::open(medium, true)?.superblock()?.uuid != plan.id {
        return Err(ConvertError::Incomplete("another file has its name".into()));
    }
    Ok(converted)
}

/// Identity of the home of files on a medium.
pub(super) fn identity(medium: &DirectoryMedium) -> Result<[u8; 16]> {
    Ok(Store::open(medium, &new_root())?.store.superblock().home)
}

/// A file of the home's own may have the name that the image gets.
fn nothing_in_the_way(home: &Home<DirectoryMedium>) -> Result<()> {
    let place = Place {
        dir: Ino::ROOT,
        name: FILE.into(),
    };
    match home.with_table(|table| table.occupant(&place)) {
        None => Ok(()),
        Some(_) => Err(ConvertError::InTheWay(format!("{FILE} in the home itself"))),
    }
}

fn fill(
    image: &Image,
    home: &Home<DirectoryMedium>,
    tell: &mut dyn FnMut(Step),
) -> Result<Converted> {
    step("convert.fill")?;
    let mounted = MountedImage::of(image)?;
    let converted = unpack::unpack(home, mounted.root(), tell)?;
    wendy_sys::mount::syncfs(mounted.root())?;
    step("convert.filled")?;
    Ok(converted)
}
