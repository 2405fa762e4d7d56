//! What the server gives up once its sockets are bound: another user's identity, capabilities, files
//! that it has no business with (Landlock), TCP to anywhere, and new privileges by programs.
//!
//! All of it holds for the calling thread and those that it starts: this comes before the runtime.

mod files;
mod identity;
mod reach;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use landlock::RulesetError;
use nix::sys::prctl::set_no_new_privs;

pub use reach::Reach;

/// Why the server cannot be confined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// No such user.
    #[error("there is no user `{0}`")]
    NoUser(String),
    /// Only root can become somebody else.
    #[error("only root can become `{0}`")]
    NotRoot(String),
    /// What it signs with belongs to who started it.
    #[error("a server that signs cannot become `{0}`; start it as that user")]
    Signs(String),
    /// The identity cannot be changed.
    #[error("cannot become `{user}`")]
    Identity {
        /// The user.
        user: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The state directory cannot be made.
    #[error("cannot make the state directory {}", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A directory or file that was named is not there.
    #[error("cannot find {}", path.display())]
    Missing {
        /// Its path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The user may not do what the server has to.
    #[error("`{user}` may not {what} {}", path.display())]
    Closed {
        /// The user.
        user: String,
        /// `read` or `write`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// Capabilities cannot be dropped.
    #[error("cannot drop capabilities")]
    Capabilities(#[source] caps::errors::CapsError),
    /// New privileges cannot be ruled out.
    #[error("cannot rule out new privileges")]
    NewPrivileges(#[source] io::Error),
    /// Landlock refuses its rules.
    #[error("cannot confine the server to its files")]
    Landlock(#[source] RulesetError),
}

/// What serving needs beside files and sockets that are bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// TCP connections to elsewhere.
    Connections,
    /// To run gpg, which has files of its own.
    Programs,
}

/// What holds from now on.
#[derive(Debug)]
pub struct Confined {
    /// The user that the server became.
    user: Option<String>,
    /// Capabilities that are left.
    capabilities: Vec<String>,
    /// What may be read and written, where the kernel sees to it.
    files: Option<Reach>,
    needs: Needs,
}

impl Confined {
    /// What may be read and written, where the kernel sees to it.
    pub fn files(&self) -> Option<&Reach> {
        self.files.as_ref()
    }

    /// One line about it.
    pub fn summary(&self) -> String {
        let user = self.user.as_deref().map_or_else(
            || "its user as before".to_owned(),
            |user| format!("user {user}"),
        );
        let capabilities = match self.capabilities.as_slice() {
            [] => "no capabilities".to_owned(),
            left => left.join(" "),
        };
        let files = match (&self.files, self.needs) {
            (Some(reach), _) => format!("by Landlock: {reach}"),
            (None, Needs::Programs) => {
                "files as its user (without Landlock: it signs, and gpg has files of its own)"
                    .to_owned()
            }
            (None, _) => "files as its user (without Landlock: this kernel has none)".to_owned(),
        };
        format!("confined: {user}, {capabilities}, {files}")
    }
}

/// Makes the state directory, becomes `user` if one is named, and gives up whatever serving from
/// sockets that are bound does not need. `reach` holds all files.
pub fn confine(
    user: Option<&str>,
    state: &Path,
    mut reach: Reach,
    needs: Needs,
) -> Result<Confined, ConfineError> {
    if let (Some(user), Needs::Programs) = (user, needs) {
        return Err(ConfineError::Signs(user.to_owned()));
    }
    let account = user.map(identity::find).transpose()?;
    make_state(state, account.as_ref())?;
    reach.write(state)?;
    set_no_new_privs().map_err(|errno| ConfineError::NewPrivileges(errno.into()))?;
    identity::bound_capabilities(identity::stays_root(account.as_ref()))
        .map_err(ConfineError::Capabilities)?;
    if let Some(account) = &account {
        identity::become_user(account)?;
        reach.check_access(&account.name)?;
    }
    let capabilities = identity::drop_capabilities().map_err(ConfineError::Capabilities)?;
    let enforced = match needs {
        Needs::Programs => false,
        _ => files::restrict(&reach, needs).map_err(ConfineError::Landlock)?,
    };
    Ok(Confined {
        user: account.map(|account| account.name),
        capabilities,
        files: enforced.then_some(reach),
        needs,
    })
}

/// Makes the directory where there is none, and gives it to the user that will write to it.
fn make_state(state: &Path, account: Option<&identity::Account>) -> Result<(), ConfineError> {
    let failed = |source| ConfineError::State {
        path: state.to_owned(),
        source,
    };
    if state.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o750).create(state);
    made.map_err(failed)?;
    let Some(account) = account else {
        return Ok(());
    };
    let given = nix::unistd::chown(state, Some(account.uid), Some(account.gid));
    given.map_err(|errno| failed(errno.into()))
}
