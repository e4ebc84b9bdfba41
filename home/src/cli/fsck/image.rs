//! Checking a home kept as an image.

use super::Report;
use crate::cli::progress::Waiting;
use wendy_home::image::Image;
use wendy_home::image::check::Found;
use wendy_home::medium::directory::DirectoryMedium;

/// An image that is mounted changes under the eyes of who looks.
fn idle_image(medium: &DirectoryMedium, read_only: bool) -> anyhow::Result<Image> {
    let image = Image::open(medium, read_only)?;
    match image.shown_at()? {
        Some(place) => anyhow::bail!("it is shown at {}: unmount it before", place.display()),
        None => Ok(image),
    }
}

pub fn check(medium: &DirectoryMedium) -> anyhow::Result<Report> {
    let image = idle_image(medium, true)?;
    let _shown = Waiting::new("checking the image", None);
    Ok(match image.superblock() {
        Ok(superblock) => Report {
            clean: superblock.clean,
            image: Some(image.look()?),
            ..Report::default()
        },
        Err(error) => Report {
            damage: Some(error.to_string()),
            image: Some(Found::Wrong),
            ..Report::default()
        },
    })
}

pub fn repair(medium: &DirectoryMedium) -> anyhow::Result<Report> {
    let image = idle_image(medium, false)?;
    let _shown = Waiting::new("checking the image", None);
    let clean = image.superblock().is_ok_and(|superblock| superblock.clean);
    let found = image.repair()?;
    // What a power failure leaves in the journal alone is brought to its place by that.
    Ok(Report {
        clean,
        image: Some(found),
        ..Report::default()
    })
}
