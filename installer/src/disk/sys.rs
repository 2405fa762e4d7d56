//! The system calls that no library wraps safely: ioctls of block devices, loop devices and file
//! flags. The only
//! unsafe code of this crate; everything it needs to be sound is checked here.
#![expect(unsafe_code, reason = "ioctls have no safe form")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};

use nix::libc::{c_int, c_long, c_ulong};

// linux/fs.h
const BLKRRPART: c_ulong = 0x125f;
const BLKSSZGET: c_ulong = 0x1268;
const BLKZEROOUT: c_ulong = 0x127f;
// linux/fs.h: a flag of inodes
const FS_IMMUTABLE_FL: c_long = 0x10;
// linux/fs.h: _IOWR('f', 11, struct fiemap), without the extents behind it
const FS_IOC_FIEMAP: c_ulong = 0xc020_660b;
// linux/fiemap.h
const FIEMAP_FLAG_SYNC: u32 = 1;
// linux/loop.h
const LOOP_CONFIGURE: c_ulong = 0x4c0a;
const LOOP_CTL_GET_FREE: c_ulong = 0x4c82;

/// Nothing is written to the backing file.
pub(super) const LO_FLAGS_READ_ONLY: u32 = 1;
/// Detach when the last user closes the loop device.
pub(super) const LO_FLAGS_AUTOCLEAR: u32 = 4;

nix::ioctl_none_bad!(blkrrpart, BLKRRPART);
nix::ioctl_read_bad!(blksszget, BLKSSZGET, c_int);
nix::ioctl_write_ptr_bad!(blkzeroout, BLKZEROOUT, [u64; 2]);
nix::ioctl_write_ptr_bad!(loop_configure, LOOP_CONFIGURE, LoopConfig);
nix::ioctl_none_bad!(loop_ctl_get_free, LOOP_CTL_GET_FREE);
nix::ioctl_read!(fs_ioc_getflags, b'f', 1, c_long);
nix::ioctl_write_ptr!(fs_ioc_setflags, b'f', 2, c_long);

nix::ioctl_readwrite_bad!(fs_ioc_fiemap, FS_IOC_FIEMAP, Fiemap);

/// How many extents are asked for in one call.
pub(super) const EXTENTS_AT_ONCE: usize = 64;

/// `struct fiemap_extent`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawExtent {
    pub(super) logical: u64,
    pub(super) physical: u64,
    pub(super) length: u64,
    reserved64: [u64; 2],
    pub(super) flags: u32,
    reserved: [u32; 3],
}

/// `struct fiemap`
#[repr(C)]
struct Fiemap {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    count: u32,
    reserved: u32,
    extents: [RawExtent; EXTENTS_AT_ONCE],
}

/// `struct loop_info64`
#[repr(C)]
#[derive(Clone, Copy)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    sizelimit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// Logical sector size of a block device, bytes.
pub(super) fn logical_sector_size(device: &File) -> io::Result<u32> {
    let mut size: c_int = 0;
    // SAFETY: the descriptor is open for the call, and BLKSSZGET writes one int to `size`.
    unsafe { blksszget(device.as_raw_fd(), &mut size) }?;
    u32::try_from(size).map_err(io::Error::other)
}

/// Asks the kernel to read the partition table of a block device again.
pub(super) fn reread_partitions(device: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for the call, and BLKRRPART takes no argument.
    unsafe { blkrrpart(device.as_raw_fd()) }?;
    Ok(())
}

/// Makes a range of a block device read as zeroes. The kernel guarantees that, and uses the
/// device's own means where those guarantee it too. Both values are multiples of 512.
pub(super) fn zero_out(device: &File, offset: u64, len: u64) -> io::Result<()> {
    let range = [offset, len];
    // SAFETY: the descriptor is open for the call, and BLKZEROOUT reads two u64 from `range`.
    unsafe { blkzeroout(device.as_raw_fd(), &range) }?;
    Ok(())
}

/// Extents of a file from the one that holds or follows byte `start`, as many as fit. Data that is
/// still on its way to the disk is written first.
pub(super) fn extents_from(file: &File, start: u64) -> io::Result<Vec<RawExtent>> {
    let mut map = Fiemap {
        start,
        length: u64::MAX - start,
        flags: FIEMAP_FLAG_SYNC,
        mapped: 0,
        count: u32::try_from(EXTENTS_AT_ONCE).map_err(io::Error::other)?,
        reserved: 0,
        extents: [RawExtent::default(); EXTENTS_AT_ONCE],
    };
    // SAFETY: the descriptor is open for the call, and FS_IOC_FIEMAP reads and writes one `fiemap`
    // with at most `count` extents behind it, which is how many `Fiemap` has.
    unsafe { fs_ioc_fiemap(file.as_raw_fd(), &mut map) }?;
    let mapped = usize::try_from(map.mapped).map_err(io::Error::other)?;
    Ok(map.extents.into_iter().take(mapped).collect())
}

fn flags(file: &File) -> io::Result<c_long> {
    let mut flags: c_long = 0;
    // SAFETY: the descriptor is open for the call. FS_IOC_GETFLAGS writes one int (its number says
    // long), which lies within `flags`.
    unsafe { fs_ioc_getflags(file.as_raw_fd(), &mut flags) }?;
    Ok(flags)
}

/// Whether a file is protected from changes, even by root.
pub(crate) fn is_immutable(file: &File) -> io::Result<bool> {
    Ok(flags(file)? & FS_IMMUTABLE_FL != 0)
}

/// Protects a file from changes, or no longer.
pub(crate) fn set_immutable(file: &File, immutable: bool) -> io::Result<()> {
    let flags = match immutable {
        true => flags(file)? | FS_IMMUTABLE_FL,
        false => flags(file)? & !FS_IMMUTABLE_FL,
    };
    // SAFETY: the descriptor is open for the call, and FS_IOC_SETFLAGS reads one int within `flags`.
    unsafe { fs_ioc_setflags(file.as_raw_fd(), &flags) }?;
    Ok(())
}

/// Number of a loop device that was free just now, given `/dev/loop-control`.
pub(super) fn free_loop_number(control: &File) -> io::Result<u32> {
    // SAFETY: the descriptor is open for the call, and LOOP_CTL_GET_FREE takes no argument.
    let number = unsafe { loop_ctl_get_free(control.as_raw_fd()) }?;
    u32::try_from(number).map_err(io::Error::other)
}

/// Binds a loop device to a part of `backing`, given by offset and length.
pub(super) fn bind_loop(
    device: &File,
    backing: &File,
    (offset, len): (u64, u64),
    block_size: u32,
    flags: u32,
) -> io::Result<()> {
    let fd: RawFd = backing.as_raw_fd();
    let config = LoopConfig {
        fd: u32::try_from(fd).map_err(io::Error::other)?,
        block_size,
        info: LoopInfo {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset,
            sizelimit: len,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags,
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        },
        reserved: [0; 8],
    };
    // SAFETY: both descriptors are open for the call (the kernel takes its own reference to the
    // backing file), and LOOP_CONFIGURE reads one `loop_config`, whose layout `LoopConfig` has.
    unsafe { loop_configure(device.as_raw_fd(), &config) }?;
    Ok(())
}
