//! The network boot server: one process that boots, installs once and follows the machines of a
//! site, beside the DHCP server that the LAN already has.
//!
//! Decisions (`dhcp`, `tftp`, `boot`, `machine`) are pure and apart from the sockets; the site
//! (`site`, or a `matchbox` directory) is what the operator wants, the store (`store`) what has happened, `provision` what
//! follows for one machine; `http` is where machines and operators ask; `mirror` keeps media; `storm` is the other end,
//! simulated. [`cli::run`] is the command.

pub mod boot;
pub mod cli;
pub mod confine;
pub mod dhcp;
pub mod http;
pub mod limit;
pub mod mac;
pub mod machine;
pub mod matchbox;
pub mod mirror;
pub mod net;
pub mod provision;
pub mod server;
pub mod site;
pub mod store;
pub mod storm;
pub mod tftp;
pub mod token;
pub mod trace;

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod fixture;
