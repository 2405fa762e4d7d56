//! Why a machine gets what it gets: every group with the first condition that it does not fulfil,
//! the group that was chosen and why, and what follows from it.

use std::fmt;

use serde::Serialize;

use super::selector::{Known, Selector, Specificity};
use super::{Assignment, FromMatchbox, Site};
use crate::mac::MacAddr;
use crate::machine::{Facts, Subject};

/// What came of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is the one.
    Chosen,
    /// It matches, and another describes the machine more closely.
    Matches,
    /// A condition does not hold.
    Fails,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GroupVerdict {
    /// Its name.
    pub group: String,
    /// What came of it.
    pub verdict: Verdict,
    /// The first condition that does not hold, with what is known of the machine.
    pub reason: Option<String>,
}

/// What follows from the chosen group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Chosen {
    /// The group; none if the operator chose the profile.
    pub group: Option<String>,
    /// Why this one.
    pub because: String,
    /// Its profile.
    pub profile: String,
    /// Where that installs.
    pub device: String,
    /// The file of the config.
    pub config: String,
    /// Digest of the config's bytes; none if there is no config.
    pub sha512: Option<String>,
    /// Why there is no config.
    pub error: Option<String>,
}

/// Why a machine gets what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The machine.
    pub mac: MacAddr,
    /// What is known of it.
    pub machine: Facts,
    /// What it gets; none: no group of the site matches.
    pub chosen: Option<Chosen>,
    /// What it gets instead of the matchbox data; neither: its disk is booted.
    pub matchbox: Option<FromMatchbox>,
    /// All groups: the chosen one, those that match, and the rest, each by name.
    pub groups: Vec<GroupVerdict>,
}

impl Site {
    /// Explains what `subject` gets.
    pub fn explain(&self, subject: &Subject) -> Explanation {
        let mac = subject.mac.to_string();
        let known = Known { mac: &mac, subject };
        let assignment = self.assign(subject);
        let chosen = assignment.and_then(|assignment| assignment.group);
        let verdict = |name: &String, selector: &Selector| {
            let failing = selector.first_failing(&known);
            let verdict = match failing {
                Some(_) => Verdict::Fails,
                None if chosen == Some(name.as_str()) => Verdict::Chosen,
                None => Verdict::Matches,
            };
            let reason = failing.map(|condition| match condition.field.of(&known) {
                Some(value) => format!("{condition}: this machine has {value}"),
                None => format!("{condition}: not known of this machine"),
            });
            GroupVerdict {
                group: name.clone(),
                verdict,
                reason,
            }
        };
        let groups = self.groups.iter();
        let mut groups: Vec<GroupVerdict> = groups
            .map(|(name, group)| verdict(name, &group.selector))
            .collect();
        groups.sort_by_key(|group| group.verdict);
        let chosen = assignment.map(|assignment| {
            let others = groups
                .iter()
                .filter(|group| group.verdict == Verdict::Matches);
            let others: Vec<&str> = others.map(|group| group.group.as_str()).collect();
            self.chosen(&assignment, &known, &others)
        });
        let machine = subject.facts.clone();
        let others = chosen.is_none().then(|| self.matchbox_offer(subject));
        Explanation {
            matchbox: others.flatten(),
            mac: subject.mac,
            machine,
            chosen,
            groups,
        }
    }

