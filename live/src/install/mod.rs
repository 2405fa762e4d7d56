//! The unattended install: `coreos.inst.*` arguments and `/etc/coreos/installer.d` become one run
//! of `coreos-installer`, which is watched, shown on the consoles and reported.

mod arguments;
mod run;

pub use arguments::{ArgumentsError, arguments, target};
pub use run::{InstallError, run};
