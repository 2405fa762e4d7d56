//! Which machine a request is about, before anybody has looked at what it asks.

use axum::http::Uri;

use crate::mac::MacAddr;

/// The machine that a request names: in `/machines/MAC/…` or `/boot/MAC/…`, or as `mac=MAC`.
pub(super) fn machine(uri: &Uri) -> Option<MacAddr> {
    let path = uri.path();
    let below = ["/machines/", "/boot/"].into_iter();
    if let Some(below) = below.filter_map(|above| path.strip_prefix(above)).next() {
        return below.split('/').next()?.parse().ok();
    }
    let pairs = uri.query()?.split('&');
    let mac = pairs.filter_map(|pair| pair.strip_prefix("mac=")).next()?;
    mac.replace("%3A", ":").replace("%3a", ":").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_machine_in_its_path_or_its_query() {
        let mac = Some(MacAddr([2, 0, 0, 0, 0, 1]));
        for (uri, want) in [
            ("/machines/02-00-00-00-00-01/ignition", mac),
            ("/machines/02:00:00:00:00:01/report?ticket=1", mac),
            ("/ipxe?uuid=&mac=02-00-00-00-00-01&serial=", mac),
            ("/ipxe?mac=02%3a00%3A00%3A00%3A00%3A01", mac),
            ("/ipxe?mac=x", None),
            ("/ipxe", None),
            ("/boot/02-00-00-00-00-01/snponly.efi", mac),
            ("/boot.ipxe", None),
            ("/machines/", None),
        ] {
            assert_eq!(machine(&uri.parse().unwrap()), want, "{uri}");
        }
    }
}