    fn chosen(&self, assignment: &Assignment<'_>, known: &Known<'_>, others: &[&str]) -> Chosen {
        let specificity = |name: &str| {
            let group = self.groups.get(name)?;
            Some((group.selector.specificity(known), name.to_owned()))
        };
        let own = assignment.group.and_then(specificity).map(|(own, _)| own);
        let next = others.iter().filter_map(|name| specificity(name));
        let next = next.min_by(|(a, x), (b, y)| b.cmp(a).then(x.cmp(y)));
        let because = match own.zip(next) {
            None if assignment.group.is_none() => "claimed by hand".to_owned(),
            None => "no other group matches".to_owned(),
            Some((own, (next, name))) => format!("before group {name}: {}", closer(own, next)),
        };
        let config = self.config(assignment, known.subject);
        let (sha512, error) = match config {
            Ok(ready) => (Some(ready.sha512.to_string()), None),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                (None, Some(format!("{error}{}", cause.unwrap_or_default())))
            }
        };
        Chosen {
            group: assignment.group.map(str::to_owned),
            because,
            profile: assignment.profile.name.clone(),
            device: assignment.profile.install.device.clone(),
            config: assignment.profile.ignition.clone(),
            sha512,
            error,
        }
    }
}

/// What makes `own` the closer description.
fn closer(own: Specificity, next: Specificity) -> &'static str {
    if own.named != next.named {
        "it names the machine"
    } else if own.conditions != next.conditions {
        "it has more conditions"
    } else if own.exact != next.exact {
        "more of its conditions are exact"
    } else if own.length != next.length {
        "its values are longer"
    } else {
        "nothing but the name tells them apart, and its name is first"
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.chosen, &self.matchbox) {
            (None, None) => writeln!(f, "{}: no group matches; it boots its disk", self.mac)?,
            (None, Some(of)) => writeln!(
                f,
                "{}: no group of this site matches; matchbox group {} does\n  profile {}, boots {}",
                self.mac, of.group, of.profile, of.kernel
            )?,
            (Some(chosen), _) => {
                match &chosen.group {
                    Some(group) => writeln!(f, "{}: group {group}, {}", self.mac, chosen.because)?,
                    None => writeln!(f, "{}: {}", self.mac, chosen.because)?,
                }
                writeln!(
                    f,
                    "  profile {}, installs on {}",
                    chosen.profile, chosen.device
                )?;
                match (&chosen.sha512, &chosen.error) {
                    (Some(sha512), _) => {
                        writeln!(f, "  config {} (sha512 {sha512})", chosen.config)?
                    }
                    (None, error) => {
                        let error = error.as_deref().unwrap_or_default();
                        writeln!(f, "  config {}: {error}", chosen.config)?;
                    }
                }
            }
        }
        for GroupVerdict {
            group,
            verdict,
            reason,
        } in &self.groups
        {
            match (verdict, reason) {
                (Verdict::Fails, Some(reason)) => writeln!(f, "  not {group}: {reason}")?,
                (Verdict::Matches, _) => writeln!(f, "  also {group} matches")?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MAC, site_dir};

    #[test]
    fn every_group_has_its_reason_and_the_chosen_one_its_config() {
        let dir = site_dir();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join("site/groups").join(name), text).unwrap();
        };
        write("arch.yaml", "profile: worker\nselector: {arch: aarch64}\n");
        write("all.yaml", "profile: worker\n");
        write(
            "serial.yaml",
            "profile: worker\nselector: {serial: [A, 'B*']}\n",
        );
        let site = Site::load(&dir.path().join("site")).unwrap();
        let mut subject = Subject::new(MAC.parse().unwrap());
        subject.facts.say("arch", "x86_64").unwrap();
        let explanation = site.explain(&subject);
        let chosen = explanation.chosen.clone().unwrap();
        assert_eq!(
            (chosen.group.as_deref(), chosen.error),
            (Some("rack"), None)
        );
        let digest = chosen.sha512.unwrap();
        let want = format!(
            "{MAC}: group rack, before group all: it names the machine\n  profile worker, installs on /dev/vda\n  config worker.ign (sha512 {digest})\n  also all matches\n  not arch: arch aarch64: this machine has x86_64\n  not serial: serial A or B*: not known of this machine\n"
        );
        assert_eq!(explanation.to_string(), want);
        let stranger = site.explain(&Subject::new(MacAddr([2; 6])));
        assert_eq!(stranger.chosen.unwrap().because, "no other group matches");
    }
}
