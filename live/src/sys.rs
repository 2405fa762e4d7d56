//! The ioctls that no crate wraps: loop devices, the size of a block device, and resizing a
//! partition in the kernel's view. The only file of this crate with `unsafe`.
//!
//! Layouts: `linux/loop.h`, `linux/blkpg.h`, `linux/fs.h`.
#![expect(unsafe_code, reason = "ioctls take pointers to kernel structures")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;

const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
const BLKPG_RESIZE_PARTITION: libc::c_int = 3;
/// Another process may take the number between asking for it and using it.
const LOOP_TRIES: usize = 16;

#[repr(C)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo64,
    reserved: [u64; 8],
}

#[repr(C)]
struct BlkpgPartition {
    start: i64,
    length: i64,
    number: libc::c_int,
    device_name: [u8; 64],
    volume_name: [u8; 64],
}

#[repr(C)]
struct BlkpgArgument {
    operation: libc::c_int,
    flags: libc::c_int,
    data_length: libc::c_int,
    data: *mut BlkpgPartition,
}

nix::ioctl_none_bad!(loop_ctl_get_free, 0x4C82);
nix::ioctl_write_ptr_bad!(loop_configure, 0x4C0A, LoopConfig);
nix::ioctl_write_ptr_bad!(blkpg, 0x1269, BlkpgArgument);
nix::ioctl_read!(blkgetsize64, 0x12, 114, u64);
nix::ioctl_read_bad!(blksszget, 0x1268, libc::c_int);

/// A loop device that the kernel frees when its last user, this value included, is gone.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    path: PathBuf,
    _keep: File,
}

impl LoopDevice {
    /// Shows `limit` bytes (0: all) of `backing` from `offset` as a read-only block device.
    pub(crate) fn attach(backing: &File, offset: u64, limit: u64) -> io::Result<Self> {
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/loop-control")?;
        let fd = u32::try_from(backing.as_raw_fd()).map_err(io::Error::other)?;
        for _ in 0..LOOP_TRIES {
            // SAFETY: the request takes no argument; the descriptor is open.
            let number = unsafe { loop_ctl_get_free(control.as_raw_fd()) }?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let device = OpenOptions::new().read(true).open(&path)?;
            let config = LoopConfig::read_only(fd, offset, limit);
            // SAFETY: `config` has the layout of struct loop_config and outlives the call; both
            // descriptors are open.
            match unsafe { loop_configure(device.as_raw_fd(), &raw const config) } {
                Ok(_) => {
                    return Ok(Self {
                        path,
                        _keep: device,
                    });
                }
                Err(Errno::EBUSY) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Errno::EBUSY.into())
    }

    /// Its node in `/dev`.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl LoopConfig {
    fn read_only(fd: u32, offset: u64, size_limit: u64) -> Self {
        let info = LoopInfo64 {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset,
            size_limit,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        };
        Self {
            fd,
            block_size: 0,
            info,
            reserved: [0; 8],
        }
    }
}

/// Size of a block device, bytes.
pub(crate) fn device_size(device: &File) -> io::Result<u64> {
    let mut size = 0u64;
    // SAFETY: the kernel writes one u64 through the pointer, which is valid for the call.
    unsafe { blkgetsize64(device.as_raw_fd(), &raw mut size) }?;
    Ok(size)
}

/// Logical sector size of a block device, bytes.
pub(crate) fn sector_size(device: &File) -> io::Result<u32> {
    let mut size: libc::c_int = 0;
    // SAFETY: the kernel writes one int through the pointer, which is valid for the call.
    unsafe { blksszget(device.as_raw_fd(), &raw mut size) }?;
    u32::try_from(size).map_err(io::Error::other)
}

/// Tells the kernel that partition `number` of `disk` now has `length` bytes from byte `start`.
/// Works while the partition is in use.
pub(crate) fn resize_partition(
    disk: &File,
    number: u32,
    start: u64,
    length: u64,
) -> io::Result<()> {
    let mut partition = BlkpgPartition {
        start: i64::try_from(start).map_err(io::Error::other)?,
        length: i64::try_from(length).map_err(io::Error::other)?,
        number: i32::try_from(number).map_err(io::Error::other)?,
        device_name: [0; 64],
        volume_name: [0; 64],
    };
    let argument = BlkpgArgument {
        operation: BLKPG_RESIZE_PARTITION,
        flags: 0,
        data_length: i32::try_from(size_of::<BlkpgPartition>()).map_err(io::Error::other)?,
        data: &raw mut partition,
    };
    // SAFETY: `argument` has the layout of struct blkpg_ioctl_arg and points to a
    // struct blkpg_partition; both outlive the call.
    unsafe { blkpg(disk.as_raw_fd(), &raw const argument) }?;
    Ok(())
}
