//! A read-only TFTP server (RFC 1350, 2347, 2348, 2349, 7440) for the first megabyte of a boot:
//! boot programs and generated scripts; for a GRUB that has no HTTP, the live system's files, too.
//!
//! `packet` is the wire, `negotiate` the options, `transfer` one transfer as a state machine
//! without socket or clock, `rtt` its timer; `files` is what is sent, `site` what names of a site
//! mean, `server` moves the packets, `trace` keeps some of them. Why this is not a crate:
//! docs/src/adr/0004-tftp.md.

mod files;
mod negotiate;
mod packet;
mod rtt;
mod send;
mod server;
mod site;
mod trace;
mod transfer;

pub use files::{Asker, Content, FileSource, OpenError, Opened, Opening};
pub use negotiate::{Limits, Negotiated, negotiate};
pub use packet::{ClientPacket, ErrorCode, Mode, ReadRequest, RequestError, error, oack};
pub use rtt::RoundTrip;
pub use server::TftpServer;
pub use site::BootFiles;
pub use transfer::{Action, Outcome, Transfer};
