//! What etcd's JSON gateway answers, as much of it as we read: numbers of 64 bits are text there, keys
//! and values are base64, and what is zero or empty is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, de};

/// Bytes, base64 on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(de::Error::custom)
    }
}

/// A number, text on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    pub(super) revision: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyValue {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    pub(super) mod_revision: Number,
}

/// Of `/v3/kv/range`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Range {
    pub(super) header: Header,
    pub(super) kvs: Vec<KeyValue>,
    pub(super) more: bool,
}

/// Of `/v3/kv/txn`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Txn {
    pub(super) header: Header,
    pub(super) succeeded: bool,
    pub(super) responses: Vec<TxnPart>,
}

/// Of one operation of a transaction; other kinds than these tell us nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TxnPart {
    pub(super) response_range: Option<Range>,
    pub(super) response_txn: Option<Txn>,
}

/// Of `/v3/auth/authenticate`.
#[derive(Debug, Deserialize)]
pub(super) struct Authenticated {
    pub(super) token: String,
}

/// One line of `/v3/watch`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchLine {
    pub(super) result: WatchResult,
    pub(super) error: Option<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchResult {
    pub(super) header: Header,
    pub(super) canceled: bool,
    pub(super) compact_revision: Number,
    pub(super) cancel_reason: String,
    pub(super) events: Vec<WatchEvent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchEvent {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) kv: KeyValue,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Kind {
    #[default]
    Put,
    Delete,
}

/// What a failed call says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    pub(super) error: String,
    pub(super) message: String,
    pub(super) code: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_bytes_and_what_is_left_out_are_read() {
        let line = r#"{"result":{"header":{"cluster_id":"1","revision":"9"},"events":[
            {"kv":{"key":"L2E=","mod_revision":"9","value":"eA=="}},
            {"type":"DELETE","kv":{"key":"L2I=","mod_revision":"9"}}]}}"#;
        let line: WatchLine = serde_json::from_str(line).unwrap();
        let [put, delete] = line.result.events.as_slice() else {
            panic!("two events");
        };
        assert_eq!(
            (put.kind, put.kv.value.0.as_slice()),
            (Kind::Put, &b"x"[..])
        );
        assert_eq!(
            (delete.kind, delete.kv.key.0.as_slice()),
            (Kind::Delete, &b"/b"[..])
        );
        assert_eq!(delete.kv.mod_revision, Number(9));
        for wrong in [
            r#"{"header":{"revision":"-1"}}"#,
            r#"{"header":{"revision":"99999999999999999999"}}"#,
            r#"{"kvs":[{"key":"%%"}]}"#,
        ] {
            assert!(serde_json::from_str::<Range>(wrong).is_err(), "{wrong}");
        }
    }
}
