//! Virtual machines as test vocabulary: describe one, start it, follow its serial line.
//!
//! The emulator is QEMU; `probe` decides once a run whether its hardware acceleration can be
//! trusted. A machine never outlives the value that stands for it.

pub mod disk;
pub mod firmware;
pub mod machine;
pub mod net;
pub mod probe;
pub mod qmp;
pub mod running;
pub mod serial;

pub use disk::Drive;
pub use firmware::Firmware;
pub use machine::{Boot, Machine, OnReboot};
pub use net::Nic;
pub use probe::Accel;
pub use running::Vm;
