//! UDP sockets that know on which interface, and to which of our addresses, a packet came
//! (IP_PKTINFO, ip(7)), so that an answer leaves the same way.

mod packet_socket;
mod subnet;

pub use packet_socket::{Arrival, NetError, PacketPort, PacketSocket};
pub use subnet::Net;
