//! The table against itself: names are unique, Butane's follow from Ignition's, the root is whole.

use std::collections::BTreeSet;

use super::*;

fn walk(
    record: &'static Record,
    seen: &mut BTreeSet<*const Record>,
    visit: &mut dyn FnMut(&'static Record),
) {
    if !seen.insert(record) {
        return;
    }
    visit(record);
    for field in record.fields {
        let mut kind = field.kind;
        while let Kind::List(list) = kind {
            kind = list.item;
        }
        if let Kind::Object(inner) = kind {
            walk(inner, seen, visit);
        }
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.replace("MiB", "Mib").chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[test]
fn every_name_is_unique_documented_and_spelled_by_rule() {
    let mut records = 0;
    walk(&ROOT, &mut BTreeSet::new(), &mut |record| {
        records += 1;
        let names: BTreeSet<_> = record.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), record.fields.len(), "{}", record.name);
        for field in record.fields {
            assert!(field.doc.ends_with('.'), "{}.{}", record.name, field.name);
            assert_eq!(field.yaml, snake(field.name), "{}", record.name);
            if let Kind::List(List {
                key: ListKey::Field(key),
                item: Kind::Object(item),
                ..
            }) = field.kind
            {
                assert!(item.field(key).is_some(), "{}.{}", record.name, field.name);
            }
        }
    });
    assert!(records > 30, "{records} records reached from the root");
}

#[test]
fn fields_come_and_go_with_language_and_version() {
    let has = |language, name: &str| ROOT.fields_of(language).any(|field| field.name == name);
    let butane = |variant, version| Language::Butane(Target::find(variant, version).unwrap());
    assert!(!has(Language::Ignition(2), "kernelArguments"));
    assert!(has(Language::Ignition(3), "kernelArguments"));
    assert!(!has(Language::Ignition(6), "variant"));
    assert!(!has(butane("fcos", "1.2.0"), "boot_device"));
    assert!(has(butane("fcos", "1.3.0"), "boot_device"));
    assert!(has(butane("openshift", "4.8.0"), "boot_device"));
    assert!(!has(butane("flatcar", "1.1.0"), "boot_device"));
    assert!(has(butane("openshift", "4.14.0"), "grub"));
    assert!(!has(butane("fcos", "1.7.0"), "metadata"));
    assert_eq!(TARGETS.len(), 33);
    assert!(Target::find("fcos", "1.6").is_none());
}
