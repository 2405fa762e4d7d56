//! The documents are JSON Schema, take what the languages take, and refuse what they refuse.

use std::path::Path;

use jsonschema::{Registry, Validator};

use super::*;
use crate::schema::Target;
use crate::tree::raw::{RawNode, RawValue, Scalar};
use crate::tree::{SourceId, yaml};

fn butane(variant: &str, version: &str) -> Validator {
    let target = Target::find(variant, version).unwrap();
    jsonschema::validator_for(&document(Language::Butane(target))).unwrap()
}

fn ignition(minor: Minor) -> Validator {
    jsonschema::validator_for(&document(Language::Ignition(minor))).unwrap()
}

#[test]
fn every_document_is_valid_json_schema_under_its_own_name() {
    let files = all(true);
    let mut names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names.len(), 2 + 8 + TARGETS.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), files.len());
    for file in &files {
        if let Err(error) = jsonschema::meta::validate(&file.document) {
            panic!("{}: {error}", file.name);
        }
    }
    let stable = all(false);
    assert_eq!(stable.len(), 2 + 7 + 28);
    assert!(!stable.iter().any(|file| file.name.contains("experimental")));
}

#[test]
fn a_name_stands_for_one_record() {
    fn walk(kind: Kind, seen: &mut BTreeMap<&'static str, *const Record>) {
        match kind {
            Kind::List(list) => walk(list.item, seen),
            Kind::Object(record) => {
                let known = seen.insert(record.name, record);
                assert!(known.is_none_or(|known| known == record), "{}", record.name);
                if known.is_none() {
                    record
                        .fields
                        .iter()
                        .for_each(|field| walk(field.kind, seen));
                }
            }
            _ => {}
        }
    }
    walk(Kind::Object(&ROOT), &mut BTreeMap::new());
}

#[test]
fn butane_of_every_kind_is_taken() {
    let config = json!({
        "variant": "fcos", "version": "1.5.0",
        "ignition": {"config": {"merge": [{"local": "base.ign"}]}},
        "kernel_arguments": {"should_exist": ["quiet"]},
        "boot_device": {"layout": "x86_64", "mirror": {"devices": ["/dev/vda", "/dev/vdb"]}},
        "grub": {"users": [{"name": "root", "password_hash": "grub.pbkdf2"}]},
        "passwd": {"users": [{"name": "core", "ssh_authorized_keys": ["ssh-ed25519 A"]}]},
        "storage": {
            "disks": [{"device": "/dev/vda", "partitions": [{"label": "var", "size_mib": 0}]}],
            "filesystems": [{"device": "/dev/vda1", "format": "none", "with_mount_unit": true}],
            "files": [{"path": "/a", "mode": 420, "contents": {"inline": "x", "compression": ""}}],
            "trees": [{"local": "tree"}],
        },
        "systemd": {"units": [{"name": "a.service", "enabled": true, "contents_local": "a"}]},
    });
    let errors: Vec<String> = butane("fcos", "1.5.0")
        .iter_errors(&config)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    let openshift = json!({
        "variant": "openshift", "version": "4.14.0",
        "metadata": {"name": "a", "labels": {"machineconfiguration.openshift.io/role": "worker"}},
        "openshift": {"kernel_type": "realtime"},
    });
    assert!(butane("openshift", "4.14.0").is_valid(&openshift));
}

#[test]
fn butane_of_another_form_is_refused() {
    let schema = butane("fcos", "1.3.0");
    let with = |key: &str, value: Value| {
        let mut config = json!({"variant": "fcos", "version": "1.3.0"});
        assert!(schema.is_valid(&config));
        config.as_object_mut().unwrap().insert(key.into(), value);
        schema.is_valid(&config)
    };
    assert!(!schema.is_valid(&json!({"variant": "fcos"})), "no version");
    assert!(!with("version", json!("1.4.0")), "another version");
    assert!(!with("variant", json!("flatcar")), "another variant");
    assert!(!with("storag", json!({})), "a misspelt key");
    assert!(!with("grub", json!({})), "a key of a later version");
    let file = |file: Value| with("storage", json!({"files": [file]}));
    assert!(file(json!({"path": "/a"})));
    assert!(!file(json!({"mode": 420})), "no path");
    assert!(!file(json!({"path": "/a", "mode": "0644"})), "a string");
    assert!(!file(json!({"path": "/a", "overwrite": 1})), "a number");
    let format = |name: &str| {
        let filesystem = json!({"device": "/dev/a", "format": name});
        with("storage", json!({"filesystems": [filesystem]}))
    };
    assert!(format("xfs"));
    assert!(!format("zfs"), "no such format");
    assert!(!format("none"), "a format of a later spec");
}

