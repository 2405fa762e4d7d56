//! The machine's network card: none, or a virtio card on a tap device of the private LAN.

use std::ffi::OsString;

/// A network card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nic {
    /// No card: what the machine does, it does offline.
    None,
    /// A card with this address behind a tap device that exists already.
    Tap {
        /// Name of the tap device.
        device: String,
        /// MAC address, colon form.
        mac: String,
        /// Whether the card has the option ROM that QEMU brings along, an iPXE. Without one, UEFI
        /// boots it by its own driver and PXE client; BIOS does not boot it.
        rom: bool,
    },
}

impl Nic {
    /// Arguments for QEMU.
    pub(super) fn arguments(&self, boot_index: Option<usize>) -> Vec<OsString> {
        match self {
            Self::None => vec!["-nic".into(), "none".into()],
            Self::Tap { device, mac, rom } => {
                let rom = if *rom { "" } else { ",romfile=" };
                let index = boot_index
                    .map(|i| format!(",bootindex={i}"))
                    .unwrap_or_default();
                vec![
                    "-netdev".into(),
                    format!("tap,id=lan,ifname={device},script=no,downscript=no,vhost=off").into(),
                    "-device".into(),
                    format!("virtio-net-pci,netdev=lan,mac={mac}{rom}{index}").into(),
                ]
            }
        }
    }
}
