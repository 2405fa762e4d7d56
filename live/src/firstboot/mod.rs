//! The end of a first boot from disk: says what the machine was given and what came of it, and
//! makes sure that Ignition never runs on it again.

mod complete;
mod merged;
mod result;

pub use complete::{CompleteError, PROVISIONED, complete, report};
pub use merged::MergedConfig;
pub use result::describe;
