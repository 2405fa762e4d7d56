//! Packets of clients in, packets out, each read back option by option: ordinary clients and boot
//! clients, on the link and behind relays. `hostile` has what nobody should send, `shared`
//! servers that lease together.

mod hostile;
mod memory;
mod shared;

use std::time::Duration;

use dhcproto::Decodable as _;
use dhcproto::v4::{DhcpOption, Message, OptionCode};

use self::memory::Memory;
use super::*;
use crate::boot::{Programs, Schemes};
use crate::dhcp::decide::boot_info;
use crate::dhcp::decide::tests::packets::{
    DISCOVER, FEATURES, MAC, PORTS, REQUEST, bios_rom, ipxe_rom, ovmf, packet, program,
};
use crate::dhcp::{Context, Destination, Reservation, Service, Subnet, SubnetParts};
use crate::net::Net;

const US: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);

fn subnet(network: &str, pool: &str, gateway: Ipv4Addr) -> Subnet {
    Subnet::new(SubnetParts {
        network: Net::parse(network).unwrap(),
        pools: vec![pool.parse().unwrap()],
        gateway: Some(gateway),
        dns: vec![Ipv4Addr::new(10, 9, 9, 9)],
        domain: Some("rack.example".into()),
        ntp: vec![Ipv4Addr::new(10, 9, 9, 8)],
        lease: Duration::from_secs(3600),
    })
    .unwrap()
}

/// A server that does not probe, and its answers.
struct Bench {
    store: Arc<Memory>,
    server: Arc<LeaseServer>,
    answers: mpsc::Receiver<Outgoing>,
    subnets: Arc<Subnets>,
    us: Ipv4Addr,
}

impl Bench {
    fn new(store: Memory) -> Self {
        let near = subnet("10.1.0.0/24", "10.1.0.10-10.1.0.11", US);
        let far = subnet("10.2.0.0/24", "10.2.0.10-10.2.0.99", RELAY);
        let mut subnets = Subnets::new(vec![near, far]).unwrap();
        let kept = Reservation {
            mac: MacAddr([2, 0, 0, 0, 0, 9]),
            address: Ipv4Addr::new(10, 1, 0, 50),
            host_name: Some("node-9".into()),
        };
        subnets.reserve(kept).unwrap();
        Self::start(Arc::new(store), Arc::new(subnets))
    }

    fn start(store: Arc<Memory>, subnets: Arc<Subnets>) -> Self {
        Self {
            store: store.clone(),
            ..Self::at(US, store, subnets)
        }
    }

    /// One of several that lease from `kept`.
    fn at(us: Ipv4Addr, kept: Arc<dyn LeaseStore>, subnets: Arc<Subnets>) -> Self {
        let started = LeaseServer::with_probe(kept, subnets.clone(), None);
        let (server, answers) = started.unwrap();
        Self {
            store: Arc::default(),
            server,
            answers,
            subnets,
            us,
        }
    }

    fn try_handle(&self, packet: &[u8], broadcast: bool) -> Result<Handled, Ignored> {
        let programs = Programs {
            bios: Some(program("undionly.kpxe")),
            uefi_x64: Some(program("snponly.efi")),
            ..Programs::default()
        };
        let context = Context {
            service: Service::Dhcp,
            address: self.us,
            link: self.us,
            ports: PORTS,
            schemes: Schemes::default(),
            programs: &programs,
            ipxe_user_classes: &[],
        };
        let arrival = Arrival {
            length: packet.len(),
            from: std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
            local: self.us,
            interface: 1,
            broadcast,
        };
        let place = Place {
            arrival,
            server: self.us,
        };
        let classes = ["iPXE".to_owned()];
        self.server
            .handle(packet, &classes, &self.subnets, place, |client| {
                boot_info(client, MessageType::Ack, &context).ok()
            })
    }

