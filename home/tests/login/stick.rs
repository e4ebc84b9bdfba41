//! Sticks for the tests: loop devices with ext4, as udev would know them.

use crate::LIMIT;
use crate::common::{command, wait_until};
use crate::computer::{Computer, run};
use rustix::fs::{Mode, OFlags};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A stick, plugged in until it is dropped.
#[derive(Debug)]
pub struct Stick {
    pub node: PathBuf,
    pub image: PathBuf,
}

impl Stick {
    /// A new ext4 stick with that label, filled by `fill`, plugged in.
    pub fn new(computer: &Computer, label: &str, fill: impl FnOnce(&Path)) -> Self {
        Self::in_image(
            computer,
            label,
            &computer.file(&format!("{label}.img")),
            fill,
        )
    }

    /// The same with its blocks in the file `image`.
    pub fn in_image(
        computer: &Computer,
        label: &str,
        image: &Path,
        fill: impl FnOnce(&Path),
    ) -> Self {
        fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
        run(command("mkfs.ext4").args(["-q", "-L", label]).arg(image));
        let stick = Self::attached(image);
        stick.look_into(computer, fill);
        stick.tell_udev(label);
        stick
    }

    /// One in a file of its own whose path, as the kernel tells it, is that of another one: whoever had
    /// the loop device made was in a mount namespace of their own. `file` is absolute, and stays as it is.
    pub fn in_another_tree(computer: &Computer, label: &str, file: &Path) -> Self {
        let (root, within) = (computer.file("apart"), file.strip_prefix("/").unwrap());
        fs::create_dir_all(root.join("content/pershome")).unwrap();
        let script = r#"mkdir tree && mount -t tmpfs none tree && mkdir -p "tree/$(dirname "$1")" &&
            truncate -s 16M "tree/$1" && mke2fs -q -t ext4 -d content "tree/$1" &&
            losetup --find --show "tree/$1""#;
        let made = run(command("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(within)
            .current_dir(&root));
        let node = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim_end());
        let stick = Self {
            node,
            image: root.join("none"),
        };
        stick.tell_udev(label);
        stick
    }

    /// Another stick in the file `image`, a copy of this one's, plugged in.
    pub fn twin(&self, image: &Path) -> Self {
        let twin = Self::attached(image);
        fs::copy(self.in_udev(), twin.in_udev()).unwrap();
        twin
    }

    fn attached(image: &Path) -> Self {
        let attached = run(command("losetup")
            .args(["--direct-io=on", "--find", "--show"])
            .arg(image));
        let node = PathBuf::from(String::from_utf8(attached.stdout).unwrap().trim_end());
        Self {
            node,
            image: image.to_owned(),
        }
    }

    /// Waits until nothing of it is mounted: the kernel takes a filesystem down a moment after its last
    /// user has left.
    pub fn wait_until_free(&self) {
        let flags = OFlags::RDONLY | OFlags::EXCL;
        wait_until("the stick is free", LIMIT, || {
            rustix::fs::open(&self.node, flags, Mode::empty()).is_ok()
        });
    }

    /// Mounts the bare filesystem and looks.
    pub fn look_into<T>(&self, computer: &Computer, look: impl FnOnce(&Path) -> T) -> T {
        let at = computer.file("bare");
        fs::create_dir_all(&at).unwrap();
        run(command("mount").args([&self.node, &at]));
        let result = look(&at);
        // A loop device on it, as that of an image, stays as long as anybody on this machine looks at it.
        wait_until("nothing of it is used", LIMIT, || {
            let unmounted = command("umount").arg(&at).output();
            unmounted.unwrap().status.success()
        });
        result
    }

    /// As when it was pulled.
    pub fn forget_in_udev(&self) {
        fs::remove_file(self.in_udev()).unwrap();
    }

    /// What udevd would note: its database is all that libudev reads.
    fn tell_udev(&self, label: &str) {
        let text = format!("E:ID_FS_TYPE=ext4\nE:ID_FS_UUID={label}\nE:ID_FS_LABEL={label}\n");
        fs::write(self.in_udev(), text).unwrap();
    }

    fn in_udev(&self) -> PathBuf {
        let device = fs::metadata(&self.node).unwrap().rdev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        PathBuf::from(format!("/run/udev/data/b{major}:{minor}"))
    }
}

impl Drop for Stick {
    fn drop(&mut self) {
        // Another test's stick may get the same number.
        let _ = fs::remove_file(self.in_udev());
        let _ = command("losetup").arg("-d").arg(&self.node).output();
        let _ = fs::remove_file(&self.image);
    }
}
