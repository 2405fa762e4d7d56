//! What holds for every config: what is accepted is valid as Ignition, and contents come through.

use proptest::prelude::*;

use super::*;
use crate::butane::encode::{escaped, shortest};
use crate::ignition::{ReadOptions, read, rules};
use crate::schema::{Kind, Language, ROOT, Record, TARGETS, Variant};

proptest! {
    #[test]
    fn contents_come_through_in_the_shortest_form(bytes: Vec<u8>, repeat in 1_usize..40) {
        let bytes = bytes.repeat(repeat);
        let encoded = shortest(&bytes, true).unwrap();
        let resource = serde_json::json!({
            "source": encoded.url,
            "compression": if encoded.gzipped { "gzip" } else { "" },
        });
        prop_assert_eq!(contents(&resource), bytes.clone());
        let without = shortest(&bytes, false).unwrap();
        prop_assert!(!without.gzipped && without.url.len() <= escaped(&bytes).len());
        prop_assert!(encoded.url.len() + 4 < without.url.len() || !encoded.gzipped);
        prop_assert_eq!(shortest(&bytes, true).unwrap(), encoded);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(variant: fcos\nversion: 1.5.0\n)?[a-z:\\- \n{}\\[\\],]{0,80}") {
        run(&text, &Options::default());
    }
}

/// A small generator of numbers: the same configs in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Texts that fit fields of a name, some of them badly.
fn text(field: &str, values: &[(&'static str, u8)], dice: &mut Dice) -> &'static str {
    let fit: &[&str] = match field {
        _ if !values.is_empty() => return dice.pick(values).0,
        "path" => &["/etc/a", "/var/b", "/var/c", "etc"],
        "device" | "devices" => &["/dev/a", "/dev/b", "/dev/mapper/a", "dev"],
        "source" | "url" | "httpProxy" => &["https://example.com/a", "data:,a", "gopher://a"],
        "inline" => &["some text", "{\"ignition\": {\"version\": \"3.4.0\"}}"],
        "name" => &["a", "b", "a.service", "b.mount", "c.conf"],
        "local" | "contents_local" => &["file", "absent"],
        "contents" => &["[Service]\nType=oneshot\n", "[Unit]\n"],
        "hash" => &["sha512-00"],
        _ => &["a", "b"],
    };
    dice.pick(fit)
}

fn value(
    kind: Kind,
    field: &'static crate::schema::Field,
    language: Language,
    dice: &mut Dice,
) -> Json {
    match kind {
        Kind::Text => text(field.name, field.values, dice).into(),
        Kind::Integer => [0, 1, 0o644, 8192][dice.below(4)].into(),
        Kind::Bool => (dice.below(2) == 0).into(),
        Kind::Labels => serde_json::json!({}),
        Kind::Object(record) => object(record, language, dice),
        Kind::List(list) => {
            let items = 1 + dice.below(2);
            let items = (0..items).map(|_| value(list.item, field, language, dice));
            items.collect::<Vec<_>>().into()
        }
    }
}

/// Some of the fields of a record, those that it needs always.
fn object(record: &'static Record, language: Language, dice: &mut Dice) -> Json {
    let mut object = serde_json::Map::new();
    for field in record.fields_of(language) {
        let heavy = [
            "boot_device",
            "ignition",
            "disks",
            "overwrite",
            "verification",
            "append",
        ];
        let sides = if heavy.contains(&field.name) { 12 } else { 3 };
        let needed = [
            "name", "path", "device", "format", "target", "level", "devices",
        ];
        if needed.contains(&field.name) || dice.below(sides) == 0 {
            let value = value(field.kind, field, language, dice);
            object.insert(field.yaml.to_owned(), value);
        }
    }
    object.into()
}

#[test]
fn what_is_accepted_is_valid_as_ignition() {
    let outer = tempfile::tempdir().unwrap();
    std::fs::write(outer.path().join("file"), "[Unit]\nDescription=a\n").unwrap();
    let files = FilesDir::open(outer.path()).unwrap();
    let options = Options {
        files: Some(&files),
        experimental: true,
        ..Options::default()
    };
    let mut accepted = 0;
    for seed in 0..2000 {
        let dice = &mut Dice(seed);
        let target = &TARGETS[dice.below(TARGETS.len())];
        if target.variant == Variant::Openshift {
            continue;
        }
        let mut config = object(&ROOT, Language::Butane(target), dice);
        config["variant"] = target.variant.name().into();
        config["version"] = target.version.into();
        let mut sources = Sources::new();
        let converted = convert(&mut sources, "test", &config.to_string(), &options);
        let Some(tree) = converted.config else {
            assert!(converted.findings.has_errors(), "{config}");
            continue;
        };
        accepted += 1;
        let json = write::json(&tree, false);
        let reading = ReadOptions { experimental: true };
        let (checked, mut findings) = read(&mut sources, "result", json.as_str(), &reading);
        let again = checked.and_then(|checked| checked.tree);
        let again = again.unwrap_or_else(|| panic!("{config}\n{json}\n{findings:?}"));
        rules::check(again.root(), target.minor, &mut findings);
        assert!(!findings.has_errors(), "{config}\n{json}\n{findings:?}");
        let unused = findings.iter().find(|finding| finding.code == "unused-key");
        assert_eq!(unused, None, "{json}");
    }
    assert!(accepted > 150, "only {accepted} configs were accepted");
}
