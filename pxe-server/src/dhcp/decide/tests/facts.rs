//! What a request tells of its machine beside what it asks for: host name, and the relay's address
//! and port.

use super::*;

#[test]
fn host_name_and_relay_are_facts_about_the_machine() {
    let mut packet = packet(&[
        (53, &[DISCOVER]),
        (12, b"Web1.example"),
        (60, b"PXEClient:Arch:00011:UNDI:003016"),
        (93, &[0, 11]),
        (82, b"\x01\x07Gi1/0/7\x02\x02ab"),
    ]);
    packet[24..28].copy_from_slice(&[192, 168, 7, 1]);
    let mut programs = programs();
    programs.uefi_arm64 = Some(program("arm64.efi"));
    let context = Context {
        service: Service::Dhcp,
        address: US,
        link: LINK,
        ports: PORTS,
        schemes: Schemes::default(),
        programs: &programs,
        ipxe_user_classes: &[],
    };
    let Decision::Answer(reply) = decide(&packet, &context) else {
        panic!()
    };
    let Some(Event::DhcpDiscover { facts, .. }) = reply.event else {
        panic!()
    };
    let want = Facts {
        hostname: Some("web1.example".into()),
        firmware: Some(Firmware::UefiArm64),
        arch: Some(Arch::Aarch64),
        address: Some(Ipv4Addr::new(192, 168, 7, 1)),
        circuit_id: Some("Gi1/0/7".into()),
        ..Facts::default()
    };
    assert_eq!(facts, want);
}
