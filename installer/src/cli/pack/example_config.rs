//! `pack example-config`: every key of an `install` config file with what it means, made from the
//! definition of the command. Values stand for what belongs there.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

/// Options that are no keys of config files.
const NOT_KEYS: [&str; 5] = [
    "config-file",
    "firstboot-args",
    "dry-run",
    "progress",
    "help",
];

/// The file.
pub(super) fn text(cli: &Command) -> String {
    let mut text = String::new();
    let install = cli.find_subcommand("install");
    for arg in install.iter().flat_map(|install| install.get_arguments()) {
        let key = key(arg);
        if NOT_KEYS.contains(&key.as_str()) {
            continue;
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.trim_end_matches(" [repeatable]");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {help}\n{key}: {}", value(arg));
    }
    text
}

fn key(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => long.to_owned(),
        None => arg.get_id().as_str().replace('_', "-"),
    }
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let name = names.first().map_or("VALUE", |name| name.as_str());
    match arg.get_action() {
        ArgAction::SetTrue => "true".to_owned(),
        ArgAction::Append => format!("[{name}]"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use crate::plan::Options;
    use clap::CommandFactory as _;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// A line of the example as a config file of its own.
    fn refusal(line: &str) -> Option<String> {
        let parsed = Options::from_config(line.as_bytes(), Path::new("x.yaml"));
        parsed.err().map(|error| error.to_string())
    }

    #[test]
    fn the_example_has_every_key_and_no_other() {
        let text = text(&Cli::command());
        let lines = || text.lines().filter(|line| !line.starts_with('#'));
        for line in lines() {
            // Placeholders are refused by what they stand for, keys are not.
            let refusal = refusal(line).unwrap_or_default();
            assert!(!refusal.contains("unknown field"), "{line}: {refusal}");
        }
        let keys: BTreeSet<&str> = lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(keys.len(), lines().count(), "a key is there twice");
        for (key, line) in [
            ("stream", "stream: NAME"),
            ("insecure", "insecure: true"),
            ("append-karg", "append-karg: [ARG]"),
            ("ignition-file", "ignition-file: [PATH]"),
            ("dest-device", "dest-device: DEST_DEVICE"),
        ] {
            assert!(
                keys.contains(key) && lines().any(|other| other == line),
                "{line}"
            );
        }
        assert!(
            text.starts_with(
                "# Fetch the image of this stream, for example `next`\nstream: NAME\n"
            )
        );
        for key in NOT_KEYS {
            let refusal = refusal(&format!("{key}: x")).unwrap_or_default();
            assert!(refusal.contains("unknown field"), "{key}: {refusal}");
        }
    }
}
