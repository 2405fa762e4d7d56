//! Small languages inside configs: what counts as a URL, a `data:` URL, an ARN, a GUID, a path, a
//! unit file. Pure functions over strings; which field must hold which is in the rules.
//!
//! Each accepts what the Ignition that reads the config on the machine accepts, no more.

pub mod arn;
pub mod data_url;
pub mod guid;
pub mod path;
mod percent;
pub mod unit;
pub mod url;
