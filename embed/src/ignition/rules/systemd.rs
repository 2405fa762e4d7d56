//! Units and drop-ins: names, contents, and whether enabling a unit does anything.
//! Options are not known; whether nodes are in a unit's place is in [`super::conflicts`].

use std::collections::HashMap;

use super::item::Item;
use super::{Report, codes};
use crate::finding::quote;
use crate::ignition::syntax::unit;

const SUFFIXES: [&str; 12] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "snapshot",
    "slice",
    "scope",
];

/// Whether a unit has an `[Install]` section; none if that cannot be told.
type Installs = Option<bool>;

pub(super) fn check(systemd: Item<'_>, report: &mut Report<'_>) {
    let mut installs = Vec::new();
    for unit in systemd.items("units") {
        let name = unit.text("name").unwrap_or_default();
        if !suffix(name).is_some_and(|suffix| SUFFIXES.contains(&suffix)) {
            let message = format!("unit name {} has no suffix of a unit", quote(name));
            report.error(codes::UNIT_SUFFIX, unit.at("name"), message);
            report.hint(format!("suffixes are {}", SUFFIXES.join(", ")));
        }
        installs.push((unit, name, contents(unit, report)));
        for dropin in unit.items("dropins") {
            let name = dropin.text("name").unwrap_or_default();
            if suffix(name) != Some("conf") {
                let message = format!("drop-in name {} does not end in `.conf`", quote(name));
                report.error(codes::DROPIN_SUFFIX, dropin.at("name"), message);
            }
            contents(dropin, report);
        }
    }
    let by_name: HashMap<_, _> = installs
        .iter()
        .map(|(_, name, has)| (*name, *has))
        .collect();
    for (unit, name, own) in installs {
        if unit.is_true("enabled") {
            check_enabled(unit, name, own, &by_name, report);
        }
    }
}

/// What follows the last dot of the last part of a path.
fn suffix(name: &str) -> Option<&str> {
    let last = name.rsplit('/').next()?;
    last.rsplit_once('.').map(|(_, suffix)| suffix)
}

/// Checks what a unit or drop-in holds, and tells whether `[Install]` is in it.
fn contents(item: Item<'_>, report: &mut Report<'_>) -> Installs {
    let contents = item.filled("contents")?;
    let at = item.at("contents");
    match unit::parse(contents) {
        Ok(file) => {
            if file.has_stray_text {
                let message = "unit has text before its first section, which is ignored";
                report.warning(codes::UNIT_STRAY_TEXT, at, message);
            }
            Some(file.sections.contains(&"Install"))
        }
        Err(error) => {
            let message = format!("unit cannot be parsed: {error}");
            report.error(codes::UNIT_MALFORMED, at, message);
            None
        }
    }
}

fn check_enabled(
    unit: Item<'_>,
    name: &str,
    own: Installs,
    by_name: &HashMap<&str, Installs>,
    report: &mut Report<'_>,
) {
    let at = unit.at("contents");
    if own == Some(false) {
        let message = format!(
            "unit {} is enabled, and has no [Install] section",
            quote(name)
        );
        report.warning(codes::UNIT_WITHOUT_INSTALL, at, message);
        report.hint("add `[Install]` with `WantedBy=multi-user.target`, or do not enable it");
    }
    let template = template(name);
    if let Some(template) = template
        && by_name.get(template.as_str()) == Some(&Some(false))
    {
        let (name, template) = (quote(name), quote(&template));
        let message =
            format!("unit {name} is enabled, and its template {template} has no [Install] section");
        report.warning(codes::TEMPLATE_WITHOUT_INSTALL, at, message);
    }
}

/// The template of an instance: `a@.service` of `a@b.service`.
fn template(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".service")?;
    // The instance begins after the first `@` that has something before it.
    let at = stem.char_indices().skip(1).find(|(_, char)| *char == '@');
    let (name, instance) = stem.split_at_checked(at?.0)?;
    (instance.len() > 1).then(|| format!("{name}@.service"))
}
