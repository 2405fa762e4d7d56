//! A machine's life as the server knows it: what happened (`event`), what follows from it
//! (`state`, pure), the single-use permission to install (`ticket`), and the one place where
//! both meet a durable store (`registry`).

mod event;
mod registry;
mod request;
mod state;
mod ticket;

pub use event::{BootClient, Event, Record, ScriptKind, Via};
pub use registry::{Observer, Registry, RegistryError, ReinstallRequest, Worker};
pub use request::{RequestError, leave_request, waiting_requests};
pub use state::{Answer, Machine, Refusal, State, TicketState};
pub use ticket::{Ticket, TicketError};
