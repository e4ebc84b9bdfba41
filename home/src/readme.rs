//! `VERSION.txt`: what this is, for someone who finds it on a stick and has never heard of it.

use crate::medium::{Medium, MediumFile};
use std::io;

/// Path of the text on the medium.
pub const PATH: &str = ".wendy/VERSION.txt";

/// The text. Lines end as Windows' oldest editor wants them.
const TEXT: &str = "\
This folder belongs to a Linux home directory kept by wendy-home (format 1).\r\n\
\r\n\
YOUR FILES ARE NOT IN HERE. They are beside this folder, under their own names:\r\n\
open, copy and edit them on any computer. Nothing is locked or packed.\r\n\
\r\n\
This folder keeps what this stick cannot keep by itself: permissions, links,\r\n\
exact times, and names that differ only in case. Please leave it where it is.\r\n\
\r\n\
- A strange sign in a file name stands for a character Windows does not allow,\r\n\
  or for a letter where two names would be the same.\r\n\
- A long film may be in parts, film.mkv, film.mkv.~002 and so on. To join them,\r\n\
  on a disk that is not FAT32:\r\n\
      Windows:     copy /b film.mkv+film.mkv.~002 whole.mkv\r\n\
      Linux, Mac:  cat film.mkv film.mkv.~002 > whole.mkv\r\n\
- Files in the folder \"tmp\" had just been written when the stick was pulled, or\r\n\
  their own folder is full: at some 16,000 long names on most sticks. They are\r\n\
  under their names when the home is used. The folder \"lost\" keeps those that\r\n\
  have none.\r\n\
- After a pull the newest state of a file may still have another name, beside\r\n\
  the old one, until the home is used or repaired.\r\n\
- If this folder is deleted, all files beside it stay; those in \"tmp\" and \"lost\"\r\n\
  are gone. Else only permissions, links, attributes, exact times, and zeros at\r\n\
  the end of files that took no room are lost:\r\n\
  \"wendy-home create\" on the folder above makes it a home again.\r\n\
- To check or repair: wendy-home fsck --repair FOLDER\r\n";

/// The text beside an image.
const IMAGE_TEXT: &str = "\
This folder belongs to a Linux home directory kept by wendy-home in one file.\r\n\
\r\n\
YOUR FILES ARE IN THE FILE home.img beside this folder. Please leave it where it\r\n\
is, under that name, and do not open it while the home is in use. It holds an\r\n\
ext4 filesystem, which Windows and Mac computers do not read by themselves.\r\n\
\r\n\
- To get at the files on any Linux computer, as root:\r\n\
      mount -o loop,nosuid,nodev home.img /mnt\r\n\
- To have them as ordinary files on this stick instead, which any computer reads\r\n\
  (there must be room for both while it works):\r\n\
      wendy-home convert --to files FOLDER\r\n\
- A copy of home.img is a copy of everything.\r\n\
- To check or repair: wendy-home fsck --repair FOLDER\r\n\
- Nothing in this folder is needed to read home.img.\r\n";

/// How the home is kept that the text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readme {
    /// As files.
    Files,
    /// As an image.
    Image,
}

/// Writes the text.
///
/// # Errors
/// Those of the medium.
pub fn write<M: Medium>(medium: &M, about: Readme) -> io::Result<()> {
    let text = match about {
        Readme::Files => TEXT,
        Readme::Image => IMAGE_TEXT,
    };
    let file = match medium.create(PATH) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => medium.open(PATH)?,
        other => other?,
    };
    file.set_len(0)?;
    file.write_at(text.as_bytes(), 0)?;
    file.sync()
}
