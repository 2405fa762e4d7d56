//! How a new version of a profile reaches its machines: so many at once, none while it is paused,
//! none once too many installs of it have failed. Pure, and counted from the machines themselves:
//! what is durable of them is all that a rollout's state consists of, beside the operator's orders.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machine::{Machine, State};

/// What a machine is to become, exactly: a profile with its media, config and all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// The profile.
    pub profile: String,
    /// Changes with anything that an install of it depends on.
    pub version: String,
}

/// An install that failed, for as long as the same machine has no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedInstall {
    /// What it was to become.
    #[serde(flatten)]
    pub intent: Intent,
    /// When.
    pub time: Timestamp,
}

/// How many machines may be installed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AtOnceText", into = "AtOnceText")]
pub enum AtOnce {
    /// So many.
    Machines(NonZeroU32),
    /// So many of a hundred machines of the profile, and one at least.
    Percent(u32),
}

/// As it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum AtOnceText {
    Machines(u32),
    Text(String),
}

impl TryFrom<AtOnceText> for AtOnce {
    type Error = String;

    fn try_from(text: AtOnceText) -> Result<Self, String> {
        let wrong = "`at-once` is a number of machines, or 1% to 100% of them";
        match text {
            AtOnceText::Machines(number) => NonZeroU32::new(number).map(Self::Machines),
            AtOnceText::Text(text) => {
                let number = text.strip_suffix('%').and_then(|text| text.parse().ok());
                let number = number.filter(|number| (1..=100).contains(number));
                number.map(Self::Percent)
            }
        }
        .ok_or_else(|| wrong.to_owned())
    }
}

impl From<AtOnce> for AtOnceText {
    fn from(at_once: AtOnce) -> Self {
        match at_once {
            AtOnce::Machines(number) => Self::Machines(number.get()),
            AtOnce::Percent(number) => Self::Text(format!("{number}%")),
        }
    }
}

/// `rollout` of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    /// How many machines may be installed at once.
    pub at_once: AtOnce,
    /// After so many failures no more installs begin.
    #[serde(default = "one")]
    pub halt_on_failures: NonZeroU32,
    /// Every new version waits until it is resumed.
    #[serde(default)]
    pub paused: bool,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// What the operator said of a profile's rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Orders {
    /// No installs begin, whatever the version.
    #[serde(default)]
    pub paused: bool,
    /// The same, and meant for good.
    #[serde(default)]
    pub halted: bool,
    /// The version that was resumed, and when: failures before that do not count any more.
    #[serde(default)]
    pub resumed: Option<Resumed>,
}

impl Orders {
    /// These with what the operator has added who had said `before` and now says `given`, elsewhere
    /// and perhaps without knowing these: pausing and halting add to them, resuming ends them.
    pub fn with(&self, before: &Self, given: &Self) -> Self {
        let resumed_at = |orders: &Self| orders.resumed.as_ref().map(|resumed| resumed.time);
        if given.resumed != before.resumed && resumed_at(given) > resumed_at(self) {
            return given.clone();
        }
        Self {
            paused: self.paused || (given.paused && !before.paused),
            halted: self.halted || (given.halted && !before.halted),
            resumed: self.resumed.clone(),
        }
    }
}

/// A version that was resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The version.
    pub version: String,
    /// When.
    pub time: Timestamp,
}

/// What a machine that asks is to become, and on which terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What.
    pub intent: Intent,
    /// In waves, or at once.
    pub policy: Option<Policy>,
}

/// Whether an install may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Yes.
    Open,
    /// As many as may are being installed.
    Full,
    /// Until the operator resumes it.
    Paused,
    /// Until the operator resumes it; too many failed, or he said so.
    Halted,
}

/// Machines of a rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Count {
    /// All that have this profile.
    pub machines: u32,
    /// Those whose install of this version is permitted and has not ended.
    pub installing: u32,
    /// Those that have this version.
    pub installed: u32,
    /// Those on which it failed, since it was last resumed.
    pub failed: u32,
}

impl Count {
    /// Counts `machines` that are to become `intent`.
    pub fn of<'a>(
        machines: impl IntoIterator<Item = &'a Machine>,
        intent: &Intent,
        orders: &Orders,
    ) -> Self {
        let resumed = orders.resumed.as_ref();
        let resumed = resumed.filter(|resumed| resumed.version == intent.version);
        let mut count = Self::default();
        for machine in machines {
            let matched = machine.matched.as_ref();
            count.machines += u32::from(matched.is_some_and(|m| m.profile == intent.profile));
            let failed = machine.failed_install.as_ref();
            let counts = failed.is_some_and(|failed| {
                failed.intent == *intent && resumed.is_none_or(|at| failed.time > at.time)
            });
            count.failed += u32::from(counts);
            if machine.install.as_ref() != Some(intent) {
                continue;
            }
            match machine.state {
                State::Booting | State::Live | State::Installing => count.installing += 1,
                State::Installed | State::Provisioned => count.installed += 1,
                State::Discovered | State::Failed => {}
            }
        }
        count
    }
}

impl Policy {
    /// How many machines may be installed at once, of so many.
    pub fn limit(&self, machines: u32) -> u32 {
        match self.at_once {
            AtOnce::Machines(number) => number.get(),
            AtOnce::Percent(percent) => {
                let share = u64::from(machines) * u64::from(percent) / 100;
                u32::try_from(share).unwrap_or(u32::MAX).max(1)
            }
        }
    }

    /// Whether one more install of `intent` may begin.
    pub fn gate(&self, intent: &Intent, orders: &Orders, count: &Count) -> Gate {
        let resumed = orders.resumed.as_ref();
        let is_resumed = resumed.is_some_and(|resumed| resumed.version == intent.version);
        if orders.halted || count.failed >= self.halt_on_failures.get() {
            Gate::Halted
        } else if orders.paused || (self.paused && !is_resumed) {
            Gate::Paused
        } else if count.installing >= self.limit(count.machines) {
            Gate::Full
        } else {
            Gate::Open
        }
    }
}

#[cfg(test)]
mod tests;
