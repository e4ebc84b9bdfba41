//! Failures as programs meet them: a word of those that `wendyctl` has.

use serde::Serialize;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use wendy_home::convert::ConvertError;
use wendy_home::image::ImageError;
use wendy_home::store::OpenError;

/// What this program refuses by itself.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Somebody else has the home for themselves.
    #[error("{} is in use already: unmount it before", .0.display())]
    InUse(PathBuf),
    /// Which of the files of the home it was is no matter of theirs.
    #[error("you may not use the home in {}: that needs its owner or root", .0.display())]
    NotAllowed(PathBuf),
    /// Only root mounts what is in an image.
    #[error("that needs root: the filesystem in an image is mounted for it")]
    NeedsRoot,
    /// It is no home's directory, but shows one.
    #[error("{} only shows a home: name {}", shown.display(), match directory {
        Some(directory) => format!("{}, where it is kept", directory.display()),
        None => "the directory on the stick that holds it, usually pershome".into(),
    })]
    OnlyShown {
        /// What was named.
        shown: PathBuf,
        /// Where the home is, if that is known.
        directory: Option<PathBuf>,
    },
}

/// What it takes where somebody may not make or open an image; any other error as it is.
pub fn needs_root(error: anyhow::Error) -> anyhow::Error {
    if !error.chain().any(super::is_denial) {
        return error;
    }
    Refusal::NeedsRoot.into()
}

/// What a program gets in place of a sentence, as of `wendyctl`.
#[derive(Debug, Serialize)]
pub struct Failure {
    error: &'static str,
    exit_status: u8,
    message: String,
    /// What to do is in the message.
    advice: &'static str,
}

impl Failure {
    pub fn new(error: &anyhow::Error, exit_status: u8, message: String) -> Self {
        let causes = error.chain().filter_map(kind);
        Self {
            error: causes.last().unwrap_or("failed"),
            exit_status,
            message,
            advice: "",
        }
    }
}

fn kind(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(refusal) = cause.downcast_ref::<Refusal>() {
        return Some(match refusal {
            Refusal::InUse(_) => "busy",
            Refusal::NotAllowed(_) | Refusal::NeedsRoot => "not-authorized",
            Refusal::OnlyShown { .. } => "not-found",
        });
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::PermissionDenied => Some("not-authorized"),
            io::ErrorKind::NotFound => Some("not-found"),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("no-space"),
            io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy => Some("busy"),
            io::ErrorKind::ReadOnlyFilesystem => Some("impossible"),
            _ => None,
        };
    }
    let image = match cause.downcast_ref::<ConvertError>() {
        Some(ConvertError::NoHome) => return Some("not-found"),
        Some(ConvertError::Image(image)) => Some(image),
        Some(ConvertError::Store(store)) => return kind(store),
        _ => cause.downcast_ref::<ImageError>(),
    };
    match (image, cause.downcast_ref::<OpenError>()) {
        (Some(ImageError::NoRoom { .. }), _) => Some("no-space"),
        (Some(ImageError::Busy(_)), _) => Some("busy"),
        (Some(ImageError::Damaged(_)), _) | (_, Some(OpenError::Damaged(_))) => Some("damaged"),
        (_, Some(OpenError::Missing)) => Some("not-found"),
        (_, Some(OpenError::Newer(_))) => Some("impossible"),
        _ => None,
    }
}