    /// The answer, also when it had to wait for the store.
    fn answer(&mut self, packet: &[u8]) -> (Message, Reply) {
        let reply = match self.try_handle(packet, true).unwrap() {
            Handled::Send(reply) => *reply,
            Handled::Done => self.answers.blocking_recv().unwrap().reply,
        };
        assert!((300..=548).contains(&reply.packet.len()));
        (Message::from_bytes(&reply.packet).unwrap(), reply)
    }

    fn lease(&mut self, client: u8) -> Ipv4Addr {
        let (offer, _) = self.answer(&from(client, packet(&[(53, &[DISCOVER])])));
        let (ack, _) = self.answer(&selecting(client, offer.yiaddr()));
        assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
        ack.yiaddr()
    }
}

/// The packet as another client sends it.
fn from(client: u8, mut packet: Vec<u8>) -> Vec<u8> {
    packet[28..34].copy_from_slice(&[2, 0, 0, 0, 0, client]);
    packet
}

fn selecting(client: u8, address: Ipv4Addr) -> Vec<u8> {
    selecting_at(US, client, address)
}

fn selecting_at(server: Ipv4Addr, client: u8, address: Ipv4Addr) -> Vec<u8> {
    let options: [(u8, &[u8]); 3] = [
        (53, &[REQUEST]),
        (50, &address.octets()),
        (54, &server.octets()),
    ];
    from(client, packet(&options))
}

fn with_header(mut packet: Vec<u8>, at: usize, address: Ipv4Addr) -> Vec<u8> {
    packet[at..at + 4].copy_from_slice(&address.octets());
    packet
}

const CIADDR: usize = 12;
const GIADDR: usize = 24;

fn option(message: &Message, code: OptionCode) -> DhcpOption {
    message.opts().get(code).cloned().unwrap()
}

fn file(message: &Message) -> String {
    let name = message.fname_str().map_or("", Result::unwrap);
    name.trim_end_matches('\0').to_owned()
}

#[test]
fn an_ordinary_client_is_offered_and_leased_an_address_with_what_it_needs() {
    let mut bench = Bench::new(Memory::default());
    let id: &[u8] = &[0xff, 1, 2, 3];
    let discover = packet(&[(53, &[DISCOVER]), (61, id), (12, b"Web1")]);
    let (offer, reply) = bench.answer(&discover);
    assert_eq!(reply.to, Destination::Broadcast);
    assert_eq!(reply.event, None, "no boot client");
    assert_eq!(offer.opts().msg_type(), Some(MessageType::Offer));
    assert_eq!((offer.chaddr(), offer.xid()), (&MAC[..], 0xdead_beef));
    assert!(offer.siaddr().is_unspecified() && file(&offer).is_empty());
    assert!(bench.store.records.lock().unwrap().is_empty());
    let address = offer.yiaddr();
    let request = packet(&[
        (53, &[REQUEST]),
        (50, &address.octets()),
        (54, &US.octets()),
        (61, id),
        (12, b"Web1"),
    ]);
    let (ack, _) = bench.answer(&request);
    assert_eq!(
        (ack.yiaddr(), ack.opts().msg_type()),
        (address, Some(MessageType::Ack))
    );
    let dns = vec![Ipv4Addr::new(10, 9, 9, 9)];
    let ntp = vec![Ipv4Addr::new(10, 9, 9, 8)];
    for want in [
        DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)),
        DhcpOption::Router(vec![US]),
        DhcpOption::DomainNameServer(dns),
        DhcpOption::DomainName("rack.example".into()),
        DhcpOption::BroadcastAddr(Ipv4Addr::new(10, 1, 0, 255)),
        DhcpOption::NtpServers(ntp),
        DhcpOption::AddressLeaseTime(3600),
        DhcpOption::Renewal(1800),
        DhcpOption::Rebinding(3150),
        DhcpOption::ServerIdentifier(US),
        DhcpOption::ClientIdentifier(id.to_vec()),
    ] {
        let code = OptionCode::from(&want);
        assert_eq!(option(&ack, code), want);
    }
    let kept = bench.store.records.lock().unwrap()[0].clone();
    let mac = MacAddr(MAC);
    assert_eq!(
        (kept.address, kept.holder),
        (address, crate::dhcp::Holder::Leased { mac })
    );
    assert_eq!(kept.host_name.as_deref(), Some("web1"));
    let asked = packet(&[(53, &[DISCOVER]), (55, &[1, 3])]);
    let (offer, _) = bench.answer(&asked);
    assert_eq!(
        offer.opts().get(OptionCode::DomainName),
        None,
        "not asked for"
    );
}

