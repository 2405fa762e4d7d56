//! Which machines a group is for: conditions on what is known of a machine, as `groups/*.yaml`
//! writes them, and how specific they are.
//!
//! Every condition must hold. One holds when the fact is known and fits any of its values; under
//! `not`, when the fact is unknown or fits none of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::pattern::{AnyOf, Architecture, Lower, Mac, Pattern, Plain, Subnet, Value};
use crate::mac::MacAddr;
use crate::machine::{Subject, is_label};

/// What a condition is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Field {
    Mac,
    Uuid,
    Serial,
    Asset,
    CircuitId,
    Hostname,
    Label(String),
    Arch,
    Subnet,
}

impl Field {
    /// Whether one value of it belongs to one machine.
    fn names_one(&self) -> bool {
        matches!(self, Self::Mac | Self::Uuid | Self::Serial | Self::Asset)
    }

    /// What `known` has of it.
    pub(super) fn of<'a>(&self, known: &Known<'a>) -> Option<Value<'a>> {
        let facts = &known.subject.facts;
        let text = |fact: &'a Option<String>| fact.as_deref().map(Value::Text);
        match self {
            Self::Mac => Some(Value::Text(known.mac)),
            Self::Uuid => text(&facts.uuid),
            Self::Serial => text(&facts.serial),
            Self::Asset => text(&facts.asset),
            Self::CircuitId => text(&facts.circuit_id),
            Self::Hostname => text(&facts.hostname),
            Self::Label(name) => facts.labels.get(name).map(|value| Value::Text(value)),
            Self::Arch => facts.arch.map(|arch| Value::Text(arch.name())),
            Self::Subnet => facts.address.map(|address| Value::Address(address.into())),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mac => "mac",
            Self::Uuid => "uuid",
            Self::Serial => "serial",
            Self::Asset => "asset",
            Self::CircuitId => "circuit-id",
            Self::Hostname => "hostname",
            Self::Label(name) => return write!(f, "label {name}"),
            Self::Arch => "arch",
            Self::Subnet => "subnet",
        })
    }
}

/// A machine ready to be compared many times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) mac: &'a str,
    pub(super) subject: &'a Subject,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) field: Field,
    pub(super) negated: bool,
    /// Any of these.
    pub(super) values: Vec<Pattern>,
}

impl Condition {
    /// The value of the condition that fits; of several, the one that settles most.
    fn fitting(&self, value: Value<'_>) -> Option<&Pattern> {
        let fitting = self.values.iter().filter(|pattern| pattern.matches(value));
        fitting.max_by_key(|pattern| (pattern.is_exact(), pattern.length()))
    }

    /// Whether it holds.
    pub(super) fn holds(&self, known: &Known<'_>) -> bool {
        let value = self.field.of(known);
        value.is_some_and(|value| self.fitting(value).is_some()) != self.negated
    }

    fn is_exact(&self) -> bool {
        !self.negated && self.values.iter().all(Pattern::is_exact)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TOLD: usize = 4;
        let told: Vec<String> = self
            .values
            .iter()
            .take(TOLD)
            .map(Pattern::to_string)
            .collect();
        let not = if self.negated { "not " } else { "" };
        write!(f, "{not}{} {}", self.field, told.join(" or "))?;
        match self.values.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(f, " or {more} more"),
        }
    }
}

/// How closely a group describes a machine; the greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Specificity {
    /// It names the machine: by address, UUID, serial number or asset tag.
    pub(super) named: bool,
    /// Conditions.
    pub(super) conditions: usize,
    /// Conditions that one value only fits.
    pub(super) exact: usize,
    /// Length of all values that fit: characters, or bits of a subnet.
    pub(super) length: usize,
}

/// Conditions that must all hold; without any, all machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    pub(super) conditions: Vec<Condition>,
}

impl Selector {
    /// The first condition that does not hold.
    pub(super) fn first_failing(&self, known: &Known<'_>) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| !condition.holds(known))
    }

    /// How closely it describes a machine that it matches.
    pub(super) fn specificity(&self, known: &Known<'_>) -> Specificity {
        let fitting = |condition: &Condition| {
            let value = condition.field.of(known)?;
            Some(condition.fitting(value)?.length())
        };
        Specificity {
            length: self.conditions.iter().filter_map(fitting).sum(),
            ..self.rank()
        }
    }

    /// The part of the specificity that does not depend on the machine.
    pub(super) fn rank(&self) -> Specificity {
        let exact = self
            .conditions
            .iter()
            .filter(|condition| condition.is_exact());
        let fields: Vec<&Field> = exact.map(|condition| &condition.field).collect();
        Specificity {
            named: fields.iter().any(|field| field.names_one()),
            conditions: self.conditions.len(),
            exact: fields.len(),
            length: 0,
        }
    }

