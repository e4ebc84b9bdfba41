//! What an initramfs does: mount, stack, hand over.

use std::{
    env,
    fs::{self, File},
    os::{fd::AsFd, unix::fs::symlink},
    path::{Path, PathBuf},
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::chroot,
};
use rustix::fs::OFlags;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_move,
};
use wendy_sys::{
    DevNum,
    block::{Access, BlockDevice},
    dir,
    loopdev::{Loop, LoopOptions},
};

/// What the machine lends to the system under test so that it can run this program.
pub const LENT: [&str; 4] = ["usr", "proc", "dev", "sys"];

/// An initramfs that is the root directory of this process and nobody else's.
pub struct Initramfs {
    /// Loop devices it uses; they live as long as their mounts.
    loops: Vec<Loop>,
    /// A directory of the machine for files as large as a stick.
    files: File,
}

impl Initramfs {
    /// Steps into it. `files` is a directory of the machine that stays reachable.
    pub fn enter(files: &Path) -> Self {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount_change(
            "/",
            MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
        )
        .unwrap();
        let files = File::open(files).unwrap();
        mount_tmpfs("/mnt", "16m");
        for directory in ["run", "root"] {
            fs::create_dir(Path::new("/mnt").join(directory)).unwrap();
        }
        for lent in LENT {
            let place = Path::new("/mnt").join(lent);
            fs::create_dir(&place).unwrap();
            mount_bind(Path::new("/").join(lent), place).unwrap();
        }
        link_programs(Path::new("/mnt"));
        move_over_root("/mnt");
        mount_tmpfs("/run", "32m");
        Self {
            loops: Vec::new(),
            files,
        }
    }

    /// Mounts the file `name` of the machine's directory; returns its device.
    pub fn mount_file(&mut self, name: &str, place: &str, flags: MountFlags) -> DevNum {
        let path = dir::open_beneath(&self.files, name, OFlags::RDWR);
        self.mount_image(path.unwrap(), "ext4", place, flags)
    }

    /// Mounts the squashfs `image` of an already mounted medium; returns its device.
    pub fn mount_squashfs(&mut self, image: &str, place: &str) -> DevNum {
        self.mount_image(
            File::open(image).unwrap(),
            "squashfs",
            place,
            MountFlags::RDONLY,
        )
    }

    fn mount_image(
        &mut self,
        image: impl AsFd,
        fs_type: &str,
        place: &str,
        flags: MountFlags,
    ) -> DevNum {
        let node = self.attach(image, flags.contains(MountFlags::RDONLY));
        fs::create_dir_all(place).unwrap();
        mount(&node, place, fs_type, flags, None).unwrap();
        number_of(&node)
    }

    /// Shows a file of the machine's directory as a block device.
    pub fn attach_file(&mut self, name: &str) -> PathBuf {
        let file = dir::open_beneath(&self.files, name, OFlags::RDONLY).unwrap();
        self.attach(file, true)
    }

    /// Shows `image` as a block device.
    pub fn attach(&mut self, image: impl AsFd, read_only: bool) -> PathBuf {
        let options = LoopOptions {
            read_only,
            ..LoopOptions::default()
        };
        let device = Loop::attach(image.as_fd(), options).unwrap();
        let node = device.node().to_owned();
        self.loops.push(device);
        node
    }

    /// Mounts a device that is mounted already.
    pub fn mount_again(&self, device: DevNum, place: &str) {
        let used = self
            .loops
            .iter()
            .find(|known| number_of(known.node()) == device)
            .unwrap();
        fs::create_dir_all(place).unwrap();
        mount(used.node(), place, "ext4", MountFlags::empty(), None).unwrap();
    }

    /// Stacks the overlay and makes it the root directory, with what lies below `/run`.
    pub fn hand_over(&self, source: &str, layers: &str, command_line: &str) {
        self.stack(source, layers);
        move_over_root("/root");
        set_command_line(command_line);
    }

    /// Makes the filesystem on `device` the root directory, with what lies below `/run`.
    pub fn hand_over_device(&self, device: &str, fs_type: &str, command_line: &str) {
        mount(device, "/root", fs_type, MountFlags::empty(), None).unwrap();
        carry_over();
        move_over_root("/root");
        set_command_line(command_line);
    }

    /// The same on an initramfs that is shared with other namespaces.
    pub fn hand_over_shared(&self, source: &str, layers: &str, command_line: &str) {
        self.stack(source, layers);
        mount_change("/", MountPropagationFlags::SHARED).unwrap();
        // The kernel refuses to move a mount away from a shared one; bound, it covers as well.
        mount_bind_recursive("/root", "/").unwrap();
        env::set_current_dir("/..").unwrap();
        chroot(".").unwrap();
        env::set_current_dir("/").unwrap();
        set_command_line(command_line);
    }

    fn stack(&self, source: &str, layers: &str) {
        assert!(!self.loops.is_empty(), "a live system has an image");
        let layers = std::ffi::CString::new(layers).unwrap();
        mount(
            source,
            "/root",
            "overlay",
            MountFlags::empty(),
            layers.as_c_str(),
        )
        .unwrap();
        carry_over();
    }
}

/// The names by which programs and libraries are looked for, leading into `/usr`.
pub fn link_programs(root: &Path) {
    for directory in ["lib", "lib64", "bin", "sbin"] {
        symlink(format!("usr/{directory}"), root.join(directory)).unwrap();
    }
}

/// Moves the mounts that every system needs into the new root directory.
fn carry_over() {
    for carried in LENT.iter().chain(&["run"]) {
        mount_move(format!("/{carried}"), format!("/root/{carried}")).unwrap();
    }
}

/// Lets `/proc/cmdline` say this.
pub fn set_command_line(command_line: &str) {
    fs::write("/run/cmdline", command_line).unwrap();
    mount_bind("/run/cmdline", "/proc/cmdline").unwrap();
}

pub fn mount_tmpfs(place: &str, size: &str) {
    fs::create_dir_all(place).unwrap();
    let options = std::ffi::CString::new(format!("size={size}")).unwrap();
    mount(
        "tmpfs",
        place,
        "tmpfs",
        MountFlags::empty(),
        options.as_c_str(),
    )
    .unwrap();
}

/// The device behind a node.
pub fn number_of(node: &Path) -> DevNum {
    BlockDevice::open(node, Access::Read)
        .unwrap()
        .identity()
        .devnum
}

fn move_over_root(place: &str) {
    env::set_current_dir(place).unwrap();
    mount_move(".", "/").unwrap();
    chroot(".").unwrap();
    env::set_current_dir("/").unwrap();
}
