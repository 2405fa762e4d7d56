//! The server as its clients see it, on loopback and high ports: the real binary over HTTP and
//! DHCP, the TFTP server against the `tftpd` crate's client.

#[cfg(test)]
#[path = "../../src/cluster.rs"]
mod cluster;
#[cfg(test)]
#[path = "../../src/fixture.rs"]
mod fixture;

#[cfg(test)]
mod api;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod cable;
#[cfg(test)]
mod command;
#[cfg(test)]
mod confined;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod dhcp;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod etcd;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod grub;
#[cfg(test)]
mod handover;
#[cfg(test)]
mod http;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod matchbox;
#[cfg(test)]
mod mirror;
#[cfg(test)]
mod pcap;
#[cfg(test)]
mod process;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod quorum;
#[cfg(test)]
mod rollouts;
#[cfg(test)]
mod schemes;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod systemd;
#[cfg(test)]
mod tftp;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod versions;
