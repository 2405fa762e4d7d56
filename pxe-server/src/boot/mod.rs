//! What a machine is given to boot: the network boot program for its firmware and the script that
//! follows, of iPXE or GRUB. Pure functions; who asks and over which protocol is `dhcp`, `tftp` and `http`.

mod arch;
mod discovery;
pub mod grub;
mod programs;
mod script;

pub use arch::{Arch, ClientArch, Firmware, Transport};
pub use discovery::{DiscoveryScript, discovery_script};
pub use programs::{AUTOEXEC, BootFile, FirstStage, Program, Programs, boot_path};
pub use script::{
    CONFIG_INITRD, CommandLineTooLong, ConfigDelivery, Endpoint, InstallScript, Platform,
    autoexec_script, boot_script, config_version, disk_script, held_script, install_script, unclaimed_script,
    waiting_script,
};
