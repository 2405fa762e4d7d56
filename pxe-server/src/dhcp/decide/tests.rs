//! Packets of real firmware in, decisions out, each answer read back field by field; and any bytes
//! whatever.

mod facts;
pub(in crate::dhcp) mod packets;
mod schemes;

use dhcproto::Decodable as _;
use dhcproto::v4::{DhcpOption, Message, OptionCode};
use proptest::prelude::*;

use super::*;
use crate::boot::Arch;
use packets::{
    DISCOVER, FEATURES, MAC, PORTS, REQUEST, UUID, bios_rom, ipxe_rom, ovmf, packet, program,
};

const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const LINK: Ipv4Addr = Ipv4Addr::new(192, 168, 9, 9);
fn programs() -> Programs {
    Programs {
        bios: Some(program("undionly.kpxe")),
        uefi_x64: Some(program("ipxe.efi")),
        ..Programs::default()
    }
}

fn decided(packet: &[u8], service: Service) -> Decision {
    let (programs, classes) = (programs(), ["iPXE".to_owned(), "Custom".to_owned()]);
    decide(
        packet,
        &Context {
            service,
            address: US,
            link: LINK,
            ports: PORTS,
            schemes: Schemes::default(),
            programs: &programs,
            ipxe_user_classes: &classes,
        },
    )
}

fn answered(packet: &[u8], service: Service) -> (Message, Reply) {
    match decided(packet, service) {
        Decision::Answer(reply) => {
            assert!(
                reply.packet.len() >= 300 && reply.packet.len() <= 576,
                "{}",
                reply.packet.len()
            );
            let message = Message::from_bytes(&reply.packet).unwrap();
            assert_eq!(
                (message.xid(), message.chaddr(), message.siaddr()),
                (0xdead_beef, &MAC[..], US)
            );
            assert!(
                message.yiaddr().is_unspecified()
                    && message.opts().get(OptionCode::AddressLeaseTime).is_none()
            );
            assert_eq!(
                message.opts().get(OptionCode::ServerIdentifier),
                Some(&DhcpOption::ServerIdentifier(US))
            );
            (message, *reply)
        }
        Decision::Ignore(reason) => panic!("{reason:?}"),
    }
}

fn ignored(packet: &[u8], service: Service) -> Ignored {
    match decided(packet, service) {
        Decision::Ignore(reason) => reason,
        Decision::Answer(reply) => panic!("{reply:?}"),
    }
}

fn file(message: &Message) -> &str {
    // The decoder keeps the field's NUL.
    message
        .fname_str()
        .map_or("", |name| name.unwrap().trim_end_matches('\0'))
}

fn option(message: &Message, code: OptionCode) -> Option<DhcpOption> {
    message.opts().get(code).cloned()
}

const CLASS_PXE: &[u8] = b"PXEClient";

#[test]
fn bios_rom_is_told_to_use_the_file_at_once() {
    let (message, reply) = answered(&bios_rom(), Service::Dhcp);
    assert_eq!(message.opts().msg_type(), Some(MessageType::Offer));
    assert_eq!(file(&message), "boot/52-54-00-12-34-56/undionly.kpxe");
    assert_eq!(
        option(&message, OptionCode::VendorExtensions),
        Some(DhcpOption::VendorExtensions(vec![6, 1, 8, 255]))
    );
    assert_eq!(
        option(&message, OptionCode::ClassIdentifier),
        Some(DhcpOption::ClassIdentifier(CLASS_PXE.to_vec()))
    );
    assert_eq!(
        option(&message, OptionCode::ClientMachineIdentifier),
        Some(DhcpOption::ClientMachineIdentifier(UUID.to_vec()))
    );
    assert_eq!(
        (reply.to, reply.mac),
        (Destination::Broadcast, MacAddr(MAC))
    );
    let facts = Facts {
        uuid: Some("00112233-4455-6677-8899-aabbccddeeff".to_owned()),
        firmware: Some(Firmware::Bios),
        arch: Some(Arch::X86_64),
        address: Some(LINK),
        ..Facts::default()
    };
    let client = BootClient::Firmware;
    assert_eq!(reply.event, Some(Event::DhcpDiscover { client, facts }));
}

#[test]
fn uefi_is_offered_service_without_a_file_and_gets_the_file_on_4011() {
    let (offer, _) = answered(&ovmf(DISCOVER), Service::Dhcp);
    assert_eq!(file(&offer), "");
    assert_eq!(option(&offer, OptionCode::VendorExtensions), None);
    assert_eq!(option(&offer, OptionCode::BootfileName), None);
    assert_eq!(
        option(&offer, OptionCode::ClassIdentifier),
        Some(DhcpOption::ClassIdentifier(CLASS_PXE.to_vec()))
    );

    let (ack, reply) = answered(&ovmf(REQUEST), Service::BootServer);
    assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
    assert_eq!(file(&ack), "boot/52-54-00-12-34-56/ipxe.efi");
    assert_eq!((reply.to, reply.event), (Destination::Sender, None));
}

