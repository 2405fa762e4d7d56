//! A machine's life as the server knows it: what it is known by (`facts`), what happened (`event`), what follows from it
//! (`state`, pure), the single-use permission to install (`ticket`), and the one place where
//! both meet a durable store (`registry`). `rollout` says which installs may begin now.

mod event;
mod facts;
mod feed;
mod left;
mod orders;
mod registry;
mod request;
mod rollout;
mod state;
mod ticket;

pub use event::{BootClient, Event, Record, ScriptKind, Via};
pub(crate) use facts::is_label;
pub use facts::{FactError, Facts, Subject, host_name, printable, text_or_hex};
pub use feed::{After, Feed, Told};
pub use left::{LeftError, Observation, leave_observation, left_observations};
pub use orders::{Order, OrdersError, note_shared, order, orders_given, orders_shared};
pub use registry::{Observer, Registry, RegistryError, StoreStatus, Worker};
pub use request::{OperatorRequest, RequestError, Wish, leave_request, waiting_requests};
pub use rollout::{AtOnce, Count, FailedInstall, Gate, Intent, Orders, Policy, Resumed, Terms};
pub use state::{Answer, Machine, Matched, Refusal, State, TicketState};
pub use ticket::{Ticket, TicketError};
