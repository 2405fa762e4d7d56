//! What in a config needs the network before the machine can finish its first boot.
//!
//! Only `data:` URLs are fetched without it. Configs inside of `data:` URLs are looked into by
//! `render`, not here.

use std::fmt;

use super::walk;
use crate::finding::At;
use crate::schema::Record;
use crate::tree::node::{Node, Object};

/// One reason to need the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The value that is the reason.
    pub at: At,
    /// What it is.
    pub reason: Reason,
}

/// Why the network is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A URL other than `data:`.
    Fetch,
    /// A Tang server that must be asked for its advertisement.
    Tang,
    /// A clevis pin that says so.
    Clevis,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fetch => "the URL is fetched",
            Self::Tang => "the Tang server is asked for its advertisement",
            Self::Clevis => "the clevis pin needs the network",
        })
    }
}

/// Everything in `config` that needs the network, by field name and in the order of lists.
pub fn needs(config: &Node) -> Vec<Need> {
    let mut needs = Vec::new();
    walk::objects(config, &mut |of, object| {
        needs.extend(need(of, object));
        true
    });
    needs
}

/// Whether `source` is fetched over the network; nothing is fetched for an empty one.
pub(super) fn is_remote(source: &str) -> bool {
    let scheme = source.split(':').next().unwrap_or_default();
    !source.is_empty() && !scheme.eq_ignore_ascii_case("data")
}

fn need(of: &'static Record, object: &Object) -> Option<Need> {
    let (field, reason) = match of.name {
        "tang" => ("url", Reason::Tang),
        "clevis-custom" => ("needsNetwork", Reason::Clevis),
        _ => ("source", Reason::Fetch),
    };
    let node = object.get(field)?;
    let needed = match reason {
        Reason::Tang => object.text("advertisement").is_none_or(str::is_empty),
        Reason::Clevis => node.as_bool() == Some(true),
        Reason::Fetch => node.as_text().is_some_and(is_remote),
    };
    let at = At::from(node.span);
    needed.then_some(Need { at, reason })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::config;
    use super::*;

    fn reasons(json: serde_json::Value) -> Vec<Reason> {
        needs(&config(json))
            .into_iter()
            .map(|need| need.reason)
            .collect()
    }

    #[test]
    fn data_and_empty_urls_need_nothing_and_all_others_the_network() {
        for source in ["", "data:,x", "DATA:,x", "data:text/plain;base64,aHR0cDo="] {
            let file =
                json!({"storage": {"files": [{"path": "/f", "contents": {"source": source}}]}});
            assert_eq!(reasons(file), [], "{source}");
        }
        for source in [
            "http://h/",
            "HTTPS://h/",
            "tftp://h/f",
            "s3://b/k",
            "gs://b/k",
            "arn:aws:s3:::b/k",
        ] {
            let file =
                json!({"storage": {"files": [{"path": "/f", "append": [{"source": source}]}]}});
            assert_eq!(reasons(file), [Reason::Fetch], "{source}");
        }
    }

    #[test]
    fn resources_are_found_wherever_they_are() {
        let http = json!({"source": "http://h/"});
        let all = json!({"ignition": {"config": {"merge": [http], "replace": http},
                "security": {"tls": {"certificateAuthorities": [http]}}, "proxy": {"httpProxy": "http://p/"}},
            "storage": {"files": [{"path": "/f", "contents": http, "append": [http, http]}],
                "luks": [{"name": "l", "keyFile": http}]}});
        assert_eq!(reasons(all).len(), 7);
    }

    #[test]
    fn clevis_needs_it_for_tang_without_advertisement_and_when_it_says_so() {
        let clevis = |clevis: serde_json::Value| {
            reasons(json!({"storage": {"luks": [{"name": "l", "clevis": clevis}]}}))
        };
        assert_eq!(
            clevis(json!({"tpm2": true, "custom": {"needsNetwork": false}})),
            []
        );
        assert_eq!(
            clevis(json!({"custom": {"needsNetwork": true}})),
            [Reason::Clevis]
        );
        let tang = json!({"tang": [{"url": "http://a/"}, {"url": "http://b/", "advertisement": "{}"},
            {"url": "http://c/", "advertisement": ""}]});
        assert_eq!(clevis(tang), [Reason::Tang, Reason::Tang]);
    }
}
