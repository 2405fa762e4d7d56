//! What a machine is given to boot: the network boot program for its firmware and the iPXE script
//! that follows. Pure functions; who asks and over which protocol is `dhcp`, `tftp` and `http`.

mod arch;
mod programs;
mod script;

pub use arch::{Arch, ClientArch, Firmware, Transport};
pub use programs::{AUTOEXEC, BootFile, FirstStage, Programs, boot_path};
pub use script::{
    CommandLineTooLong, ConfigDelivery, Endpoint, InstallScript, Platform, autoexec_script,
    boot_script, disk_script, held_script, install_script, unclaimed_script, waiting_script,
};
