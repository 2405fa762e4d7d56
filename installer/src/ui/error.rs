//! The form of an error: what, why, how to fix.
//!
//! ```text
//! error: cannot install to /dev/sda; nothing was written to it
//! cause: /dev/sda is in use: /dev/sda2 is mounted on /var
//! hint:  unmount it, or choose another disk
//! ```

use std::fmt::Write as _;

use crate::install::{DiskState, InstallError};

use super::hints;

/// The lines, each ended.
pub(super) fn render(error: &anyhow::Error) -> String {
    let mut parts = Vec::new();
    for cause in error.chain() {
        let text = with_details(cause);
        // A transparent variant shows its source's own text.
        if parts.last() != Some(&text) {
            parts.push(text);
        }
    }
    let mut parts = parts.into_iter();
    let mut out = format!("error: {}\n", parts.next().unwrap_or_default());
    let causes: Vec<String> = parts.collect();
    // Writing to a String cannot fail.
    if !causes.is_empty() {
        let _ = writeln!(out, "cause: {}", causes.join(": "));
    }
    if let Some(hint) = hints::hint(error) {
        let _ = writeln!(out, "hint:  {hint}");
    }
    out
}

/// An error's own text, and what else is known about it at this point.
fn with_details(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(InstallError { state, .. }) = error.downcast_ref() {
        return format!("{error}; {}", describe(*state));
    }
    error.to_string()
}

fn describe(state: DiskState) -> String {
    match state {
        DiskState::Untouched => "nothing was written to it".to_owned(),
        DiskState::Unbootable { saved: 0 } => "it does not boot and holds no partitions".to_owned(),
        DiskState::Unbootable { saved } => {
            format!("it does not boot and holds only the kept partitions ({saved})")
        }
        DiskState::Preserved => "it is left as it was at the failure, and does not boot".to_owned(),
        DiskState::Unknown => "its partition table could not be restored either".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::plan::PlanError;

    #[test]
    fn causes_share_a_line_and_repeat_nothing() {
        let error = anyhow!("disk full")
            .context("writing x")
            .context("writing x")
            .context("saving");
        assert_eq!(
            render(&error),
            "error: saving\ncause: writing x: disk full\n"
        );
    }

    #[test]
    fn a_hint_follows_where_one_is_known() {
        let error = anyhow::Error::from(PlanError::NoTarget);
        assert_eq!(
            render(&error),
            "error: no destination device is given\n\
             hint:  name it as `dest-device` in a config file, or on the command line\n"
        );
    }
}
