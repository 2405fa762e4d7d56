//! The harness: a private LAN, virtual machines with real firmware, and the programs under test.
//!
//! Used by the VM tests and by the `demo` program; nothing in the product depends on it.
//! [`fuzz`] and [`contender`] are apart: the targets of the fuzzers, the runs of the benchmarks. The harness knows no test case: what is expected of a machine stands in `tests/` and `bin/demo`.

pub mod artifacts;
pub mod contender;
pub mod fuzz;
pub mod guest;
pub mod lab;
pub mod lan;
pub mod pair;
pub mod programs;
pub mod scratch;
pub mod server;
pub mod site;
pub mod vm;
