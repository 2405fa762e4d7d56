//! From an OS image to a disk: sources, verification, decoding, writing, sealing, first-boot
//! configuration, and the `coreos-installer` command on top.
//!
//! The order that keeps an interrupted install unbootable is a chain of types, see [`seal`].
//! Library modules neither print nor know hints; only [`cli`](self) code may.

pub mod cancel;
pub mod cli;
pub mod decode;
pub mod disk;
pub mod download;
pub mod firmware;
pub mod firstboot;
pub mod image;
pub mod inspect;
pub mod install;
pub mod observe;
pub mod pack_image;
pub mod pack_osmet;
pub mod pipeline;
pub mod plan;
pub mod retrofit;
pub mod seal;
pub mod sign;
mod size;
pub mod source;
mod ui;
pub mod verify;
