//! The sockets of the DHCP side: 67 and 4011, always both, since UEFI clients that were offered
//! boot service and find nobody on 4011 give up booting altogether. On 67 answers a proxy, or a
//! whole DHCP server.
//!
//! Answers come from memory; what happened is noted afterwards and without waiting. A bad packet
//! is a debug line and a counter.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dhcproto::v4::MessageType;
use tokio::sync::mpsc;

use crate::boot::{FirstStage, HttpPorts};
use crate::dhcp::answer::BootInfo;
use crate::dhcp::decide::{boot_info, sighting};
use crate::dhcp::lease::{Handled, Place};
use crate::dhcp::{
    BootRequest, Context, Decision, Destination, Envelope, Ignored, LeaseServer, Outgoing, Reply,
    Service, decide,
};
use crate::limit::{Asked, Limiter};
use crate::mac::MacAddr;
use crate::machine::{Event, Observer};
use crate::net::{Arrival, NetError, PacketPort, PacketSocket};
use crate::site::FirstStages;
use crate::trace::{Packet, Recorder, Transport};

/// Larger than any Ethernet frame without jumbo frames; DHCP needs no more.
const MAX_PACKET: usize = 2048;

/// UDP ports of the DHCP side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DhcpPorts {
    /// Servers and relays: 67.
    pub server: u16,
    /// Clients: 68.
    pub client: u16,
    /// PXE boot servers: 4011.
    pub boot_server: u16,
}

impl DhcpPorts {
    /// The standard ports moved so that the server's is `server`; for tests without privileges.
    pub fn from_server_port(server: u16) -> Option<Self> {
        Some(Self {
            server,
            client: server.checked_add(1)?,
            boot_server: server.checked_add(4011 - 67)?,
        })
    }
}

/// Both sockets, bound and not served yet.
#[derive(Debug)]
pub struct DhcpSockets {
    dhcp: PacketPort,
    boot_server: PacketPort,
}

impl DhcpSockets {
    /// Binds both; packets of other interfaces than the named ones are dropped, no name means all
    /// but loopback.
    pub fn bind(ports: DhcpPorts, interfaces: &[String]) -> Result<Self, NetError> {
        Ok(Self {
            dhcp: PacketPort::bind("DHCP", ports.server, interfaces)?,
            boot_server: PacketPort::bind("PXE boot service", ports.boot_server, interfaces)?,
        })
    }
}

/// What the DHCP side needs to know.
#[derive(Clone, Debug)]
pub struct DhcpSettings {
    /// Ports.
    pub ports: DhcpPorts,
    /// Our address as clients shall use it, when not that of the interface.
    pub advertise: Option<Ipv4Addr>,
    /// Ports of our HTTP server.
    pub http: HttpPorts,
    /// Who asks too often.
    pub limiter: Arc<Limiter>,
    /// Keeps packets.
    pub recorder: Recorder,
}

/// What makes a whole DHCP server of a proxy.
#[derive(Debug)]
pub struct Leasing {
    /// Who leases.
    pub server: Arc<LeaseServer>,
    /// Its answers that could not go at once.
    pub answers: mpsc::Receiver<Outgoing>,
}

/// The server on both sockets.
#[derive(Debug)]
pub struct DhcpServer {
    settings: DhcpSettings,
    dhcp: PacketSocket,
    boot_server: PacketSocket,
    first_stages: FirstStages,
    observer: Observer,
    leases: Option<Arc<LeaseServer>>,
    answers: Option<mpsc::Receiver<Outgoing>>,
    ignored: AtomicU64,
}

impl DhcpServer {
    /// Serves `sockets`, in the runtime that this is called from.
    pub fn new(
        sockets: DhcpSockets,
        settings: DhcpSettings,
        first_stages: FirstStages,
        observer: Observer,
        leasing: Option<Leasing>,
    ) -> io::Result<Self> {
        let (leases, answers) = leasing
            .map(|leasing| (leasing.server, leasing.answers))
            .unzip();
        Ok(Self {
            settings,
            dhcp: sockets.dhcp.open()?,
            boot_server: sockets.boot_server.open()?,
            first_stages,
            observer,
            leases,
            answers,
            ignored: AtomicU64::new(0),
        })
    }

    /// Serves both sockets until dropped.
    pub async fn run(mut self) {
        let answers = self.answers.take();
        let late = async {
            let Some(mut answers) = answers else {
                return;
            };
            while let Some(Outgoing { reply, arrival }) = answers.recv().await {
                self.send(Service::Dhcp, reply, &arrival).await;
            }
        };
        tokio::join!(
            self.serve(Service::Dhcp),
            self.serve(Service::BootServer),
            late
        );
    }

    /// The socket of a service, and its port.
    fn socket(&self, service: Service) -> (&PacketSocket, u16) {
        let ports = self.settings.ports;
        match service {
            Service::Dhcp => (&self.dhcp, ports.server),
            Service::BootServer => (&self.boot_server, ports.boot_server),
        }
    }

