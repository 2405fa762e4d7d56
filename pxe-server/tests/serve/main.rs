//! The server as its clients see it, on loopback and high ports: the real binary over HTTP and
//! DHCP, the TFTP server against the `tftpd` crate's client.

#[path = "../../src/fixture.rs"]
mod fixture;

mod command;
mod crash;
mod dhcp;
mod http;
mod process;
mod tftp;
