//! Placeholder.
pub mod firstboot;
