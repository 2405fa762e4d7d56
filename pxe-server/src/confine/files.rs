//! Landlock: which files this thread and those that it starts can use, that they open no other
//! TCP port and, if the server has nobody to ask, no connection, and that they send signals to nobody else. Kernels that know
//! less of it than this enforce what they know.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{Needs, Reach};

/// The newest rules that are used: Linux 6.12.
const NEWEST: ABI = ABI::V6;

/// Restricts to `reach`; whether the kernel enforces it.
pub(super) fn restrict(reach: &Reach, needs: Needs) -> Result<bool, RulesetError> {
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let tcp: BitFlags<AccessNet> = match needs {
        Needs::Nothing => AccessNet::from_all(NEWEST),
        Needs::Connections | Needs::Programs => AccessNet::BindTcp.into(),
    };
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(tcp)?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(&reach.read, read))?
        .add_rules(path_beneath_rules(&reach.write, write))?
        .restrict_self()?;
    Ok(restricted.ruleset != RulesetStatus::NotEnforced)
}
