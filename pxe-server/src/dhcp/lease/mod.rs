//! Addresses for networks that have no DHCP server (RFC 2131, 2132, 3046, 3527, 6842).
//!
//! `subnet` is what may be given out, `room` who has what in one subnet, `table` all of them: pure,
//! told the time. `request` reads, `decide` judges, `answer` writes packets; `clock` is time that
//! never goes back, `probe` asks whether an address is in use (`neighbours`: by ARP), `ledger` knows on which versions of the
//! store's documents a decision rests (`basis`), `keeper` makes leases durable before they are
//! acknowledged, and `server` puts these together.

mod answer;
mod basis;
mod binding;
mod clock;
mod decide;
mod keeper;
mod ledger;
mod probe;
mod request;
mod room;
mod server;
mod subnet;
mod table;

pub use binding::{Binding, Holder, LeaseRecord, Moment};
pub use decide::NoLease;
pub use keeper::Outgoing;
pub use probe::EchoSocket;
pub use server::LeaseServer;
pub(super) use server::{Handled, Place};
pub use subnet::{Range, Reservation, Subnet, SubnetError, SubnetParts, Subnets};
pub use table::SubnetState;
