//! Bootable media from one OS image: live ISO, kernel, initramfs, rootfs and their manifest.
//!
//! | module | is |
//! |---|---|
//! | [`options`], [`build`] | what is asked for, and the steps that make it |
//! | [`unpack`], [`image`] | the verified image and what is read out of it |
//! | [`live_kargs`], [`initramfs`], [`live_module`], [`rootfs`] | the live system's parts |
//! | [`grub`], [`efi_image`], [`media`] | what makes them start, and the ISO's files |
//! | [`iso`] | the ISO 9660 writer, which knows nothing of all that |
//! | [`inspect`], [`verify`] | an ISO looked into, and held against what it says of itself |
//! | [`identity`], [`artifact`], [`tools`], [`watch`] | identifiers, digests, host programs, progress |
#![forbid(unsafe_code)]

pub mod artifact;
pub mod build;
pub mod cli;
pub mod efi_image;
pub mod grub;
pub mod identity;
pub mod image;
pub mod initramfs;
pub mod inspect;
pub mod iso;
pub mod live_kargs;
pub mod live_module;
pub mod media;
pub mod options;
pub mod rootfs;
pub mod tools;
pub mod unpack;
pub mod verify;
pub mod watch;
