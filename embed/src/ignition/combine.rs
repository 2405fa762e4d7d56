//! Several configs as one: each merged over those before it.
//!
//! What they refer to is not rendered here.

use super::tree::Tree;
use crate::finding::Findings;

/// Merges `configs` in order, each over those before it, and checks the result. All are brought to
/// the newest spec among them and no further, so that no machine needs a newer Ignition than the
/// newest of the configs asks for. None if there are no configs, or errors among the findings.
///
/// A machine merges what a config refers to over the config itself, and so, after combining, over
/// all of them: `render` each first where its children should come before the next config.
pub fn combine(configs: impl IntoIterator<Item = Tree>, findings: &mut Findings) -> Option<Tree> {
    let mut configs = configs.into_iter();
    let first = configs.next()?;
    let combined = configs.fold(first, Tree::merged);
    let mut found = Findings::new();
    combined.check(&mut found);
    let sound = !found.has_errors();
    findings.append(found);
    sound.then_some(combined)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::sample::{config, json};
    use super::*;
    use crate::digest::Sha512Digest;
    use crate::schema::{Minor, version};

    fn tree(minor: Minor, storage: Json) -> Tree {
        let ignition = json!({"version": version(minor)});
        Tree::new(
            config(json!({"ignition": ignition, "storage": storage})),
            minor,
        )
    }

    #[test]
    fn later_configs_win_at_the_newest_spec_among_them() {
        let directory = |minor, mode: i64| {
            tree(
                minor,
                json!({"directories": [{"path": "/d", "mode": mode}]}),
            )
        };
        let mut findings = Findings::new();
        let configs = [
            directory(1, 0o700),
            directory(4, 0o750),
            directory(2, 0o711),
        ];
        let combined = combine(configs, &mut findings).unwrap();
        assert!(findings.is_empty());
        assert_eq!(combined.minor(), 4);
        let want = json!({"ignition": {"version": "3.4.0"}, "storage": {"directories": [{"path": "/d", "mode": 0o711}]}});
        assert_eq!(json(combined.root()), want);
    }

    #[test]
    fn valid_configs_that_make_an_invalid_one_are_refused() {
        let disk =
            |partition: Json| json!({"disks": [{"device": "/dev/sda", "partitions": [partition]}]});
        let file = |contents: Json| json!({"files": [{"path": "/f", "contents": contents}]});
        let headers = json!([{"name": "a", "value": "b"}]);
        for (first, second, want) in [
            (
                disk(json!({"label": "x"})),
                disk(json!({"number": 1, "label": "x"})),
                "partition-label-twice",
            ),
            (
                disk(json!({"number": 1, "startMiB": 1, "sizeMiB": 8})),
                disk(json!({"number": 2, "startMiB": 4, "sizeMiB": 8})),
                "partitions-overlap",
            ),
            (
                json!({"files": [{"path": "/l/f"}]}),
                json!({"links": [{"path": "/l", "target": "/g"}]}),
                "path-beneath-link",
            ),
            (
                file(json!({"source": "http://h/", "httpHeaders": headers})),
                file(json!({"source": "data:,"})),
                "headers-scheme",
            ),
        ] {
            let mut findings = Findings::new();
            let alone = combine([tree(4, first.clone())], &mut findings);
            assert!(alone.is_some() && findings.is_empty(), "{findings:?}");
            assert_eq!(
                combine([tree(4, first), tree(4, second)], &mut findings),
                None
            );
            let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!(codes, [want]);
        }
    }

    #[test]
    fn a_hash_that_outlives_its_source_is_warned_of() {
        let file =
            |contents: Json| tree(4, json!({"files": [{"path": "/f", "contents": contents}]}));
        let hash = format!("sha512-{}", Sha512Digest::of(b"hi"));
        let mut findings = Findings::new();
        let first = file(json!({"source": "data:,hi", "verification": {"hash": hash}}));
        let combined = combine([first, file(json!({"source": "data:,ho"}))], &mut findings);
        assert!(combined.is_some());
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["hash-mismatch"]);
    }

    #[test]
    fn nothing_combined_is_nothing() {
        assert_eq!(combine([], &mut Findings::new()), None);
    }
}