#[test]
fn boot_clients_get_their_boot_program_with_the_lease() {
    let mut bench = Bench::new(Memory::default());
    let (bios, reply) = bench.answer(&bios_rom());
    assert_eq!(file(&bios), "boot/52-54-00-12-34-56/undionly.kpxe");
    assert!(reply.event.is_some(), "the machine was seen");
    let (uefi, _) = bench.answer(&ovmf(DISCOVER));
    assert_eq!(file(&uefi), "boot/52-54-00-12-34-56/snponly.efi");
    for offer in [&bios, &uefi] {
        assert_eq!(offer.siaddr(), US);
        assert_eq!(offer.opts().get(OptionCode::ClassIdentifier), None);
        assert_eq!(offer.opts().get(OptionCode::VendorExtensions), None);
        assert!(
            offer
                .opts()
                .get(OptionCode::ClientMachineIdentifier)
                .is_some()
        );
    }
    let (ipxe, _) = bench.answer(&ipxe_rom(FEATURES));
    assert_eq!(file(&ipxe), "http://10.1.0.2:8080/boot.ipxe");
    let DhcpOption::Unknown(no_proxy) = option(&ipxe, OptionCode::Unknown(175)) else {
        panic!()
    };
    assert_eq!(no_proxy.data(), [0xb0, 1, 1]);
    let http = packet(&[
        (53, &[DISCOVER]),
        (60, b"HTTPClient:Arch:00016:UNDI:003001"),
        (93, &[0, 16]),
    ]);
    let (http, _) = bench.answer(&http);
    let class = DhcpOption::ClassIdentifier(b"HTTPClient".to_vec());
    assert_eq!(option(&http, OptionCode::ClassIdentifier), class);
    let DhcpOption::BootfileName(url) = option(&http, OptionCode::BootfileName) else {
        panic!()
    };
    assert!(url.starts_with(b"http://10.1.0.2:8080/boot/"), "{url:?}");
    let all = [bios.yiaddr(), uefi.yiaddr(), ipxe.yiaddr(), http.yiaddr()];
    assert!(
        all.iter().all(|address| *address == bios.yiaddr()),
        "one machine: {all:?}"
    );
}

#[test]
fn a_relay_chooses_the_subnet_and_gets_its_option_back_last() {
    let mut bench = Bench::new(Memory::default());
    let agent: &[u8] = b"\x01\x04Gi17\x02\x02ab";
    let relayed = |kind: u8, more: &[(u8, &[u8])]| {
        let mut options: Vec<(u8, &[u8])> = vec![(82, agent)];
        let kind = [kind];
        options.push((53, &kind));
        options.extend_from_slice(more);
        with_header(packet(&options), GIADDR, RELAY)
    };
    let (offer, reply) = bench.answer(&relayed(DISCOVER, &[(61, b"\x01id")]));
    assert_eq!(offer.yiaddr().octets()[..3], [10, 2, 0]);
    assert_eq!(
        (reply.to, offer.giaddr()),
        (Destination::Relay(RELAY), RELAY)
    );
    let end = reply.packet.iter().rposition(|byte| *byte == 255).unwrap();
    let last = [&[82, 10], agent].concat();
    assert!(reply.packet[..end].ends_with(&last), "{:?}", reply.packet);
    let wrong: &[(u8, &[u8])] = &[(50, &[10, 1, 0, 10])];
    let (nak, reply) = bench.answer(&relayed(REQUEST, wrong));
    assert_eq!(nak.opts().msg_type(), Some(MessageType::Nak));
    assert!(nak.flags().broadcast() && nak.yiaddr().is_unspecified());
    assert_eq!(reply.to, Destination::Relay(RELAY));
    let near: &[u8] = &[5, 4, 10, 1, 0, 0];
    let selected = packet(&[(53, &[DISCOVER]), (82, near)]);
    let (offer, _) = bench.answer(&with_header(selected, GIADDR, RELAY));
    assert_eq!(offer.yiaddr().octets()[..3], [10, 1, 0], "link selection");
    let elsewhere = with_header(
        packet(&[(53, &[DISCOVER])]),
        GIADDR,
        Ipv4Addr::new(10, 3, 0, 1),
    );
    let ignored = bench.try_handle(&elsewhere, true).unwrap_err();
    assert_eq!(ignored, Ignored::NoLease(NoLease::Subnet));
}

