//! Everything that is put *into* a system or a medium: Ignition configs, kernel arguments,
//! initrd archives, ISO embed areas, partition tables, and the documents in which the other rooms meet
//! (`manifest.json`, the live medium's description, reports).
//!
//! Pure functions over bytes, readers and writers: no network, no block devices, no async,
//! no printing, no unsafe code. `docs/src/os-contract.md` is the prose of [`contract`].
#![forbid(unsafe_code)]

pub mod bincode;
pub mod butane;
pub mod chunks;
pub mod config;
pub mod contract;
pub mod customize;
pub mod digest;
pub mod finding;
pub mod gpt;
pub mod hardware;
pub mod ignition;
pub mod initrd;
pub mod iso;
pub mod kargs;
pub mod manifest;
pub mod mbr;
pub mod medium;
pub mod network;
pub mod osmet;
pub mod ostree;
pub mod progress;
pub mod report;
pub mod schema;
pub mod stream_hash;
pub mod tree;
pub mod xz;