#[test]
fn ignition_has_its_own_names_and_declares_its_version() {
    let schema = ignition(4);
    let config = |version: &str, file: Value| json!({"ignition": {"version": version}, "storage": {"files": [file]}});
    assert!(schema.is_valid(&config("3.4.0", json!({"path": "/a", "mode": 420}))));
    assert!(!schema.is_valid(&config("3.3.0", json!({"path": "/a"}))));
    assert!(!schema.is_valid(&config(
        "3.4.0",
        json!({"path": "/a", "contents": {"inline": "x"}})
    )));
    assert!(!schema.is_valid(&json!({})));
    assert!(!schema.is_valid(&json!({"ignition": {}})));
    assert!(!schema.is_valid(&json!({"variant": "fcos", "ignition": {"version": "3.4.0"}})));
}

#[test]
fn one_document_hands_on_to_what_a_config_declares() {
    let mut registry = Registry::new();
    let files = all(false);
    for file in &files {
        let address = format!("json-schema:///{}", file.name);
        registry = registry.add(address, file.document.clone()).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let schema = |name: &str| {
        let reference = json!({"$ref": format!("json-schema:///{name}")});
        let options = jsonschema::options().with_registry(&registry);
        options.build(&reference).unwrap()
    };
    let butane = schema("butane.json");
    let config = |version: &str, key: &str| json!({"variant": "fcos", "version": version, key: {}});
    assert!(butane.is_valid(&config("1.5.0", "grub")));
    assert!(!butane.is_valid(&config("1.4.0", "grub")));
    assert!(!butane.is_valid(&config("9.9.9", "storage")));
    assert!(!butane.is_valid(&json!({})));
    let ignition = schema("ignition.json");
    let config = |version: &str| json!({"ignition": {"version": version}, "kernelArguments": {}});
    assert!(ignition.is_valid(&config("3.3.0")));
    assert!(!ignition.is_valid(&config("3.2.0")));
    assert!(!ignition.is_valid(&config("2.2.0")));
}

/// Every config below `examples/`, by the schema of what it declares.
#[test]
fn examples_are_taken() {
    let mut found = Vec::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    collect_configs(&examples, &mut found);
    assert!(found.iter().any(|(path, _)| path.ends_with("demo.ign")));
    assert!(found.iter().any(|(path, _)| path.ends_with("base.bu")));
    for (path, config) in found {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let schema = if path.ends_with("bu") {
            butane(&text(&config["variant"]), &text(&config["version"]))
        } else {
            let declared = text(&config["ignition"]["version"]);
            let minor = (0..=NEWEST).find(|minor| version(*minor) == declared);
            ignition(minor.unwrap())
        };
        if let Err(error) = schema.validate(&config) {
            panic!("{path}: {}: {error}", error.instance_path());
        }
    }
}

fn collect_configs(directory: &Path, found: &mut Vec<(String, Value)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            collect_configs(&path, found);
        } else if let Some("ign" | "bu") = extension {
            let text = std::fs::read_to_string(&path).unwrap();
            let raw = yaml::read(SourceId::default(), &text).unwrap();
            found.push((path.display().to_string(), json_of(&raw)));
        }
    }
}

/// What an editor takes a YAML or JSON text for: numbers are the plain scalars that look so.
fn json_of(raw: &RawNode) -> Value {
    match &raw.value {
        RawValue::Scalar(Scalar::Plain(text)) => match (text.parse::<i64>(), text.as_str()) {
            (Ok(number), _) => json!(number),
            (_, "true") => json!(true),
            (_, "false") => json!(false),
            _ => json!(text),
        },
        RawValue::Scalar(Scalar::Text(text)) => json!(text),
        RawValue::Scalar(other) => panic!("{other:?} in an example"),
        RawValue::List(items) => items.iter().map(json_of).collect(),
        RawValue::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json_of(&entry.value)))
            .collect(),
    }
}