    async fn serve(&self, service: Service) {
        let (socket, _) = self.socket(service);
        let mut buffer = [0u8; MAX_PACKET];
        loop {
            let arrival = match socket.receive(&mut buffer).await {
                Ok(arrival) => arrival,
                Err(error) => {
                    tracing::warn!(%error, "receiving a DHCP packet");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(packet) = buffer.get(..arrival.length) else {
                continue;
            };
            let mac = Envelope::mac_of(packet);
            if self.settings.limiter.ask(Asked::Dhcp, mac, None).is_err() {
                self.ignore(Ignored::TooOften, &arrival);
                continue;
            }
            let first_stage = self.first_stages.get();
            let context = self.context(service, &arrival, &first_stage);
            let handled = match (service, &self.leases) {
                (Service::Dhcp, Some(leases)) => self.lease(leases, packet, arrival, &context),
                _ => self.offer(packet, &context),
            };
            if let Some(mac) = mac {
                self.keep(mac, packet, service, &arrival, handled.as_ref().err());
            }
            match handled {
                Ok(Handled::Send(reply)) => self.send(service, *reply, &arrival).await,
                Ok(Handled::Done) => {}
                Err(reason) => self.ignore(reason, &arrival),
            }
        }
    }

    /// Boot options alone.
    fn offer(&self, packet: &[u8], context: &Context<'_>) -> Result<Handled, Ignored> {
        match decide(packet, context) {
            Decision::Answer(reply) if !self.serves(reply.mac, reply.event.as_ref()) => {
                Err(Ignored::Unknown)
            }
            Decision::Answer(reply) => Ok(Handled::Send(reply)),
            Decision::Ignore(reason) => Err(reason),
        }
    }

    /// Keeps what was received, unless it is no business of a boot server.
    fn keep(
        &self,
        mac: MacAddr,
        packet: &[u8],
        service: Service,
        arrival: &Arrival,
        ignored: Option<&Ignored>,
    ) {
        let ours = match arrival.broadcast {
            true => Ipv4Addr::BROADCAST,
            false => arrival.local,
        };
        let to = SocketAddrV4::new(ours, self.socket(service).1);
        let packet = Packet::now(Transport::Udp, arrival.from, to, packet);
        let packet = match ignored {
            Some(Ignored::Parse(_)) => return,
            Some(reason) => packet.with_comment(format!("not answered: {reason}")),
            None => packet,
        };
        self.settings.recorder.note(mac, packet);
    }

    fn context<'a>(
        &self,
        service: Service,
        arrival: &Arrival,
        first: &'a FirstStage,
    ) -> Context<'a> {
        Context {
            service,
            address: self.settings.advertise.unwrap_or(arrival.local),
            link: arrival.local,
            ports: self.settings.http,
            schemes: first.schemes,
            programs: &first.programs,
            ipxe_user_classes: &first.ipxe_user_classes,
        }
    }

    /// Any client's packet, where there is no other DHCP server.
    fn lease(
        &self,
        leases: &Arc<LeaseServer>,
        packet: &[u8],
        arrival: Arrival,
        context: &Context<'_>,
    ) -> Result<Handled, Ignored> {
        let server = context.address;
        let place = Place { arrival, server };
        let subnets = self.first_stages.subnets();
        leases.handle(
            packet,
            context.ipxe_user_classes,
            &subnets,
            place,
            |client| self.boot_of(client, context),
        )
    }

    /// What a boot client is told beside its lease: the file at once, and nothing where the site has
    /// none for it.
    fn boot_of(&self, client: &BootRequest, context: &Context<'_>) -> Option<BootInfo> {
        let seen = sighting(client, context.link);
        if !self.serves(client.envelope.mac, Some(&seen)) {
            return None;
        }
        boot_info(client, MessageType::Ack, context).ok()
    }

    /// Whether the machine is answered, as far as is known of it now.
    fn serves(&self, mac: MacAddr, seen: Option<&Event>) -> bool {
        self.first_stages.may_serve(|| {
            let mut subject = self.observer.subject(mac);
            if let Some(Event::DhcpDiscover { facts, .. }) = seen {
                subject.facts.update(facts);
            }
            subject
        })
    }

    async fn send(&self, service: Service, reply: Reply, arrival: &Arrival) {
        let (socket, port) = self.socket(service);
        let ports = self.settings.ports;
        let to = match reply.to {
            Destination::Broadcast => SocketAddrV4::new(Ipv4Addr::BROADCAST, ports.client),
            Destination::Client(address) => SocketAddrV4::new(address, ports.client),
            Destination::Relay(address) => SocketAddrV4::new(address, ports.server),
            Destination::Sender => arrival.from,
        };
        let from = SocketAddrV4::new(arrival.local, port);
        let packet = Packet::now(Transport::Udp, from, to, &reply.packet);
        self.settings.recorder.note(reply.mac, packet);
        if let Err(error) = socket.send(&reply.packet, to, arrival).await {
            tracing::warn!(%error, mac = %reply.mac, %to, "sending a DHCP answer");
            return;
        }
        match reply.event {
            Some(event) => {
                tracing::info!(mac = %reply.mac, "boot options offered");
                self.observer.note(reply.mac, event);
            }
            None => tracing::debug!(mac = %reply.mac, %to, "answered"),
        }
    }

    fn ignore(&self, reason: Ignored, arrival: &Arrival) {
        let ignored = self.ignored.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::debug!(from = %arrival.from, %reason, ignored, "DHCP packet not answered");
    }
}