#[test]
fn ipxe_gets_the_script_url_with_a_next_server() {
    let (message, _) = answered(&ipxe_rom(FEATURES), Service::Dhcp);
    assert_eq!(file(&message), "http://10.0.0.2:8080/boot.ipxe");
    assert_eq!(option(&message, OptionCode::VendorExtensions), None);
}

#[test]
fn ipxe_without_http_gets_a_fuller_one_by_full_url() {
    let (message, _) = answered(&ipxe_rom(&[0x15, 1, 1]), Service::Dhcp);
    assert_eq!(
        file(&message),
        "tftp://10.0.0.2/boot/52-54-00-12-34-56/undionly.kpxe"
    );
}

#[test]
fn ipxe_is_known_by_raw_and_by_length_prefixed_class() {
    for class in [&b"iPXE"[..], b"\x04iPXE", b"\x01x\x06Custom", b"Custom"] {
        let request = packet(&[
            (53, &[DISCOVER]),
            (60, b"PXEClient:Arch:00007:UNDI:003016"),
            (93, &[0, 7]),
            (77, class),
        ]);
        assert_eq!(
            file(&answered(&request, Service::Dhcp).0),
            "http://10.0.0.2:8080/boot.ipxe",
            "{class:?}"
        );
    }
    for class in [&b"iPX"[..], b"\x09iPXE", b""] {
        let request = packet(&[
            (53, &[DISCOVER]),
            (60, b"PXEClient:Arch:00007:UNDI:003016"),
            (93, &[0, 7]),
            (77, class),
        ]);
        assert_eq!(file(&answered(&request, Service::Dhcp).0), "", "{class:?}");
    }
}

#[test]
fn http_boot_gets_its_url_in_the_offer() {
    let request = packet(&[
        (53, &[DISCOVER]),
        (60, b"HTTPClient:Arch:00016:UNDI:003001"),
        (93, &[0, 16]),
    ]);
    let (message, reply) = answered(&request, Service::Dhcp);
    let url = "http://10.0.0.2:8080/boot/52-54-00-12-34-56/ipxe.efi";
    assert_eq!(
        option(&message, OptionCode::ClassIdentifier),
        Some(DhcpOption::ClassIdentifier(b"HTTPClient".to_vec()))
    );
    assert_eq!(
        option(&message, OptionCode::BootfileName),
        Some(DhcpOption::BootfileName(url.as_bytes().to_vec()))
    );
    assert_eq!(file(&message), url);
    assert!(matches!(
        reply.event,
        Some(Event::DhcpDiscover {
            client: BootClient::HttpBoot,
            facts: Facts { uuid: None, .. },
        })
    ));
}

#[test]
fn the_first_known_architecture_counts_and_option_60_helps_out() {
    for (class, arches, want) in [
        (
            &b"PXEClient:Arch:00007:UNDI:003016"[..],
            Some(&[0, 6, 0, 7][..]),
            "ipxe.efi",
        ),
        (b"PXEClient:Arch:00009", Some(&[0, 9]), "ipxe.efi"),
        (b"PXEClient:Arch:00007:UNDI:003016", None, "ipxe.efi"),
        (
            b"PXEClient:Arch:00007:UNDI:003016",
            Some(&[0, 0]),
            "ipxe.efi",
        ),
        (
            b"PXEClient:Arch:00000:UNDI:002001",
            Some(&[0, 7]),
            "ipxe.efi",
        ),
    ] {
        let mut options = vec![(53, &[REQUEST][..]), (60, class)];
        options.extend(arches.map(|arches| (93, arches)));
        let (ack, _) = answered(&packet(&options), Service::BootServer);
        assert!(
            file(&ack).ends_with(want),
            "{class:?} {arches:?}: {}",
            file(&ack)
        );
    }
    let unknown = packet(&[
        (53, &[DISCOVER]),
        (60, b"PXEClient:Arch:00031"),
        (93, &[0, 31]),
    ]);
    assert_eq!(
        ignored(&unknown, Service::Dhcp),
        Ignored::Parse(ParseError::Arch)
    );
    let arm = packet(&[
        (53, &[DISCOVER]),
        (60, b"PXEClient:Arch:00011"),
        (93, &[0, 11]),
    ]);
    assert_eq!(ignored(&arm, Service::Dhcp), Ignored::NoProgram);
}

#[test]
fn a_relay_gets_the_answer_with_its_own_option_for_a_broadcast() {
    let mut request = bios_rom();
    // Sent on to the address that it leases, it would reach nobody.
    request[10] = 0;
    request[24..28].copy_from_slice(&[192, 168, 7, 1]);
    request.pop();
    request.extend_from_slice(&[82, 6, 1, 4, b'e', b't', b'h', b'0', 255]);
    let (message, reply) = answered(&request, Service::Dhcp);
    assert_eq!(reply.to, Destination::Relay(Ipv4Addr::new(192, 168, 7, 1)));
    assert_eq!(message.giaddr(), Ipv4Addr::new(192, 168, 7, 1));
    assert!(message.flags().broadcast());
    assert!(
        reply
            .packet
            .windows(8)
            .any(|bytes| bytes == [82, 6, 1, 4, b'e', b't', b'h', b'0'])
    );
}

