//! Ignition configs: read, checked, brought to one spec, merged, and what the machine will get.
//!
//! Specs 3.0.0 to 3.6.0, by the table in [`crate::schema`]. Nothing is fetched here.

mod combine;
mod config;
mod contents;
mod document;
mod keys;
pub mod merge;
pub mod network;
mod read;
pub mod render;
pub mod rules;
#[cfg(test)]
mod sample;
pub mod syntax;
mod tree;
pub mod upgrade;
mod walk;

pub use combine::combine;
pub use config::{Config, IgnitionError, is_butane};
pub use read::{Checked, ReadOptions, read};
pub use tree::Tree;
