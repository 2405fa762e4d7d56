//! Network cards, from `/sys/class/net`: Ethernet interfaces with a device behind them.

use embed::hardware::{Nic, Text};

use super::Tree;

/// `ARPHRD_ETHER` of `linux/if_arp.h`.
const ETHERNET: u16 = 1;

/// Every card.
pub(super) fn of(tree: &Tree) -> Vec<Nic> {
    let entries = tree.list("sys/class/net").into_iter();
    entries
        .filter_map(|(name, interface)| nic(&name, &interface))
        .collect()
}

fn nic(name: &str, interface: &Tree) -> Option<Nic> {
    if !interface.has("device") || interface.number("type") != Some(ETHERNET) {
        return None;
    }
    // Both cannot be read while the interface is down.
    let link = interface.flag("carrier") == Some(true);
    // -1 where the driver does not know.
    let speed = interface.number::<i64>("speed").filter(|speed| *speed > 0);
    Some(Nic {
        name: Text::of(name),
        mac: interface.text("address"),
        driver: interface.target("device/driver"),
        link,
        speed: speed.and_then(|speed| u32::try_from(speed).ok()),
    })
}
