//! The sockets of the DHCP side: 67 and 4011, always both, since UEFI clients that were offered
//! boot service and find nobody on 4011 give up booting altogether. On 67 answers a proxy, or a
//! whole DHCP server.
//!
//! Answers come from memory; what happened is noted afterwards and without waiting. A bad packet
//! is a debug line and a counter.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dhcproto::v4::MessageType;
use tokio::sync::mpsc;

use crate::boot::FirstStage;
use crate::dhcp::answer::BootInfo;
use crate::dhcp::decide::{boot_info, sighting};
use crate::dhcp::lease::{Handled, Place};
use crate::dhcp::{
    BootRequest, Context, Decision, Destination, Ignored, LeaseServer, Outgoing, Reply, Service,
    decide,
};
use crate::mac::MacAddr;
use crate::machine::{Event, Observer};
use crate::net::{Arrival, NetError, PacketSocket};
use crate::site::FirstStages;

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

/// What the DHCP side needs to know.
#[derive(Clone, Debug)]
pub struct DhcpSettings {
    /// Ports.
    pub ports: DhcpPorts,
    /// Interfaces that are served; none means all but loopback.
    pub interfaces: Vec<String>,
    /// Our address as clients shall use it, when not that of the interface.
    pub advertise: Option<Ipv4Addr>,
    /// Port of our HTTP server.
    pub http_port: u16,
}

/// What makes a whole DHCP server of a proxy.
#[derive(Debug)]
pub struct Leasing {
    /// Who leases.
    pub server: Arc<LeaseServer>,
    /// Its answers that could not go at once.
    pub answers: mpsc::Receiver<Outgoing>,
}

/// Both sockets, bound.
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
    /// Binds both sockets.
    pub fn bind(
        settings: DhcpSettings,
        first_stages: FirstStages,
        observer: Observer,
        leasing: Option<Leasing>,
    ) -> Result<Self, NetError> {
        let dhcp = PacketSocket::bind("DHCP", settings.ports.server, &settings.interfaces)?;
        let boot_server = PacketSocket::bind(
            "PXE boot service",
            settings.ports.boot_server,
            &settings.interfaces,
        )?;
        let (leases, answers) = leasing
            .map(|leasing| (leasing.server, leasing.answers))
            .unzip();
        Ok(Self {
            settings,
            dhcp,
            boot_server,
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
                self.send(&self.dhcp, reply, &arrival).await;
            }
        };
        tokio::join!(
            self.serve(&self.dhcp, Service::Dhcp),
            self.serve(&self.boot_server, Service::BootServer),
            late
        );
    }

    async fn serve(&self, socket: &PacketSocket, service: Service) {
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
            let first_stage = self.first_stages.get();
            let context = self.context(service, &arrival, &first_stage);
            if let (Service::Dhcp, Some(leases)) = (service, &self.leases) {
                match self.lease(leases, packet, arrival, &context) {
                    Ok(Handled::Send(reply)) => self.send(socket, *reply, &arrival).await,
                    Ok(Handled::Done) => {}
                    Err(reason) => self.ignore(reason, &arrival),
                }
                continue;
            }
            match decide(packet, &context) {
                Decision::Answer(reply) if !self.serves(reply.mac, reply.event.as_ref()) => {
                    self.ignore(Ignored::Unknown, &arrival);
                }
                Decision::Answer(reply) => self.send(socket, *reply, &arrival).await,
                Decision::Ignore(reason) => self.ignore(reason, &arrival),
            }
        }
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
            http_port: self.settings.http_port,
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

    async fn send(&self, socket: &PacketSocket, reply: Reply, arrival: &Arrival) {
        let ports = self.settings.ports;
        let to = match reply.to {
            Destination::Broadcast => SocketAddrV4::new(Ipv4Addr::BROADCAST, ports.client),
            Destination::Client(address) => SocketAddrV4::new(address, ports.client),
            Destination::Relay(address) => SocketAddrV4::new(address, ports.server),
            Destination::Sender => arrival.from,
        };
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
