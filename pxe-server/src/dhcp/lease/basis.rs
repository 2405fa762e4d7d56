//! What a decision about a document of the store is based on: a version of it that was read, or a
//! write of this server that is still under way. A write whose basis has changed or has failed is
//! not done. Knows nothing of addresses.

use std::sync::{Arc, OnceLock};

use crate::store::{LeaseChange, LeaseKey, LeasePart, LeaseWrite, Revision};

/// What is known of a document.
#[derive(Clone, Debug)]
pub(super) enum Basis {
    /// This version; zero: there is no such document.
    Known(Revision),
    /// What this server writes now.
    Own(Arc<Fate>),
}

impl Default for Basis {
    fn default() -> Self {
        Self::Known(Revision::default())
    }
}

/// What becomes of one document's write.
#[derive(Debug, Default)]
pub(super) struct Fate(OnceLock<Settled>);

#[derive(Debug)]
enum Settled {
    Done(Revision),
    /// Not done, or not known to be: the document is as it was before, until others tell otherwise.
    Failed(Basis),
}

impl Basis {
    /// The same for a decision that is taken now.
    pub(super) fn now(&self) -> Self {
        let settled = match self {
            Self::Known(_) => None,
            Self::Own(fate) => fate.0.get(),
        };
        match settled {
            Some(Settled::Done(revision)) => Self::Known(*revision),
            Some(Settled::Failed(before)) => before.now(),
            None => self.clone(),
        }
    }

    /// The version that a write must find; none if what it was decided on did not come about.
    fn proven(&self) -> Option<Revision> {
        match self {
            Self::Known(revision) => Some(*revision),
            Self::Own(fate) => match fate.0.get()? {
                Settled::Done(revision) => Some(*revision),
                Settled::Failed(_) => None,
            },
        }
    }

    /// The version that is known; none while a write is under way.
    pub(super) fn revision(&self) -> Option<Revision> {
        match self.now() {
            Self::Known(revision) => Some(revision),
            Self::Own(_) => None,
        }
    }
}

/// One document of a change.
#[derive(Debug)]
pub(super) struct Part {
    key: LeaseKey,
    basis: Basis,
    write: LeaseWrite,
    fate: Arc<Fate>,
}

impl Part {
    /// A part, and the basis of what is decided after it.
    pub(super) fn new(key: LeaseKey, basis: &Basis, write: LeaseWrite) -> (Self, Basis) {
        let fate = Arc::<Fate>::default();
        let next = match write {
            LeaseWrite::Leave => basis.clone(),
            LeaseWrite::Put(_) | LeaseWrite::Delete => Basis::Own(fate.clone()),
        };
        let part = Self {
            key,
            basis: basis.now(),
            write,
            fate,
        };
        (part, next)
    }
}

/// Documents that change together or not at all. One that is dropped has failed.
#[derive(Debug)]
pub(super) struct Change(Vec<Part>);

impl Change {
    /// A change of these documents, each of which is named once.
    pub(super) fn new(parts: Vec<Part>) -> Self {
        Self(parts)
    }

    /// The documents that it is about.
    pub(super) fn keys(&self) -> impl Iterator<Item = LeaseKey> + '_ {
        self.0.iter().map(|part| part.key)
    }

    /// What is to be written; none if it was decided on a write that has failed.
    pub(super) fn to_write(&self) -> Option<LeaseChange> {
        let part = |part: &Part| {
            Some(LeasePart {
                key: part.key,
                expected: part.basis.proven()?,
                write: part.write.clone(),
            })
        };
        self.0.iter().map(part).collect()
    }

    /// It is durable since this version.
    pub(super) fn done(self, revision: Revision) {
        for part in &self.0 {
            let now = match part.write {
                LeaseWrite::Delete => Revision::default(),
                LeaseWrite::Leave | LeaseWrite::Put(_) => revision,
            };
            let _ = part.fate.0.set(Settled::Done(now));
        }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        for part in &self.0 {
            let _ = part.fate.0.set(Settled::Failed(part.basis.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const KEY: LeaseKey = LeaseKey::Address(Ipv4Addr::LOCALHOST);

    fn write(basis: &Basis) -> (Change, Basis) {
        let (part, next) = Part::new(KEY, basis, LeaseWrite::Delete);
        (Change::new(vec![part]), next)
    }

    fn put(basis: &Basis) -> (Change, Basis) {
        let value = crate::store::LeaseValue::Address(Ipv4Addr::LOCALHOST);
        let (part, next) = Part::new(KEY, basis, LeaseWrite::Put(value));
        (Change::new(vec![part]), next)
    }

    fn expected(change: &Change) -> Option<Revision> {
        Some(change.to_write()?.first()?.expected)
    }

    #[test]
    fn a_write_finds_what_the_one_before_it_has_left() {
        let (first, basis) = put(&Basis::Known(Revision(3)));
        let (second, basis) = put(&basis);
        assert_eq!(expected(&first), Some(Revision(3)));
        assert_eq!(expected(&second), None, "the first is under way");
        assert_eq!(basis.revision(), None);
        first.done(Revision(7));
        assert_eq!(expected(&second), Some(Revision(7)));
        second.done(Revision(9));
        let (gone, basis) = write(&basis);
        assert_eq!(expected(&gone), Some(Revision(9)));
        gone.done(Revision(12));
        assert_eq!(basis.revision(), Some(Revision(0)), "there is none");
    }

    #[test]
    fn what_was_decided_on_a_failed_write_fails_and_later_decisions_do_not() {
        let (first, basis) = put(&Basis::Known(Revision(3)));
        let (second, basis) = put(&basis);
        drop(first);
        assert_eq!(expected(&second), None);
        drop(second);
        let (third, _) = put(&basis);
        assert_eq!(expected(&third), Some(Revision(3)));
    }
}
