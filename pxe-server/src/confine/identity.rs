//! Whose rights the server has: another user's instead of root's, and hardly any capability
//! (capabilities(7)). Sockets that are bound need none.

use std::ffi::CString;
use std::io;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setresgid, setresuid};

use super::ConfineError;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
}

/// Looks up whom to become.
pub(super) fn find(name: &str) -> Result<Account, ConfineError> {
    let user = User::from_name(name).map_err(|errno| ConfineError::Identity {
        user: name.to_owned(),
        source: errno.into(),
    })?;
    let user = user.ok_or_else(|| ConfineError::NoUser(name.to_owned()))?;
    Ok(Account {
        name: user.name,
        uid: user.uid,
        gid: user.gid,
    })
}

/// Becomes that user for good, with the groups that it is in.
pub(super) fn become_user(account: &Account) -> Result<(), ConfineError> {
    let Account { name, uid, gid } = account;
    if geteuid() == *uid {
        return Ok(());
    }
    if !geteuid().is_root() {
        return Err(ConfineError::NotRoot(name.clone()));
    }
    let change = || {
        let terminated = CString::new(name.as_str()).map_err(io::Error::other)?;
        initgroups(&terminated, *gid)?;
        setresgid(*gid, *gid, *gid)?;
        setresuid(*uid, *uid, *uid)?;
        Ok(())
    };
    change().map_err(|source| ConfineError::Identity {
        user: name.clone(),
        source,
    })
}

/// What is kept: root's right to files of other users, as long as the server is root; sites and
/// states of whoever started it by sudo stay usable. Landlock bounds which.
fn kept(stays_root: bool) -> CapsHashSet {
    stays_root
        .then_some(Capability::CAP_DAC_OVERRIDE)
        .into_iter()
        .collect()
}

/// Whether the server will be root after becoming `account`.
pub(super) fn stays_root(account: Option<&Account>) -> bool {
    account.map_or(geteuid(), |account| account.uid).is_root()
}

/// Takes away what no program that this process runs could get back.
pub(super) fn bound_capabilities(stays_root: bool) -> Result<(), CapsError> {
    if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        return Ok(());
    }
    let kept = kept(stays_root);
    let bounding = caps::read(None, CapSet::Bounding)?;
    for capability in bounding.difference(&kept) {
        caps::drop(None, CapSet::Bounding, *capability)?;
    }
    Ok(())
}

/// Drops all capabilities but those that are kept; the names of those that are left.
pub(super) fn drop_capabilities() -> Result<Vec<String>, CapsError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let left: CapsHashSet = permitted
        .intersection(&kept(geteuid().is_root()))
        .copied()
        .collect();
    caps::clear(None, CapSet::Ambient)?;
    caps::set(None, CapSet::Effective, &left)?;
    caps::set(None, CapSet::Permitted, &left)?;
    caps::clear(None, CapSet::Inheritable)?;
    Ok(left.iter().map(ToString::to_string).collect())
}
