//! Network arguments of the first boot only: a variable in the stamp file that GRUB sources.

use std::fmt;
use std::str::FromStr;

use embed::contract::boot;

use super::FirstBootError;
use super::root::BootRoot;

/// Kernel arguments for the first boot, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstbootArgs(String);

/// Why first-boot arguments were refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirstbootArgsError {
    /// They would end the GRUB line.
    #[error("first-boot arguments hold a line break or another control character")]
    Control,
}

impl FirstbootArgs {
    /// Appends the GRUB line to the stamp, which the image must have.
    pub(super) fn append_to_stamp(&self, root: &BootRoot) -> Result<(), FirstBootError> {
        let mut text = root.require_text(boot::FIRSTBOOT)?;
        text.push_str(&self.grub_line());
        root.replace(boot::FIRSTBOOT, text.as_bytes())
    }

    fn grub_line(&self) -> String {
        // Inside GRUB's double quotes these three are special.
        let mut quoted = String::new();
        for c in self.0.chars() {
            if matches!(c, '"' | '\\' | '$') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        format!("set ignition_network_kcmdline=\"{quoted}\"\n")
    }
}

impl FromStr for FirstbootArgs {
    type Err = FirstbootArgsError;

    fn from_str(text: &str) -> Result<Self, FirstbootArgsError> {
        if text.chars().any(char::is_control) {
            return Err(FirstbootArgsError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FirstbootArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_cannot_leave_their_quotes() {
        let args: FirstbootArgs = r#"ip=dhcp x="$y\z""#.parse().unwrap();
        assert_eq!(
            args.grub_line(),
            "set ignition_network_kcmdline=\"ip=dhcp x=\\\"\\$y\\\\z\\\"\"\n"
        );
        assert_eq!(
            "a\nset root=x".parse::<FirstbootArgs>(),
            Err(FirstbootArgsError::Control)
        );
    }
}
