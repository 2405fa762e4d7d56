//! The `ostree=` kernel argument of an OSTree system: which deployment is the root, and where its
//! `/var` is. Written by ostree as `/ostree/boot.B/OS/CHECKSUM/SERIAL`, a link on the physical root
//! that leads to `/ostree/deploy/OS/deploy/…`.
//!
//! Whether there is such a deployment is not known here.

use crate::contract::karg;
use crate::kargs::Kargs;

/// An `ostree=` argument that names no deployment in the way known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`ostree={0}` is not of the form /ostree/boot.N/OS/CHECKSUM/N")]
pub struct BootLinkError(pub String);

/// The link to a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootLink {
    path: String,
    os: String,
}

impl BootLink {
    /// The link that `kargs` name; `None` for a system that is not booted by OSTree.
    pub fn of(kargs: &Kargs) -> Result<Option<Self>, BootLinkError> {
        kargs.last(karg::OSTREE).map(Self::parse).transpose()
    }

    fn parse(value: &str) -> Result<Self, BootLinkError> {
        let parts: Vec<&str> = value.split('/').filter(|part| !part.is_empty()).collect();
        let plain = |part: &&str| {
            part.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.+~".contains(&b))
                && !matches!(*part, "." | "..")
        };
        match parts.as_slice() {
            ["ostree", boot, os, _, _] if boot.starts_with("boot.") && parts.iter().all(plain) => {
                Ok(Self {
                    path: parts.join("/"),
                    os: (*os).to_owned(),
                })
            }
            _ => Err(BootLinkError(value.to_owned())),
        }
    }

    /// The link, relative to the top of the root file system.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What all deployments of this OS have as `/var`, relative to the top of the root file system.
    pub fn var(&self) -> String {
        format!("ostree/deploy/{}/var", self.os)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kargs: &str) -> Result<Option<BootLink>, BootLinkError> {
        BootLink::of(&Kargs::parse(kargs))
    }

    #[test]
    fn link_and_var_are_told_from_the_last_argument() {
        let link = of("ostree=/old quiet ostree=/ostree/boot.1/fedora-coreos/0a1b/0").unwrap();
        let link = link.unwrap();
        assert_eq!(link.path(), "ostree/boot.1/fedora-coreos/0a1b/0");
        assert_eq!(link.var(), "ostree/deploy/fedora-coreos/var");
        assert_eq!(of("root=LABEL=root ostree.x=1"), Ok(None));
    }

    #[test]
    fn what_is_no_link_to_a_deployment_is_refused() {
        for bad in [
            "",
            "true",
            "/ostree/boot.1/os/0a1b",
            "/ostree/boot.1/os/0a1b/0/etc",
            "/ostree/deploy/os/deploy/0",
            "/ostree/boot.1/../0a1b/0",
            "/ostree/boot.1/o%s/0a1b/0",
            "/sysroot/boot.1/os/0a1b/0",
        ] {
            let want = Err(BootLinkError(bad.to_owned()));
            assert_eq!(of(&format!("ostree={bad}")), want, "{bad}");
        }
    }
}