#[test]
fn a_client_with_an_address_and_no_broadcast_flag_is_answered_there() {
    let mut request = bios_rom();
    request[10] = 0;
    request[12..16].copy_from_slice(&[10, 0, 0, 77]);
    assert_eq!(
        answered(&request, Service::Dhcp).1.to,
        Destination::Client(Ipv4Addr::new(10, 0, 0, 77))
    );
    request[10] = 0x80;
    assert_eq!(
        answered(&request, Service::Dhcp).1.to,
        Destination::Broadcast
    );
}

#[test]
fn options_in_overloaded_fields_are_found() {
    let mut request = packet(&[(53, &[DISCOVER]), (52, &[3])]);
    request[108..108 + 36].copy_from_slice(b"\x3c\x20PXEClient:Arch:00007:UNDI:003016\xff\0");
    request[44..49].copy_from_slice(&[77, 4, b'i', b'P', b'X']);
    request[49..51].copy_from_slice(&[b'E', 255]);
    assert_eq!(
        file(&answered(&request, Service::Dhcp).0),
        "http://10.0.0.2:8080/boot.ipxe"
    );
}

#[test]
fn a_missing_machine_identifier_is_fine_and_a_wrong_one_is_not() {
    let class: (u8, &[u8]) = (60, b"PXEClient:Arch:00000:UNDI:002001");
    let (message, _) = answered(&packet(&[(53, &[DISCOVER]), class]), Service::Dhcp);
    assert_eq!(option(&message, OptionCode::ClientMachineIdentifier), None);
    let wrong = packet(&[(53, &[DISCOVER]), class, (97, &[0; 16])]);
    assert_eq!(
        ignored(&wrong, Service::Dhcp),
        Ignored::Parse(ParseError::UuidLength)
    );
}

#[test]
fn what_is_not_for_us_stays_unanswered() {
    let parse = Ignored::Parse;
    let ordinary = packet(&[(53, &[DISCOVER]), (60, b"MSFT 5.0")]);
    assert_eq!(
        ignored(&ordinary, Service::Dhcp),
        parse(ParseError::NotBootClient)
    );
    assert_eq!(
        ignored(&packet(&[(53, &[DISCOVER])]), Service::Dhcp),
        parse(ParseError::NotBootClient)
    );
    assert_eq!(
        ignored(&packet(&[(60, CLASS_PXE)]), Service::Dhcp),
        parse(ParseError::MessageType)
    );
    assert_eq!(ignored(&ovmf(REQUEST), Service::Dhcp), Ignored::OtherServer);
    let to_other = packet(&[
        (53, &[REQUEST]),
        (60, b"PXEClient:Arch:00007"),
        (54, &[10, 0, 0, 1]),
    ]);
    assert_eq!(ignored(&to_other, Service::Dhcp), Ignored::OtherServer);
    assert_eq!(
        ignored(&to_other, Service::BootServer),
        Ignored::OtherServer
    );
    assert_eq!(
        ignored(&ovmf(DISCOVER), Service::BootServer),
        Ignored::Unasked
    );
    let mut reply = bios_rom();
    reply[0] = 2;
    assert_eq!(
        ignored(&reply, Service::Dhcp),
        parse(ParseError::NotRequest)
    );
    let mut token_ring = bios_rom();
    token_ring[2] = 255;
    assert_eq!(
        ignored(&token_ring, Service::Dhcp),
        parse(ParseError::NotEthernet)
    );
    assert_eq!(
        ignored(&bios_rom()[..239], Service::Dhcp),
        parse(ParseError::NotDhcp)
    );
    assert_eq!(
        ignored(&[0; 300], Service::Dhcp),
        parse(ParseError::NotDhcp)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_decided_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700), boot_server: bool) {
        let service = if boot_server { Service::BootServer } else { Service::Dhcp };
        decided(&bytes, service);
    }

    /// Well-formed header, arbitrary options: what is answered is a packet that reads back.
    #[test]
    fn any_options_give_silence_or_a_well_formed_answer(
        tail in proptest::collection::vec(any::<u8>(), 0..400),
        arch in 0u8..32,
        header in proptest::collection::vec((0usize..236, any::<u8>()), 0..6),
        boot_server: bool,
        kind in 1u8..9,
    ) {
        let class = format!("PXEClient:Arch:000{arch:02}:UNDI:003016");
        let mut request = packet(&[(53, &[kind]), (60, class.as_bytes()), (93, &[0, arch])]);
        request.pop();
        request.extend_from_slice(&tail);
        for (at, byte) in header {
            request[at] = byte;
        }
        let service = if boot_server { Service::BootServer } else { Service::Dhcp };
        if let Decision::Answer(reply) = decided(&request, service) {
            prop_assert!((300..=1024).contains(&reply.packet.len()));
            let message = Message::from_bytes(&reply.packet).unwrap();
            prop_assert_eq!(message.chaddr(), &reply.mac.0[..]);
            prop_assert_eq!(message.siaddr(), US);
        }
    }
}
