//! The `ignition` section: configs to merge or to use instead, certificate bundles, proxies.
//! The version is checked before any rule is.

use super::item::Item;
use super::{Report, codes, resource};
use crate::finding::quote;
use crate::ignition::syntax::url::Url;

pub(super) fn check(ignition: Item<'_>, report: &mut Report<'_>) {
    if let Some(config) = ignition.child("config") {
        for merged in config.items("merge") {
            resource::reference(merged, report);
            if report.minor >= 1 {
                resource::required_source(merged, report);
            }
        }
        if let Some(replacement) = config.child("replace") {
            resource::reference(replacement, report);
        }
    }
    let security = ignition.child("security");
    if let Some(tls) = security.and_then(|security| security.child("tls")) {
        for bundle in tls.items("certificateAuthorities") {
            resource::reference(bundle, report);
            resource::required_source(bundle, report);
        }
    }
    if let Some(proxy) = ignition.child("proxy") {
        check_proxy(proxy, "httpProxy", report);
        check_proxy(proxy, "httpsProxy", report);
    }
}

fn check_proxy(proxy: Item<'_>, name: &'static str, report: &mut Report<'_>) {
    let Some(text) = proxy.text(name) else {
        return;
    };
    let at = proxy.at(name);
    match Url::parse(text) {
        Err(error) => {
            let message = format!("URL {} is malformed: {error}", quote(text));
            report.error(codes::URL_MALFORMED, at, message);
        }
        Ok(url) if url.scheme == "http" && name == "httpsProxy" => {
            let message = "requests to https servers go through a proxy without encryption";
            report.warning(codes::PROXY_INSECURE, at, message);
        }
        Ok(url) if matches!(url.scheme.as_str(), "http" | "https") => {}
        Ok(_) => {
            let message = format!("proxy {} is neither http nor https", quote(text));
            report.error(codes::PROXY_SCHEME, at, message);
            report.hint("leave the field out for no proxy");
        }
    }
}
