#!/bin/sh
# First process of a user-mode Linux whose root is the host's (hostfs): mounts a FAT medium, the way a
# stick is mounted for a home, runs the script named by the kernel parameter `job`, and powers off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /mnt
modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in fs/nls/nls_cp437 fs/nls/nls_iso8859-1 fs/nls/nls_utf8 fs/fat/fat fs/fat/vfat fs/fuse/fuse \
    drivers/block/loop; do
    busybox insmod "$modules/$module.ko"
done
mkdir /mnt/stick /mnt/home /mnt/other
if mount -t vfat -o utf8,noatime,nosuid,nodev,umask=077,errors=remount-ro /dev/ubda /mnt/stick; then
    # shellcheck disable=SC2154 # the kernel hands its parameters over as variables
    sh -e "$job"
    echo "job ended with $?"
fi
umount /mnt/home 2>/dev/null
umount /mnt/stick
busybox poweroff -f
