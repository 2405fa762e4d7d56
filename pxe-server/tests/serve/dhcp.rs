//! ProxyDHCP over real sockets, by unicast on loopback.

use std::net::UdpSocket;
use std::time::Duration;

use crate::fixture::site_dir;
use crate::process::Server;

/// A UEFI client's packet from a client that has the address 127.0.0.1.
pub(crate) fn uefi(message_type: u8, class: &[u8]) -> Vec<u8> {
    let mut packet = vec![1, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0, 0, 127, 0, 0, 1];
    packet.resize(28, 0);
    packet.extend_from_slice(&[0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    packet.resize(236, 0);
    packet.extend_from_slice(&[
        99,
        130,
        83,
        99,
        53,
        1,
        message_type,
        93,
        2,
        0,
        7,
        60,
        u8::try_from(class.len()).unwrap(),
    ]);
    packet.extend_from_slice(class);
    packet.push(255);
    packet
}

pub(crate) const PXE: &[u8] = b"PXEClient:Arch:00007:UNDI:003016";

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 1500];
    let length = socket.recv(&mut buffer).expect("an answer");
    buffer[..length].to_vec()
}

#[test]
fn a_uefi_client_is_offered_service_and_then_its_file_on_the_second_port() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let socket = UdpSocket::bind(("127.0.0.1", server.dhcp + 1)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();

    // Noise and an ordinary client first: the next answer must belong to the boot client.
    socket
        .send_to(b"noise", ("127.0.0.1", server.dhcp))
        .unwrap();
    socket
        .send_to(&uefi(1, b"MSFT 5.0"), ("127.0.0.1", server.dhcp))
        .unwrap();
    socket
        .send_to(&uefi(1, PXE), ("127.0.0.1", server.dhcp))
        .unwrap();
    let offer = receive(&socket);
    assert_eq!(
        (&offer[4..8], &offer[20..24], offer[108]),
        (&[1, 2, 3, 4][..], &[127, 0, 0, 1][..], 0)
    );
    assert!(offer.windows(3).any(|option| option == [53, 1, 2]));

    socket
        .send_to(&uefi(3, PXE), ("127.0.0.1", server.dhcp + 3944))
        .unwrap();
    let ack = receive(&socket);
    assert!(ack.windows(3).any(|option| option == [53, 1, 5]));
    assert!(ack[108..].starts_with(b"boot/52-54-00-12-34-56/snponly.efi\0"));

    server.wait_for("dhcp-discover", |server| {
        server.events() == ["discovered", "dhcp-discover"]
    });
    let machine = server.machine();
    assert_eq!(
        (&machine["state"], &machine["arch"]),
        (&"discovered".into(), &"uefi-x64".into())
    );
}

#[test]
fn a_thousand_discovers_are_all_answered() {
    let dir = site_dir();
    // One machine asks for all of them.
    let options = ["--machine-rate", "0"].map(std::ffi::OsStr::new);
    let server = Server::start_for_site(dir.path(), &options);
    let socket = UdpSocket::bind(("127.0.0.1", server.dhcp + 1)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    for n in 0..1000u32 {
        let mut packet = uefi(1, PXE);
        packet[4..8].copy_from_slice(&n.to_be_bytes());
        socket.send_to(&packet, ("127.0.0.1", server.dhcp)).unwrap();
        assert_eq!(receive(&socket)[4..8], n.to_be_bytes());
    }
}

#[test]
fn a_machine_that_the_site_ignores_hears_nothing() {
    let dir = site_dir();
    let site = dir.path().join("site");
    let text = "media: ../media\nipxe: {dir: ../ipxe}\nunknown-machines: ignore\n";
    std::fs::write(site.join("site.yaml"), text).unwrap();
    let server = Server::start(dir.path());
    let socket = UdpSocket::bind(("127.0.0.1", server.dhcp + 1)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut stranger = uefi(1, PXE);
    stranger[28] = 2;
    // The next answer is for the machine that came after the stranger.
    for packet in [stranger, uefi(1, PXE)] {
        socket.send_to(&packet, ("127.0.0.1", server.dhcp)).unwrap();
    }
    assert_eq!(receive(&socket)[28], 0x52);
}
