//! The form of an error: what, why, how to fix.
//!
//! ```text
//! error: cannot install to /dev/sda: the disk was not touched
//! cause: /dev/sda is in use: /dev/sda2 is mounted on /var
//! hint:  unmount it, or choose another disk
//! ```

use std::error::Error;
use std::fmt::Write as _;

use crate::disk::TargetError;
use crate::install::InstallCause;
use crate::pipeline::ImageError;
use crate::seal::SealError;

use super::hints;

/// The lines, each ended.
pub(super) fn render(error: &anyhow::Error) -> String {
    let mut parts = Vec::new();
    for cause in error.chain().filter(|cause| !is_layer(*cause)) {
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
fn with_details(error: &(dyn Error + 'static)) -> String {
    let Some(TargetError::Busy { uses, .. }) = error.downcast_ref() else {
        return error.to_string();
    };
    let uses: Vec<String> = uses.iter().map(ToString::to_string).collect();
    format!("{error}: {}", uses.join(", "))
}

/// Whether an error only says through which layer its cause came; users are spared these.
fn is_layer(error: &(dyn Error + 'static)) -> bool {
    let install = error
        .downcast_ref()
        .is_some_and(|cause| !matches!(cause, InstallCause::Cancelled(_)));
    let seal = matches!(error.downcast_ref(), Some(SealError::Image(_)));
    let image = matches!(
        error.downcast_ref(),
        Some(ImageError::Source(_) | ImageError::Verify(_))
    );
    install || seal || image
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::disk::Use;
    use crate::install::{DiskState, InstallError};
    use crate::plan::PlanError;
    use crate::verify::VerifyError;

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
    fn layers_of_an_install_are_left_out() {
        let bad = VerifyError::BadSignature {
            name: "i.raw".into(),
            key: "41D0".into(),
            bytes: 9,
        };
        let error = InstallError {
            device: "/dev/sda".into(),
            state: DiskState::Unbootable { saved: 0 },
            source: InstallCause::Seal(SealError::Image(ImageError::Verify(bad))),
        };
        assert_eq!(
            render(&error.into()),
            "error: cannot install to /dev/sda: the disk was left empty and unbootable\n\
             cause: the signature by key 41D0 does not match the 9 bytes read from i.raw\n\
             hint:  fetch the image and its `.sig` again, from the same place\n"
        );
    }

    #[test]
    fn a_busy_disk_says_by_what() {
        let uses = vec![Use::Swap {
            device: "/dev/sda2".into(),
        }];
        let busy = TargetError::Busy {
            device: "/dev/sda".into(),
            uses,
        };
        let error = InstallError {
            device: "/dev/sda".into(),
            state: DiskState::Untouched,
            source: InstallCause::Target(busy),
        };
        assert_eq!(
            render(&error.into()),
            "error: cannot install to /dev/sda: the disk was not touched\n\
             cause: /dev/sda is in use: /dev/sda2 is used as swap\n\
             hint:  unmount or stop what uses it, or choose another disk\n"
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