#[test]
fn a_renewal_is_answered_where_it_came_from_and_a_strangers_is_refused_to_all() {
    let mut bench = Bench::new(Memory::default());
    let address = bench.lease(1);
    let renew = |client| {
        let mut packet = with_header(from(client, packet(&[(53, &[REQUEST])])), CIADDR, address);
        // No client that has an address asks for a broadcast.
        packet[10] = 0;
        packet
    };
    let (ack, reply) = bench.answer(&renew(1));
    assert_eq!(
        (ack.yiaddr(), reply.to),
        (address, Destination::Client(address))
    );
    let (nak, reply) = bench.answer(&renew(2));
    assert_eq!(nak.opts().msg_type(), Some(MessageType::Nak));
    assert_eq!(reply.to, Destination::Broadcast);
    let inform = with_header(packet(&[(53, &[8])]), CIADDR, Ipv4Addr::new(10, 1, 0, 77));
    let (ack, _) = bench.answer(&inform);
    assert!(ack.yiaddr().is_unspecified());
    assert_eq!(ack.opts().get(OptionCode::AddressLeaseTime), None);
    assert_eq!(
        option(&ack, OptionCode::Router),
        DhcpOption::Router(vec![US])
    );
}

#[test]
fn leases_and_reservations_are_there_after_a_restart() {
    let mut bench = Bench::new(Memory::default());
    let (first, kept) = (bench.lease(1), bench.lease(9));
    assert_eq!(kept, Ipv4Addr::new(10, 1, 0, 50));
    let (offer, _) = bench.answer(&from(9, packet(&[(53, &[DISCOVER])])));
    assert_eq!(
        option(&offer, OptionCode::Hostname),
        DhcpOption::Hostname("node-9".into())
    );
    let Bench { store, subnets, .. } = bench;
    let mut bench = Bench::start(store, subnets);
    let second = bench.lease(2);
    assert_ne!(first, second);
    assert_eq!((bench.lease(1), bench.lease(9)), (first, kept));
    let full = bench.try_handle(&from(3, packet(&[(53, &[DISCOVER])])), true);
    assert_eq!(full.unwrap_err(), Ignored::NoLease(NoLease::Exhausted));
    assert_eq!(bench.server.leases().0.len(), 3);
}

#[test]
fn nothing_is_acknowledged_that_cannot_be_written() {
    let mut bench = Bench::new(Memory {
        fails: true,
        ..Memory::default()
    });
    let (offer, _) = bench.answer(&from(1, packet(&[(53, &[DISCOVER])])));
    let asked = bench
        .try_handle(&selecting(1, offer.yiaddr()), true)
        .unwrap();
    assert!(matches!(asked, Handled::Done));
    // The thread that writes ends with the server, after everything that waits for it.
    let Bench {
        server,
        mut answers,
        ..
    } = bench;
    drop(server);
    assert!(answers.blocking_recv().is_none());
}
