//! What firmware sends, built option by option.

use crate::boot::{HttpPorts, Program};

pub(in crate::dhcp) const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
pub(in crate::dhcp) const UUID: [u8; 17] = [
    0, 0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
];
pub(in crate::dhcp) const DISCOVER: u8 = 1;
pub(in crate::dhcp) const REQUEST: u8 = 3;

pub(in crate::dhcp) const PORTS: HttpPorts = HttpPorts {
    plain: 8080,
    tls: Some(8443),
};

/// A client's packet: fixed header as firmware fills it, then `options`.
pub(in crate::dhcp) fn packet(options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut packet = vec![1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 4, 0x80, 0];
    packet.resize(28, 0);
    packet.extend_from_slice(&MAC);
    packet.resize(236, 0);
    packet.extend_from_slice(&[99, 130, 83, 99]);
    for (code, data) in options {
        packet.extend_from_slice(&[*code, u8::try_from(data.len()).unwrap()]);
        packet.extend_from_slice(data);
    }
    packet.push(255);
    packet
}

/// DISCOVER as OVMF sends it by PXE (arch 7), in its order of options.
pub(in crate::dhcp) fn ovmf(message_type: u8) -> Vec<u8> {
    packet(&[
        (53, &[message_type]),
        (57, &[0x05, 0xc0]),
        (
            55,
            &[
                1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58,
                59, 60, 66, 67, 97, 128,
            ],
        ),
        (97, &UUID),
        (94, &[1, 3, 16]),
        (93, &[0, 7]),
        (60, b"PXEClient:Arch:00007:UNDI:003016"),
    ])
}

/// DISCOVER of the iPXE ROM that QEMU's cards carry on a BIOS machine.
pub(in crate::dhcp) fn ipxe_rom(features: &[u8]) -> Vec<u8> {
    packet(&[
        (53, &[DISCOVER]),
        (57, &[0x05, 0xc0]),
        (93, &[0, 0]),
        (94, &[1, 2, 1]),
        (60, b"PXEClient:Arch:00000:UNDI:002001"),
        (77, b"iPXE"),
        (
            55,
            &[1, 3, 6, 7, 12, 15, 17, 43, 60, 66, 67, 119, 128, 175, 203],
        ),
        (175, features),
        (61, &[1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]),
        (97, &UUID),
    ])
}

/// Bus ID, then features: http, iSCSI, tftp, DNS.
pub(in crate::dhcp) const FEATURES: &[u8] = &[
    0xb1, 5, 1, 0x1a, 0xf4, 0x10, 0, 0x13, 1, 1, 0x11, 1, 1, 0x15, 1, 1, 0x17, 1, 1,
];

pub(in crate::dhcp) fn bios_rom() -> Vec<u8> {
    packet(&[
        (53, &[DISCOVER]),
        (97, &UUID),
        (93, &[0, 0]),
        (94, &[1, 2, 1]),
        (60, b"PXEClient:Arch:00000:UNDI:002001"),
    ])
}

/// The boot program `file`.
pub(in crate::dhcp) fn program(file: &str) -> Program {
    Program {
        dir: "/p".into(),
        file: file.into(),
    }
}
