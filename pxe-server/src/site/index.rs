//! Finds the groups that match a machine without asking each: every group is filed under the
//! values of its most telling condition, and only those found by a machine's own values are
//! compared in full. Groups that only exclude are few, and are always compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::pattern::{Pattern, Value};
use super::selector::{Condition, Field, Known, Selector, Specificity};
use crate::machine::Subject;
use crate::net::Net;

/// Most ties that are told of, and pairs of groups that are compared to find them.
const MAX_TIES: usize = 50;
const MAX_PAIRS: usize = 1_000_000;

/// Number of a group, in the order of names.
type Number = u32;

/// Groups by the values of one field.
#[derive(Clone, Debug, Default)]
struct Shelf {
    exact: HashMap<String, Vec<Number>>,
    /// By length, so that a value is cut and looked up once for each.
    prefixes: BTreeMap<usize, HashMap<String, Vec<Number>>>,
    nets: BTreeMap<u8, HashMap<u32, Vec<Number>>>,
}

impl Shelf {
    fn file(&mut self, pattern: &Pattern, number: Number) {
        let list = match pattern {
            Pattern::Exact(text) => self.exact.entry(text.clone()).or_default(),
            Pattern::Prefix(text) => {
                let shelf = self.prefixes.entry(text.len()).or_default();
                shelf.entry(text.clone()).or_default()
            }
            Pattern::Net(net) => {
                let shelf = self.nets.entry(net.bits).or_default();
                shelf.entry(net.first).or_default()
            }
        };
        list.push(number);
    }

    fn find<'a>(&'a self, value: Value<'_>, found: &mut Vec<&'a [Number]>) {
        let lists: Vec<Option<&Vec<Number>>> = match value {
            Value::Text(text) => {
                let cut = |(length, shelf): (&usize, &'a HashMap<String, Vec<Number>>)| {
                    shelf.get(text.get(..*length)?)
                };
                let prefixes = self.prefixes.iter().map(cut);
                prefixes.chain([self.exact.get(text)]).collect()
            }
            Value::Address(address) => {
                let nets = self.nets.iter();
                nets.map(|(bits, shelf)| shelf.get(&Net::first_of(address, *bits)))
                    .collect()
            }
        };
        found.extend(lists.into_iter().flatten().map(Vec::as_slice));
    }
}

/// All groups' selectors.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    groups: Vec<(String, Selector)>,
    shelves: BTreeMap<Field, Shelf>,
    /// Groups that want nothing of a machine.
    rest: Vec<Number>,
}

