//! ProxyDHCP: adds boot options beside the LAN's own DHCP server (PXE 2.1 section 2.2; RFC 2131,
//! 2132, 4578, 3046) on port 67, and answers as boot server on port 4011. `lease` is a whole DHCP
//! server where the LAN has none.
//!
//! `request` reads a packet, `decide` chooses the answer, `answer` writes it: packet in, packet
//! out, no sockets and no clock. `server` is the only part that touches the network.

mod answer;
mod decide;
mod lease;
mod request;
mod server;

pub use decide::{Context, Decision, Destination, Ignored, Reply, Service, decide};
pub use lease::{
    Binding, EchoSocket, Holder, LeaseRecord, LeaseServer, Moment, NoLease, Outgoing, Range,
    Reservation, Subnet, SubnetError, SubnetParts, SubnetState, Subnets,
};
pub use request::{BootRequest, Envelope, Kind, ParseError};
pub use server::{DhcpPorts, DhcpServer, DhcpSettings, DhcpSockets, Leasing};
