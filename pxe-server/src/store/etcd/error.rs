//! Why etcd could not be used. Some faults pass when another member is asked or after a while, others
//! stay until somebody changes something.

use std::path::PathBuf;

/// Why a call of etcd had no outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdError {
    /// A file that belongs to the connection cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The file does not hold `USER:PASSWORD`.
    #[error("{} does not hold USER:PASSWORD in one line", .0.display())]
    Credentials(PathBuf),
    /// There is no thread for it.
    #[error("cannot start a thread for etcd")]
    Thread(#[source] std::io::Error),
    /// The client cannot be made of what was given.
    #[error("certificates or key cannot be used")]
    Client(#[source] reqwest::Error),
    /// The member's certificate is not trusted, or ours is not by it.
    #[error("{member} and this server do not trust each other")]
    Untrusted {
        /// The member.
        member: String,
        /// Cause.
        #[source]
        source: reqwest::Error,
    },
    /// The member could not be reached, or ended the connection.
    #[error("{member} does not answer")]
    Connection {
        /// The member.
        member: String,
        /// Cause.
        #[source]
        source: reqwest::Error,
    },
    /// The member did not answer in time.
    #[error("{member} has not answered in time")]
    Slow {
        /// The member.
        member: String,
    },
    /// The member says that it cannot do it now: it has no quorum, or is going down.
    #[error("{member} cannot do it now: {message}")]
    Passing {
        /// The member.
        member: String,
        /// What it said.
        message: String,
    },
    /// This server is not let in, or not to these keys.
    #[error("{member} does not let this server in: {message}")]
    Forbidden {
        /// The member.
        member: String,
        /// What it said.
        message: String,
    },
    /// The revision that is asked for is not kept any more.
    #[error("revisions before {0} are compacted")]
    Compacted(u64),
    /// It was refused for good.
    #[error("{member} refuses: {message}")]
    Refused {
        /// The member.
        member: String,
        /// What it said.
        message: String,
    },
    /// The answer cannot be understood, or is too long.
    #[error("{member} gave an answer that is none of etcd's")]
    Answer {
        /// The member.
        member: String,
        /// Cause, if it is one of form.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// Somebody else's keys are at our prefix.
    #[error("key {0} is not written by pxe-server")]
    Foreign(String),
    /// No member could be written a moment ago, and it is not tried again yet.
    #[error("no member of etcd that has a quorum could be reached a moment ago")]
    Away,
}

impl EtcdError {
    /// Whether another member may do better, or the same one later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Connection { .. } | Self::Slow { .. } | Self::Passing { .. } | Self::Away
        )
    }
}
