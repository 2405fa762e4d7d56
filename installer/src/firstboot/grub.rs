//! The block of console commands in GRUB's configuration, between its two marker comments.

use super::FirstBootError;
use super::root::BootRoot;

const FILES: [&str; 2] = ["grub2/console.cfg", "grub2/grub.cfg"];
const START: &str = "# CONSOLE-SETTINGS-START";
const END: &str = "# CONSOLE-SETTINGS-END";

/// Replaces what is between the markers by `commands`, one a line.
pub(super) fn write_console_block(
    root: &BootRoot,
    commands: &[String],
) -> Result<(), FirstBootError> {
    let [console, grub] = FILES;
    let (rel, text) = match root.read_text(console)? {
        Some(text) => (console, text),
        None => (grub, root.require_text(grub)?),
    };
    let edited = replace_block(&text, commands).ok_or_else(|| FirstBootError::NoConsoleBlock {
        path: root.show(rel),
    })?;
    root.replace(rel, edited.as_bytes())
}

fn replace_block(text: &str, commands: &[String]) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n');
    loop {
        let line = lines.next()?;
        out.push_str(line);
        if line.trim() == START {
            break;
        }
    }
    if !out.ends_with('\n') {
        return None;
    }
    for command in commands {
        out.push_str(command);
        out.push('\n');
    }
    let end = lines.find(|line| line.trim() == END)?;
    out.push_str(end);
    out.extend(lines);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_block_changes() {
        let text = "a\n# CONSOLE-SETTINGS-START\nold\n# CONSOLE-SETTINGS-END\nb";
        let edited = replace_block(text, &["x".into(), "y".into()]).unwrap();
        assert_eq!(
            edited,
            "a\n# CONSOLE-SETTINGS-START\nx\ny\n# CONSOLE-SETTINGS-END\nb"
        );
        assert_eq!(
            replace_block(text, &[]).unwrap(),
            "a\n# CONSOLE-SETTINGS-START\n# CONSOLE-SETTINGS-END\nb"
        );
    }

    #[test]
    fn a_missing_or_lone_marker_is_refused() {
        for text in [
            "",
            "a\n",
            "# CONSOLE-SETTINGS-START\n",
            "# CONSOLE-SETTINGS-END\n",
            "# CONSOLE-SETTINGS-START",
            "# CONSOLE-SETTINGS-END\n# CONSOLE-SETTINGS-START\n",
        ] {
            assert_eq!(replace_block(text, &[]), None, "{text:?}");
        }
    }
}
