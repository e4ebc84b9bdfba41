//! What a stick is before it gets its store, and what on it must stay.

use anyhow::{Result, ensure};
use wendy_tests::vm::Vm;

/// Puts a photo on a filesystem.
pub fn leave_photo(vm: &mut Vm, node: &str) -> Result<()> {
    vm.run(&format!(
        "mount {node} /mnt && echo 'a photo' > /mnt/photo && umount /mnt && udevadm settle"
    ))
    .map(drop)
}

/// Whether it is still there.
pub fn find_photo(vm: &mut Vm, node: &str) -> Result<()> {
    let photo = vm.run(&format!(
        "mount -o ro {node} /mnt && cat /mnt/photo && umount /mnt"
    ))?;
    ensure!(photo == "a photo\n", "the photo is now: {photo:?}");
    Ok(())
}