    /// The addresses that it names, if addresses are all that it asks for.
    pub(super) fn only_macs(&self) -> Option<&[Pattern]> {
        match self.conditions.as_slice() {
            [
                Condition {
                    field: Field::Mac,
                    negated: false,
                    values,
                },
            ] if values.iter().all(Pattern::is_exact) => Some(values),
            _ => None,
        }
    }

    /// The first of [`Self::samples`], made without the others.
    pub(super) fn sample(&self) -> Option<Subject> {
        self.samples().into_iter().next()
    }

    /// A machine for each address, UUID, serial number or asset tag that it names, with the other
    /// conditions' first values.
    pub(super) fn samples(&self) -> Vec<Subject> {
        let wanted = || {
            self.conditions
                .iter()
                .filter(|condition| !condition.negated)
        };
        let names = |condition: &&Condition| condition.field.names_one() && condition.is_exact();
        let Some(naming) = wanted().find(names) else {
            return Vec::new();
        };
        let sample = |name: &Pattern| {
            let mut subject = Subject::new(MacAddr([2, 0, 0, 0, 0, 0]));
            for condition in wanted() {
                let value = if condition == naming {
                    Some(name)
                } else {
                    condition.values.first()
                };
                let text = match value {
                    Some(Pattern::Exact(text) | Pattern::Prefix(text)) => Cow::Borrowed(text),
                    Some(Pattern::Net(net)) => {
                        Cow::Owned(std::net::Ipv4Addr::from(net.first).to_string())
                    }
                    None => continue,
                };
                let known = match &condition.field {
                    Field::Mac => {
                        subject.mac = text.parse().unwrap_or(subject.mac);
                        continue;
                    }
                    Field::Label(name) => name.clone(),
                    Field::Subnet => "address".to_owned(),
                    field => field.to_string(),
                };
                // A prefix may be no whole value; then the fact stays unknown.
                let _ = subject.facts.say(&known, &text);
            }
            subject
        };
        naming.values.iter().map(sample).collect()
    }
}

/// The name of a free label.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LabelName(String);

impl<'de> Deserialize<'de> for LabelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if is_label(&name) {
            return Ok(Self(name));
        }
        Err(de::Error::custom(format!(
            "`{name}` cannot be the name of a label: lower-case letters, digits, `.`, `_` and `-`"
        )))
    }
}

/// A selector as written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Written {
    mac: Option<AnyOf<Mac>>,
    uuid: Option<AnyOf<Lower>>,
    serial: Option<AnyOf<Plain>>,
    asset: Option<AnyOf<Plain>>,
    circuit_id: Option<AnyOf<Plain>>,
    hostname: Option<AnyOf<Lower>>,
    labels: BTreeMap<LabelName, AnyOf<Plain>>,
    arch: Option<AnyOf<Architecture>>,
    subnet: Option<AnyOf<Subnet>>,
    not: Option<Box<Written>>,
}

impl Written {
    fn into_conditions(self, negated: bool) -> Vec<Condition> {
        let fields = [
            (Field::Mac, self.mac.map(|any| any.0)),
            (Field::Uuid, self.uuid.map(|any| any.0)),
            (Field::Serial, self.serial.map(|any| any.0)),
            (Field::Asset, self.asset.map(|any| any.0)),
            (Field::CircuitId, self.circuit_id.map(|any| any.0)),
            (Field::Hostname, self.hostname.map(|any| any.0)),
            (Field::Arch, self.arch.map(|any| any.0)),
            (Field::Subnet, self.subnet.map(|any| any.0)),
        ];
        let labels = self.labels.into_iter();
        let labels = labels.map(|(name, any)| (Field::Label(name.0), Some(any.0)));
        let all = fields.into_iter().chain(labels);
        let condition = |(field, values): (Field, Option<Vec<Pattern>>)| {
            let values = values?;
            Some(Condition {
                field,
                negated,
                values,
            })
        };
        all.filter_map(condition).collect()
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut written = Written::deserialize(deserializer)?;
        let not = written.not.take().map(|not| *not).unwrap_or_default();
        if not.not.is_some() {
            return Err(de::Error::custom(
                "`not` within `not`: write the condition itself",
            ));
        }
        let mut conditions = written.into_conditions(false);
        conditions.extend(not.into_conditions(true));
        conditions.sort_by(|a, b| (a.negated, &a.field).cmp(&(b.negated, &b.field)));
        Ok(Self { conditions })
    }
}
