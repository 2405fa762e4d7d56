//! A matchbox data directory served as matchbox serves it: groups select by equality of labels,
//! profiles name what is booted, and configs are templates over a group's metadata.
//!
//! `book` is the files, `library` what was read of them, `select` the choice of a group, `template` the
//! language, `boot` the scripts; `http::matchbox` is the routes. Nothing here writes the directory.

mod book;
mod boot;
mod config;
mod library;
mod select;
pub mod template;

pub use book::{Book, BookError, Boot, Group, Profile};
pub use boot::{boot_script, grub_answer, grub_config, ipxe_script};
pub use config::{Folder, RenderError, env_file, ignition, render_file, variables};
pub use library::Library;
pub use select::{Labels, labels};
