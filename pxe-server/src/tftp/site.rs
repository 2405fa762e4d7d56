//! What names mean to the TFTP side of a site: boot programs and generated scripts, and for GRUB
//! `assets/[RELEASE/]FILE` or `media/…`, `machines/MAC/grub.cfg?FACTS` and `machines/MAC/config.img?ticket=TICKET`, as HTTP
//! has them. Nothing in a query is decoded: GRUB encodes nothing.

use std::net::Ipv4Addr;

use crate::boot::{BootFile, CONFIG_INITRD, HttpPorts, Servers, autoexec_script, grub};
use crate::mac::MacAddr;
use crate::machine::{Event, Facts, Observer, Ticket, Via};
use crate::matchbox::labels;
use crate::provision::{ProvisionError, Provisioner};
use crate::site::FirstStages;
use crate::tftp::{Asker, Content, FileSource, OpenError, Opened, Opening};

/// The files of a site.
#[derive(Debug)]
pub struct BootFiles {
    /// Boot programs.
    pub first_stages: FirstStages,
    /// Who decides what machines get; nobody where there is no site.
    pub provisioner: Option<Provisioner>,
    /// Our address as clients shall use it, when not that of the interface.
    pub advertise: Option<Ipv4Addr>,
    /// Ports of our HTTP server.
    pub ports: HttpPorts,
    /// Where events go.
    pub observer: Observer,
}

/// A name that GRUB asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    Asset(Option<&'a str>, &'a str),
    Script(MacAddr, &'a str),
    ConfigInitrd(MacAddr, Option<Ticket>),
}

impl<'a> Asked<'a> {
    /// `None` for every other name.
    fn parse(name: &'a str) -> Option<Self> {
        let name = name.trim_start_matches('/');
        let (path, query) = name.split_once('?').unwrap_or((name, ""));
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["assets" | "media", file] => Some(Self::Asset(None, file)),
            ["assets" | "media", release, file] => Some(Self::Asset(Some(release), file)),
            ["machines", mac, grub::CONFIG] => Some(Self::Script(mac.parse().ok()?, query)),
            ["machines", mac, CONFIG_INITRD] => {
                let ticket = query.strip_prefix("ticket=");
                let ticket = ticket.and_then(|ticket| ticket.parse().ok());
                Some(Self::ConfigInitrd(mac.parse().ok()?, ticket))
            }
            _ => None,
        }
    }
}

impl BootFiles {
    fn servers(&self, asker: Asker) -> Servers {
        let address = self.advertise.unwrap_or(asker.local);
        let first_stage = self.first_stages.get();
        first_stage.servers(self.ports.at(address, first_stage.schemes))
    }

    async fn find(&self, name: &str, asker: Asker) -> Result<Opened, OpenError> {
        let asset = self.provisioner.as_ref().and_then(|provisioner| {
            let path = name.trim_start_matches('/').strip_prefix("assets/")?;
            provisioner.matchbox_asset(path)
        });
        if let Some(path) = asset {
            let content = Content::open(&path)?;
            return Ok(Opened {
                content,
                note: None,
            });
        }
        if let (Some(asked), Some(provisioner)) = (Asked::parse(name), &self.provisioner) {
            let content = self.for_grub(asked, provisioner, asker).await?;
            return Ok(Opened {
                content,
                note: None,
            });
        }
        self.boot_file(name, asker)
    }

    async fn for_grub(
        &self,
        asked: Asked<'_>,
        provisioner: &Provisioner,
        asker: Asker,
    ) -> Result<Content, OpenError> {
        match asked {
            Asked::Asset(release, file) => {
                let path = provisioner.asset(release, file);
                Content::open(&path.ok_or(OpenError::NotFound)?)
            }
            Asked::Script(mac, query) => {
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                let mut facts = Facts::of_query(pairs.clone());
                facts.address = facts.address.or(Some(asker.peer));
                let said = std::iter::once(("mac", mac.to_string()))
                    .chain(pairs.map(|(name, value)| (name, value.to_owned())));
                let said: Vec<_> = said.map(|(name, value)| (name.to_owned(), value)).collect();
                let given = provisioner
                    .given(mac, facts, labels(&said), asker.peer)
                    .await?;
                let script = given.to_grub(mac, &self.servers(asker));
                let script = script.map_err(ProvisionError::from)?;
                Ok(Content::Bytes(script.into_bytes()))
            }
            Asked::ConfigInitrd(mac, ticket) => {
                let bytes = provisioner.config_initrd(mac, ticket, asker.peer).await?;
                Ok(Content::Bytes(bytes))
            }
        }
    }

    fn boot_file(&self, name: &str, asker: Asker) -> Result<Opened, OpenError> {
        let first_stage = self.first_stages.get();
        let resolved = first_stage.programs.resolve(name);
        let (mac, file) = resolved.ok_or(OpenError::NotFound)?;
        let made = |text: String| Opened {
            content: Content::Bytes(text.into_bytes()),
            note: None,
        };
        let path = match file {
            BootFile::Autoexec => return Ok(made(autoexec_script(&self.servers(asker)))),
            BootFile::GrubConfig => {
                return Ok(made(grub::first_script(&self.servers(asker))));
            }
            BootFile::Program(path) => path,
        };
        let content = Content::open(&path)?;
        let name = path.file_name().unwrap_or_default();
        let served = Event::NbpServed {
            file: name.to_string_lossy().into_owned(),
            bytes: content.size(),
            via: Via::Tftp,
        };
        Ok(Opened {
            content,
            note: mac.map(|mac| (mac, served)),
        })
    }
}

impl FileSource for BootFiles {
    fn open<'a>(&'a self, name: &'a str, asker: Asker) -> Opening<'a> {
        Box::pin(self.find(name, asker))
    }

    fn arrived(&self, mac: MacAddr, event: Event) {
        self.observer.note(mac, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_grub_asks_for_are_told_from_all_others() {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        assert_eq!(
            Asked::parse("assets/vmlinuz?mac=1"),
            Some(Asked::Asset(None, "vmlinuz"))
        );
        assert_eq!(
            Asked::parse("assets/42.1/vmlinuz"),
            Some(Asked::Asset(Some("42.1"), "vmlinuz"))
        );
        assert_eq!(
            Asked::parse("/machines/02:00:00:00:00:01/grub.cfg?serial=a/b c&asset="),
            Some(Asked::Script(mac, "serial=a/b c&asset="))
        );
        let ticket = Ticket([0xab; 16]);
        assert_eq!(
            Asked::parse(&format!(
                "/machines/02-00-00-00-00-01/config.img?ticket={ticket}"
            )),
            Some(Asked::ConfigInitrd(mac, Some(ticket)))
        );
        assert_eq!(
            Asked::parse("machines/02-00-00-00-00-01/config.img?ticket=x"),
            Some(Asked::ConfigInitrd(mac, None))
        );
        for name in [
            "",
            "assets",
            "assets/a/b/c",
            "machines/x/grub.cfg",
            "machines/02-00-00-00-00-01/ignition",
            "machines/02-00-00-00-00-01/a/grub.cfg",
        ] {
            assert_eq!(Asked::parse(name), None, "{name}");
        }
    }
}
