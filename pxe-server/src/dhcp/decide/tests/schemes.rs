//! Scripts by HTTPS: named to an iPXE that has it, which one that has not chainloads; never to
//! firmware.

use super::*;
use crate::boot::{Scheme, Schemes};

/// The file that a client is told where scripts are fetched by HTTPS.
fn told(packet: &[u8]) -> String {
    let programs = programs();
    let context = Context {
        service: Service::Dhcp,
        address: US,
        link: LINK,
        ports: PORTS,
        schemes: Schemes {
            scripts: Scheme::Https,
            ..Schemes::default()
        },
        programs: &programs,
        ipxe_user_classes: &[],
    };
    let Decision::Answer(reply) = decide(packet, &context) else {
        panic!()
    };
    let message = Message::from_bytes(&reply.packet).unwrap();
    file(&message).to_owned()
}

#[test]
fn who_has_no_https_gets_a_program_that_may_have_it() {
    let with_https = [FEATURES, &[0x14, 1, 1]].concat();
    assert_eq!(
        told(&ipxe_rom(&with_https)),
        "https://10.0.0.2:8443/boot.ipxe"
    );
    assert_eq!(
        told(&ipxe_rom(FEATURES)),
        "tftp://10.0.0.2/boot/52-54-00-12-34-56/undionly.kpxe"
    );
    let http_boot = packet(&[
        (53, &[DISCOVER]),
        (60, b"HTTPClient:Arch:00016:UNDI:003001"),
        (93, &[0, 16]),
        (97, &UUID),
    ]);
    assert_eq!(
        told(&http_boot),
        "http://10.0.0.2:8080/boot/52-54-00-12-34-56/ipxe.efi"
    );
}
