//! What a machine is given now: the decision behind every script, and the config that belongs to
//! it, whichever protocol asks. A ticket is durable before a script that carries it is returned.
//!
//! How scripts are written is `boot`; who asks is `http` (iPXE) and `tftp` (GRUB).

mod given;
mod issued;
mod shared;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use embed::contract::initrd::CONFIG;
use embed::customize::Customization;
use embed::ignition::Config;
use embed::initrd::Archive;

use crate::boot::{CommandLineTooLong, config_version};
use crate::mac::MacAddr;
use crate::machine::{
    Answer, Event, Facts, Gate, Matched, Registry, RegistryError, State, Terms, Ticket, TicketState,
};
use crate::matchbox::Labels;
use crate::site::{Assignment, CurrentSite, Proof, ReadyConfig, Site, UnknownMachines};

pub use given::{Given, Install};
pub use shared::Shared;

/// Why a machine is given nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// It has no config.
    #[error("no group of this site matches {0}")]
    Unmatched(MacAddr),
    /// Its config, or the initrd of it, cannot be made; the log says why.
    #[error("this machine's config cannot be made; the server's log says why")]
    Config,
    /// The config that was asked for is not the machine's any more, and is not kept.
    #[error("the config of {0} has changed since the script that names this version")]
    Version(MacAddr),
    /// Who asks does not show to be the machine.
    #[error(
        "the link does not know {mac} by the address {peer}, as `proof: link` in its profile demands"
    )]
    Unproven {
        /// The machine that was named.
        mac: MacAddr,
        /// Who asks.
        peer: Ipv4Addr,
    },
    /// The config is for the holder of another ticket.
    #[error("the ticket is not this machine's current one")]
    Ticket,
    /// The machine's state changed while the answer was made.
    #[error("a new install was allowed this very moment; ask again")]
    Moment,
    /// The server is going down.
    #[error("the server is going down")]
    Stopping,
    /// The arguments of its kernel are too long.
    #[error(transparent)]
    CommandLine(#[from] CommandLineTooLong),
    /// The decision could not be taken.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Decides for the machines of a site.
#[derive(Clone, Debug)]
pub struct Provisioner {
    site: CurrentSite,
    registry: Registry,
    shared: Shared,
}

impl Provisioner {
    /// For the machines that `registry` knows and `site` selects; what scripts name is kept in
    /// `shared`.
    pub fn new(site: CurrentSite, registry: Registry, shared: Shared) -> Self {
        Self {
            site,
            registry,
            shared,
        }
    }

    /// What `mac`, which has just said `facts` of itself, asking from `peer`, is to do. `labels` are
    /// what it said as matchbox reads it. Who should be proven and is not waits for an install, and
    /// nothing of what it said is kept.
    pub async fn given(
        &self,
        mac: MacAddr,
        facts: Facts,
        labels: Labels,
        peer: Ipv4Addr,
    ) -> Result<Given, ProvisionError> {
        let mut subject = self.registry.subject(mac);
        subject.facts.update(&facts);
        let site = self.site.get();
        let assignment = site.assign(&subject);
        let matched = assignment.map(|assignment| Matched {
            group: assignment.group.map(str::to_owned),
            profile: assignment.profile.name.clone(),
        });
        // Before a ticket is issued: a machine without a usable config is not begun with. One that
        // is installed boots its disk whatever has become of its config.
        let machine = self.registry.machine(mac);
        let begins = machine.is_none_or(|machine| machine.may_install());
        let proof = assignment.and_then(|assignment| assignment.profile.proof);
        if begins && let Err(unproven) = self.proven(proof, mac, peer) {
            tracing::warn!("no install: {unproven}");
            return Ok(Given::Waits(
                "the server's link does not know it by its address",
            ));
        }
        let ready = match assignment.filter(|_| begins) {
            Some(assignment) => Some(issued::make(&site, &assignment, &subject).await?),
            None => None,
        };
        let terms = assignment.map(|assignment| Terms {
            intent: site.intent(&assignment.profile.name),
            policy: assignment.profile.rollout.clone(),
        });
        let answer = match self.registry.script(mac, matched, terms, facts).await {
            // Not a failure, after which a machine gives up and boots whatever its disk holds.
            Err(RegistryError::Unavailable) => {
                tracing::warn!(%mac, "no install: the state cannot be written");
                return Ok(Given::Waits("the server cannot write its state"));
            }
            answer => answer?,
        };
        tracing::info!(%mac, script = ?answer.script(), "script served");
        Ok(match answer {
            Answer::Install(ticket) => {
                let (Assignment { profile, .. }, ready) =
                    assignment.zip(ready).ok_or(ProvisionError::Moment)?;
                let config = site.delivery(profile).of(ready.sha512);
                let profile = profile.clone();
                self.shared.issued.keep(mac, (ready, profile.proof));
                Given::Install(Box::new(Install {
                    site: site.clone(),
                    profile,
                    config,
                    ticket,
                }))
            }
            Answer::Unassigned => unassigned(&site, mac, &labels)?,
            Answer::Held(State::Failed) => Given::Held("its last install failed"),
            Answer::Held(_) => Given::Held("an install was begun and has not ended"),
            Answer::Waits(gate) => Given::Waits(why_waiting(gate)),
            Answer::Disk => Given::Disk("this machine is installed"),
        })
    }

    /// The config that a machine is to get now: the very one whose digest its script named, while
    /// it is about to install, even if the site has changed since. Who asks for a `version` gets
    /// that or none: the digest beside its URL is of that one.
    pub async fn config(
        &self,
        mac: MacAddr,
        version: Option<&str>,
        peer: Ipv4Addr,
    ) -> Result<Arc<ReadyConfig>, ProvisionError> {
        let installs = matches!(
            self.registry.state(mac),
            Some(State::Booting | State::Live | State::Installing)
        );
        let is_it = |ready: &Arc<ReadyConfig>| {
            version.is_none_or(|version| version == config_version(ready.sha512))
        };
        let issued = self.shared.issued.of(mac).filter(|_| installs);
        if let Some((issued, proof)) = issued.filter(|(issued, _)| is_it(issued)) {
            self.proven(proof, mac, peer)?;
            return Ok(issued);
        }
        let (site, subject) = (self.site.get(), self.registry.subject(mac));
        let assignment = site
            .assign(&subject)
            .ok_or(ProvisionError::Unmatched(mac))?;
        self.proven(assignment.profile.proof, mac, peer)?;
        let ready = issued::make(&site, &assignment, &subject).await?;
        match is_it(&ready) {
            true => Ok(ready),
            false => Err(ProvisionError::Version(mac)),
        }
    }

    /// An initrd with the config for the system that is installed, for a machine whose ticket is
    /// not used yet.
    pub async fn config_initrd(
        &self,
        mac: MacAddr,
        ticket: Option<Ticket>,
        peer: Ipv4Addr,
    ) -> Result<Vec<u8>, ProvisionError> {
        let current = self.registry.machine(mac).map(|machine| machine.ticket);
        if !matches!((&current, ticket), (Some(TicketState::Issued { ticket }), Some(given)) if *ticket == given)
        {
            return Err(ProvisionError::Ticket);
        }
        let ready = self.config(mac, None, peer).await?;
        let bytes = archive(&ready.config).map_err(|error| {
            tracing::error!(%mac, error = &*error, "no initrd for a machine");
            ProvisionError::Config
        })?;
        self.served(mac, &ready);
        Ok(bytes)
    }

    fn proven(
        &self,
        proof: Option<Proof>,
        mac: MacAddr,
        peer: Ipv4Addr,
    ) -> Result<(), ProvisionError> {
        match self.shared.is_proven(proof, mac, peer) {
            true => Ok(()),
            false => Err(ProvisionError::Unproven { mac, peer }),
        }
    }

    /// The media's file of this name, or that of a mirrored build.
    pub fn asset(&self, release: Option<&str>, file: &str) -> Option<PathBuf> {
        let asset = self.site.get().asset(release, file)?;
        Some(asset.path)
    }

    /// The file at `path` among the assets of the matchbox data, if there is one.
    pub fn matchbox_asset(&self, path: &str) -> Option<PathBuf> {
        let file = self.site.get().matchbox.as_ref()?.asset(path.as_ref())?;
        file.is_file().then_some(file)
    }

    /// Takes note that a machine was given its config.
    pub fn served(&self, mac: MacAddr, ready: &ReadyConfig) {
        let sha512 = ready.sha512;
        let observer = self.registry.observer();
        observer.note(mac, Event::ConfigServed { sha512 });
        tracing::debug!(%mac, "config served");
    }
}

/// What a machine is given that no group of the site matches.
fn unassigned(site: &Arc<Site>, mac: MacAddr, labels: &Labels) -> Result<Given, ProvisionError> {
    if let Some((library, group)) = site.matchbox_group(labels) {
        let profile = library.profiles.get(&group.profile);
        let profile = profile.ok_or(ProvisionError::Config)?;
        tracing::info!(%mac, group = group.id, profile = profile.id, "served as matchbox would");
        return Ok(Given::Matchbox(profile.boot.clone()));
    }
    Ok(match site.unknown_machines {
        UnknownMachines::Hold => Given::Unclaimed,
        UnknownMachines::Discover => Given::Discover(site.clone()),
        UnknownMachines::BootDisk | UnknownMachines::Ignore => {
            Given::Disk("no group of this site matches this machine")
        }
    })
}

/// Why a machine is not installed now.
fn why_waiting(gate: Gate) -> &'static str {
    match gate {
        Gate::Full | Gate::Open => "other machines are installed first",
        Gate::Paused => "the rollout of its profile is paused",
        Gate::Halted => "the rollout of its profile is halted",
    }
}

/// The initrd: a config of the live system that brings the one for the installed system along.
fn archive(config: &Config) -> Result<Vec<u8>, Box<dyn std::error::Error + 'static>> {
    let customization = Customization {
        dest: vec![config.clone()],
        ..Customization::default()
    };
    let live = customization.live_config()?.unwrap_or_default();
    let mut archive = Archive::default();
    archive.insert(CONFIG, live)?;
    Ok(archive.to_cpio()?)
}
