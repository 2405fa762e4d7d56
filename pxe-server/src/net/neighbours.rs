//! Who has an address on the server's own links: before the kernel sends anything there it asks by
//! ARP (RFC 826), and `/proc/net/arp` says whom it found. Addresses behind relays and routers are
//! never in there. Sends nothing itself.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use crate::mac::MacAddr;

/// The kernel's table; opened while it may be, and read again and again.
const TABLE: &str = "/proc/net/arp";
/// Flag of an entry whose hardware address is known (Linux: ATF_COM).
const COMPLETE: u32 = 2;

/// The table of this network namespace.
#[derive(Debug)]
pub(crate) struct Neighbours(Mutex<File>);

impl Neighbours {
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self(Mutex::new(File::open(TABLE)?)))
    }

    /// Who has `address`, as far as the kernel has found out.
    pub(crate) fn holder_of(&self, address: Ipv4Addr) -> Option<MacAddr> {
        let mut text = String::new();
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_string(&mut text));
        if let Err(error) = read {
            tracing::debug!(%error, "reading the kernel's neighbours");
        }
        holder_in(&text, address)
    }
}

/// Columns: address, type, flags in hexadecimal, hardware address, mask, device.
fn holder_in(table: &str, address: Ipv4Addr) -> Option<MacAddr> {
    let entry = |line: &str| {
        let mut columns = line.split_whitespace();
        let its: Ipv4Addr = columns.next()?.parse().ok()?;
        let flags = columns.nth(1)?.strip_prefix("0x")?;
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let mac = columns.next()?.parse().ok()?;
        (its == address && flags & COMPLETE != 0).then_some(mac)
    };
    table.lines().find_map(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_found_has_an_address() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device
10.1.0.10        0x1         0x2         02:00:00:00:00:0a     *        s0
10.1.0.11        0x1         0x0         00:00:00:00:00:00     *        s0
10.1.0.12        0x1         0x6         02:00:00:00:00:0c     *        s0
10.1.0.13        0x1
";
        let holder = |last| holder_in(table, Ipv4Addr::new(10, 1, 0, last));
        assert_eq!(holder(10), Some(MacAddr([2, 0, 0, 0, 0, 10])));
        assert_eq!(holder(12), Some(MacAddr([2, 0, 0, 0, 0, 12])));
        for last in [1, 11, 13, 100] {
            assert_eq!(holder(last), None, "{last}");
        }
    }

    #[test]
    fn the_kernels_table_can_be_read_again() {
        let neighbours = Neighbours::open().unwrap();
        for _ in 0..2 {
            assert_eq!(neighbours.holder_of(Ipv4Addr::UNSPECIFIED), None);
        }
    }
}