impl Index {
    /// Files groups, given in the order of their names.
    pub(super) fn new<'a>(groups: impl Iterator<Item = (&'a String, &'a Selector)>) -> Self {
        let mut index = Self::default();
        for (number, (name, selector)) in (0..).zip(groups) {
            match most_telling(selector) {
                Some(condition) => {
                    let shelf = index.shelves.entry(condition.field.clone()).or_default();
                    condition
                        .values
                        .iter()
                        .for_each(|value| shelf.file(value, number));
                }
                None => index.rest.push(number),
            }
            index.groups.push((name.clone(), selector.clone()));
        }
        index
    }

    /// The name of the group that describes `subject` most closely; of several, the first by name.
    pub(super) fn best(&self, subject: &Subject) -> Option<&str> {
        let mac = subject.mac.to_string();
        let known = Known { mac: &mac, subject };
        let mut found: Vec<&[Number]> = vec![&self.rest];
        for (field, shelf) in &self.shelves {
            if let Some(value) = field.of(&known) {
                shelf.find(value, &mut found);
            }
        }
        let numbers: BTreeSet<Number> = found.into_iter().flatten().copied().collect();
        let mut best: Option<(Specificity, &str)> = None;
        for number in numbers {
            let Some((name, selector)) = self.groups.get(number as usize) else {
                continue;
            };
            if selector.first_failing(&known).is_some() {
                continue;
            }
            let specificity = selector.specificity(&known);
            if best.is_none_or(|(other, _)| specificity > other) {
                best = Some((specificity, name));
            }
        }
        best.map(|(_, name)| name)
    }

    /// Whether some group can match once more is known of `subject`.
    pub(super) fn may_match(&self, subject: &Subject) -> bool {
        let mac = subject.mac.to_string();
        let known = Known { mac: &mac, subject };
        let open =
            |condition: &Condition| condition.field.of(&known).is_none() || condition.holds(&known);
        self.groups
            .iter()
            .any(|(_, selector)| selector.conditions.iter().all(open))
    }

    /// Pairs of groups that can match one machine and are told apart by nothing but their names, or
    /// by the length of values that mean different things; so many as are worth telling.
    pub(super) fn ties(&self) -> Vec<(&str, &str)> {
        let mut by_rank: BTreeMap<Specificity, Vec<&(String, Selector)>> = BTreeMap::new();
        for group in &self.groups {
            by_rank.entry(group.1.rank()).or_default().push(group);
        }
        let pairs = by_rank.values().flat_map(|equals| {
            let firsts = equals.iter().enumerate();
            firsts.flat_map(|(at, first)| {
                equals
                    .iter()
                    .skip(at + 1)
                    .map(move |second| (first, second))
            })
        });
        let tied = pairs
            .take(MAX_PAIRS)
            .filter(|(first, second)| can_tie(&first.1, &second.1));
        tied.map(|(first, second)| (first.0.as_str(), second.0.as_str()))
            .take(MAX_TIES)
            .collect()
    }
}

/// The condition that leaves the fewest groups to compare: exact ones first, then by field.
fn most_telling(selector: &Selector) -> Option<&Condition> {
    wanted(selector).min_by_key(|condition| {
        let exact = condition.values.iter().all(Pattern::is_exact);
        (!exact, condition.field.clone())
    })
}

/// Whether some machine can match both, as far as can be told field by field, and nothing but the
/// names tells them apart.
fn can_tie(a: &Selector, b: &Selector) -> bool {
    if a.only_macs().is_some() && b.only_macs().is_some() {
        // No address is in two such groups: the site would have been refused.
        return false;
    }
    // By how much the values that fit can be longer for one of them than for the other.
    let mut differences = BTreeSet::from([0]);
    let length = |value: &Pattern| i64::try_from(value.length()).unwrap_or(i64::MAX / 2);
    for condition in wanted(a) {
        let Some(other) = wanted(b).find(|other| other.field == condition.field) else {
            continue;
        };
        let values = condition.values.iter();
        let pairs = values.flat_map(|value| other.values.iter().map(move |theirs| (value, theirs)));
        let fitting = pairs.filter(|(value, theirs)| value.overlaps(theirs));
        let these: BTreeSet<i64> = fitting
            .map(|(value, theirs)| length(value) - length(theirs))
            .collect();
        let sums = differences
            .iter()
            .flat_map(|sum| these.iter().map(move |more| sum + more));
        differences = sums.collect();
    }
    let fields = |selector| wanted(selector).map(|condition| &condition.field);
    // Between different fields, the longer value says nothing.
    let length_decides = !differences.contains(&0) && fields(a).eq(fields(b));
    !differences.is_empty() && !length_decides && excludes_none(a, b) && excludes_none(b, a)
}

/// The conditions that want something of a machine.
fn wanted(selector: &Selector) -> impl Iterator<Item = &Condition> {
    selector
        .conditions
        .iter()
        .filter(|condition| !condition.negated)
}

/// Whether no exclusion of `excluding` takes away everything that `selector` wants.
fn excludes_none(selector: &Selector, excluding: &Selector) -> bool {
    let mut exclusions = excluding
        .conditions
        .iter()
        .filter(|condition| condition.negated);
    !exclusions.any(|not| {
        wanted(selector)
            .filter(|want| want.field == not.field)
            .any(|want| {
                want.values
                    .iter()
                    .all(|value| not.values.iter().any(|not| not.covers(value)))
            })
    })
}

#[cfg(test)]
mod tests;
