//! What a machine is given to boot: the network boot program for its firmware and the script that
//! follows, of iPXE or GRUB. Pure functions; who asks and over which protocol is `dhcp`, `tftp` and `http`.

mod arch;
mod discovery;
mod endpoint;
pub mod grub;
mod programs;
mod script;
mod servers;

pub use arch::{Arch, ClientArch, Firmware, Transport};
pub use discovery::{DiscoveryScript, discovery_script};
pub use endpoint::{Endpoint, HttpPorts, Scheme, Schemes};
pub use programs::{AUTOEXEC, BootFile, FirstStage, Program, Programs, boot_path};
pub use script::{
    CONFIG_INITRD, CommandLineTooLong, ConfigDelivery, InstallScript, Platform, autoexec_script,
    boot_script, config_version, disk_script, held_script, install_script, unclaimed_script,
    waiting_script,
};
pub use servers::Servers;
