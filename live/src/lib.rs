//! What runs inside a CoreOS-style system at boot: finding and mounting the live root, handing the
//! config to Ignition, growing the disk on its first boot, the unattended install, the report
//! of what a first boot made, and what a machine does that nobody has a use for yet.
//!
//! One program, `coreos-live`, runs each step as a subcommand of a systemd unit. How media are
//! made and who serves them is not known here; the names shared with those are
//! [`embed::contract`].

pub mod boot_generator;
pub mod cli;
pub mod config;
pub mod console;
pub mod discover;
pub mod failure;
pub mod fetch;
pub mod firstboot;
pub mod generator;
pub mod grow;
pub mod hardware;
pub mod install;
pub mod memory;
pub mod module;
pub mod mount;
pub mod network;
pub mod ostree;
pub mod report;
pub mod rootfs;
pub mod superblock;
mod sys;
mod table;
pub mod unclaimed;
pub mod unit_files;
