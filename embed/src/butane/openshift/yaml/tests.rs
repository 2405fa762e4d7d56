//! The layout of a whole MachineConfig, and that every text is read back as it was.
//!
//! Read back by the reader of Butane configs, which was not written for this writer.

use crate::butane::openshift::MachineConfig;
use crate::butane::sugar::tests::convert;
use crate::tree::raw::{RawEntry, RawNode, RawValue, Scalar};
use crate::tree::{Sources, yaml};

const BODY: &str = "
metadata: {name: x, labels: {machineconfiguration.openshift.io/role: worker}}
openshift:
  kernel_arguments: [quiet, 'a=b c']
  extensions: [usbguard]
  fips: true
  kernel_type: realtime
storage:
  files:
    - {path: /etc/a, mode: 0644, contents: {inline: hello}}
systemd:
  units:
    - name: a.service
      enabled: true
      contents: |
        [Unit]

        [Service]
        ExecStart=/bin/true # x: y
    - {name: b.service, contents: \"[Unit]\\nDescription=no\", dropins: []}
";

const EXPECTED: &str = "\
# Generated from a Butane config; changes here will be lost
apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfig
metadata:
  labels:
    machineconfiguration.openshift.io/role: worker
  name: x
spec:
  config:
    ignition:
      version: \"3.4.0\"
    storage:
      files:
        - contents:
            compression: \"\"
            source: data:,hello
          mode: 420
          path: /etc/a
    systemd:
      units:
        - contents: |
            [Unit]

            [Service]
            ExecStart=/bin/true # x: y
          enabled: true
          name: a.service
        - contents: |-
            [Unit]
            Description=no
          name: b.service
  extensions:
    - usbguard
  fips: true
  kernelArguments:
    - quiet
    - a=b c
  kernelType: realtime
";

/// Texts with which a careless writer would go wrong.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a ",
    " a",
    "yes",
    "No",
    "null",
    "~",
    "0644",
    "1e3",
    "1.5",
    "-",
    "- a",
    "a: b",
    "a:",
    "a #b",
    "#",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "`a`",
    "{a}",
    "[a]",
    "a, b",
    "'a'",
    "\"a\"",
    "\\",
    "a\nb",
    "a\nb\n",
    "a\n\nb\n",
    "\na",
    " a\nb",
    "a\nb\n\n",
    "a\n \nb",
    "a\tb\nc",
    "\ta\nb",
    "a\r\nb",
    "\u{0}",
    "\u{7f}",
    "\u{85}a\nb",
    "\u{2028}\nb",
    "\u{feff}a\nb",
    "\u{e9}\nb",
    "\u{1f600}\nb",
    "---",
    "...",
    "---\na",
    "true",
    "y",
    "=",
    "<<",
    "a\n---\nb",
    "?",
    "? a",
];

#[test]
fn a_machine_config_is_yaml_with_sorted_keys() {
    let outcome = convert("openshift 4.14.0", BODY);
    assert_eq!(outcome.findings, [] as [&str; 0]);
    assert_eq!(outcome.machine.as_deref(), Some(EXPECTED));
}

fn entries(node: &RawNode) -> &[RawEntry] {
    match &node.value {
        RawValue::Map(entries) => entries,
        _ => &[],
    }
}

fn field<'a>(node: &'a RawNode, name: &str) -> &'a RawNode {
    let entry = entries(node).iter().find(|entry| entry.key == name);
    &entry.unwrap().value
}

/// What a YAML reader sees of a text that was written as a name, a label and a list item.
fn read_back(text: &str) -> [String; 4] {
    let machine = MachineConfig {
        name: text.to_owned(),
        labels: [(text.to_owned(), text.to_owned())].into(),
        extensions: vec![text.to_owned()],
        ..MachineConfig::default()
    };
    let config = crate::tree::node::Node::object(Default::default(), Default::default());
    let written = machine.to_yaml(&config);
    let mut sources = Sources::new();
    let source = sources.add("out", written.as_str()).unwrap();
    let root = yaml::read(source, &written).unwrap_or_else(|e| panic!("{e:?}\n{written}"));
    let metadata = field(&root, "metadata");
    let label = &entries(field(metadata, "labels"))[0];
    let RawValue::List(extensions) = &field(field(&root, "spec"), "extensions").value else {
        panic!("{written}");
    };
    let text = |node: &RawNode| match &node.value {
        RawValue::Scalar(Scalar::Text(text) | Scalar::Plain(text)) => text.clone(),
        other => panic!("{other:?}\n{written}"),
    };
    [
        text(field(metadata, "name")),
        label.key.clone(),
        text(&label.value),
        text(&extensions[0]),
    ]
}

#[test]
fn texts_that_look_like_something_else_are_quoted() {
    for text in TEXTS {
        assert_eq!(read_back(text), [*text; 4].map(str::to_owned), "{text:?}");
    }
}

#[test]
fn long_keys_are_marked_as_keys() {
    for text in [
        "a".repeat(5000),
        "\u{7}".repeat(101),
        "a ".repeat(600) + "b",
    ] {
        assert_eq!(read_back(&text), [(); 4].map(|()| text.clone()));
    }
}

proptest::proptest! {
    #[test]
    fn every_text_is_read_back_as_it_was(text in "\\PC{0,20}|[ -~\n\t]{0,30}|(?s).{0,12}") {
        let expected = [text.as_str(); 4].map(str::to_owned);
        proptest::prop_assert_eq!(read_back(&text), expected);
    }
}
