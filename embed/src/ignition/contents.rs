//! The bytes that a resource with a `data:` URL stands for: decoded, decompressed, verified.
//!
//! Bounded, since a few bytes of gzip can hold gigabytes. Nothing is fetched.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use super::rules::codes;
use super::syntax::data_url;
use super::walk;
use crate::digest::{DigestError, TypedDigest};
use crate::finding::{Finding, Findings};
use crate::tree::Span;
use crate::tree::node::{Node, Object};

/// How many bytes all contents of one run may have together.
pub(super) const BYTES: usize = 64 << 20;

/// The contents are said to be gzip, and are not.
const NOT_GZIP: &str = "not-gzip";
/// The contents have not the digest that is given.
const MISMATCH: &str = "hash-mismatch";

/// Warns of contents in `config` that the machine will refuse: not gzip though it is said, or of
/// another digest. Configs that are referred to are left to `render`.
///
/// Without this it would be found at first boot. It is likely where a merge replaced a source and
/// kept the compression or the hash of the old one. After `budget` bytes no more is looked at.
pub(super) fn check(config: &Node, mut budget: usize, findings: &mut Findings) {
    walk::objects(config, &mut |of, object| {
        let source = object.get("source").filter(|source| is_data(source));
        if let Some(source) = source.filter(|_| is_gzip(object) || hash(object).is_some()) {
            let refused = contents(object, source, &mut budget).err();
            if let Some(finding) =
                refused.filter(|finding| [NOT_GZIP, MISMATCH].contains(&finding.code))
            {
                findings.warning(finding.code, finding.at, finding.message);
            }
        }
        of.name != "configs"
    });
}

fn is_data(source: &Node) -> bool {
    source.as_text().is_some_and(|url| url.starts_with("data:"))
}

/// The contents of `resource`, whose `source` is a `data:` URL or empty. Every byte that is
/// unpacked is taken from `budget`, and there are no more of them.
pub(super) fn contents(
    resource: &Object,
    source: &Node,
    budget: &mut usize,
) -> Result<Vec<u8>, Finding> {
    let packed = if is_data(source) {
        data_url::decode(source.as_text().unwrap_or_default(), *budget)
            .map_err(|error| format!("data URL is wrong: it {error}"))
            .map_err(|message| Finding::error(codes::DATA_URL, source.span, message))?
    } else {
        Vec::new()
    };
    let bytes = if is_gzip(resource) {
        unpacked(&packed, budget, source.span)?
    } else {
        *budget = budget.saturating_sub(packed.len());
        packed
    };
    if let Some(hash) = hash(resource) {
        verify(hash, &bytes)?;
    }
    Ok(bytes)
}

fn is_gzip(resource: &Object) -> bool {
    resource.text("compression") == Some("gzip")
}

fn hash(resource: &Object) -> Option<&Node> {
    resource.object("verification")?.get("hash")
}

fn unpacked(packed: &[u8], budget: &mut usize, at: Span) -> Result<Vec<u8>, Finding> {
    let mut bytes = Vec::new();
    let most = u64::try_from(*budget).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(packed)
        .take(most)
        .read_to_end(&mut bytes);
    let too_long = bytes.len() > *budget;
    *budget = budget.saturating_sub(bytes.len());
    if let Err(error) = read {
        let message = format!("the contents are not gzip: {error}");
        return Err(Finding::error(NOT_GZIP, at, message));
    }
    if too_long {
        let message = "the contents are too long when decompressed";
        return Err(Finding::error("too-much", at, message));
    }
    Ok(bytes)
}

fn verify(hash: &Node, bytes: &[u8]) -> Result<(), Finding> {
    let message = match hash.as_text().unwrap_or_default().parse::<TypedDigest>() {
        Ok(want) if want.matches(bytes) => return Ok(()),
        Ok(want) => format!("the contents do not have the digest `{want}`"),
        Err(error @ DigestError::NotHex(_)) => format!("no contents have this digest: {error}"),
        Err(error) => {
            return Err(Finding::error(
                codes::HASH_MALFORMED,
                hash.span,
                error.to_string(),
            ));
        }
    };
    Err(Finding::error(MISMATCH, hash.span, message))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::super::sample::config;
    use super::*;

    fn codes(contents: serde_json::Value) -> Vec<&'static str> {
        let mut findings = Findings::new();
        let file = json!({"storage": {"files": [{"path": "/f", "contents": contents}]}});
        check(&config(file), 1 << 20, &mut findings);
        findings.iter().map(|finding| finding.code).collect()
    }

    /// `hi` as gzip.
    const PACKED: &str = "data:;base64,H4sIAAAAAAACA8vIBACsKpPYAgAAAA==";
    const DIGEST: &str = "sha256-8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4";

    #[test]
    fn contents_that_are_what_is_said_pass() {
        for contents in [
            json!({"source": PACKED, "compression": "gzip", "verification": {"hash": DIGEST}}),
            json!({"source": "data:,hi", "compression": "", "verification": {"hash": DIGEST}}),
            json!({"source": PACKED}),
            json!({"source": "", "compression": "gzip", "verification": {"hash": DIGEST}}),
            json!({"source": "http://h/", "compression": "gzip", "verification": {"hash": DIGEST}}),
        ] {
            assert_eq!(codes(contents.clone()), [""; 0], "{contents}");
        }
    }

    #[test]
    fn contents_that_no_machine_takes_are_warned_of() {
        let zeros = format!("sha256-{}", "0".repeat(64));
        for (contents, code) in [
            (
                json!({"source": "data:,hi", "compression": "gzip"}),
                NOT_GZIP,
            ),
            (json!({"source": "data:,", "compression": "gzip"}), NOT_GZIP),
            (
                json!({"source": &PACKED[..37], "compression": "gzip"}),
                NOT_GZIP,
            ),
            (
                json!({"source": PACKED, "verification": {"hash": DIGEST}}),
                MISMATCH,
            ),
            (
                json!({"source": "data:,hi", "verification": {"hash": zeros}}),
                MISMATCH,
            ),
            (
                json!({"source": "data:,hi", "verification": {"hash": zeros.replace('0', "g")}}),
                MISMATCH,
            ),
        ] {
            assert_eq!(codes(contents.clone()), [code], "{contents}");
        }
    }

    #[test]
    fn one_bad_file_does_not_hide_the_next_and_a_bomb_ends_the_search() {
        let bomb = {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&vec![0; 1 << 20]).unwrap();
            format!(
                "data:;base64,{}",
                STANDARD.encode(encoder.finish().unwrap())
            )
        };
        let bad = json!({"source": "data:,hi", "compression": "gzip"});
        let bomb = json!({"source": bomb, "compression": "gzip"});
        let many = [&bad, &bad, &bomb, &bad, &bomb];
        let append: serde_json::Value = many.into_iter().cloned().collect();
        let mut findings = Findings::new();
        let file = json!({"storage": {"files": [{"path": "/f", "append": append}]}});
        check(&config(file), 1 << 20, &mut findings);
        assert_eq!(
            findings
                .iter()
                .filter(|finding| finding.code == NOT_GZIP)
                .count(),
            2
        );
    }

    #[test]
    fn what_the_rules_report_is_not_reported_again() {
        for contents in [
            json!({"source": "data:;base64,A"}),
            json!({"source": "data:,hi", "verification": {"hash": "md5-00"}}),
            json!({"source": "data:,hi", "verification": {"hash": "sha256-00"}}),
        ] {
            assert_eq!(codes(contents.clone()), [""; 0], "{contents}");
        }
    }
}
