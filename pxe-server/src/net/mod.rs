//! UDP sockets that know on which interface, and to which of our addresses, a packet came
//! (IP_PKTINFO, ip(7)), so that an answer leaves the same way; and who has an address on our links.

mod neighbours;
mod packet_socket;
mod subnet;

pub(crate) use neighbours::Neighbours;
pub use packet_socket::{Arrival, NetError, PacketPort, PacketSocket};
pub use subnet::Net;
