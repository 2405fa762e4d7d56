//! Why a file beside a config was not read, and what a finding says of it.
//!
//! Which file it is about is told by the name that the config gives it, not by where it was found.

use std::io;

use crate::finding::quote;

/// Why a file beside a config was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// There is no directory to look in.
    #[error("{} is a local file, but there is no files directory", quote(local))]
    NoDir {
        /// As written in the config.
        local: String,
    },
    /// `..` or a symlink leads out of the directory.
    #[error("{} leads out of the files directory", quote(local))]
    Escape {
        /// As written in the config.
        local: String,
    },
    /// The system refused.
    #[error("cannot read {}", quote(local))]
    Io {
        /// As written in the config.
        local: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Neither a file nor a link to one.
    #[error("{} is not a regular file", quote(local))]
    NotRegular {
        /// As written in the config.
        local: String,
    },
    /// The root of a tree is something else.
    #[error("{} is not a directory", quote(local))]
    NotDirectory {
        /// As written in the config.
        local: String,
    },
    /// Larger than a config can sensibly carry.
    #[error("{} is larger than {limit} bytes", quote(local))]
    TooLarge {
        /// As written in the config.
        local: String,
        /// The most that is read.
        limit: u64,
    },
    /// All files of the config together are too large.
    #[error("local files of the config are larger than {limit} bytes together")]
    TooMuch {
        /// The most that is read.
        limit: u64,
    },
    /// A tree of too many entries.
    #[error(
        "{} holds more than {limit} files, directories and links",
        quote(local)
    )]
    TooMany {
        /// As written in the config.
        local: String,
        /// The most that is walked.
        limit: usize,
    },
    /// Text is wanted.
    #[error("{} is not UTF-8", quote(local))]
    NotUtf8 {
        /// As written in the config, or the name that is meant.
        local: String,
    },
}

impl FilesError {
    pub(super) fn io(local: &str, source: io::Error) -> Self {
        let local = local.to_owned();
        Self::Io { local, source }
    }

    /// The finding's message: this error with its cause.
    pub(in crate::butane) fn message(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// The finding's code.
    pub(in crate::butane) fn code(&self) -> &'static str {
        match self {
            Self::NoDir { .. } => "no-files-dir",
            Self::Escape { .. } => "files-dir-escape",
            Self::Io { .. } => "local-unreadable",
            Self::NotRegular { .. } => "local-not-regular",
            Self::NotDirectory { .. } => "tree-not-directory",
            Self::TooLarge { .. } | Self::TooMuch { .. } => "local-too-large",
            Self::TooMany { .. } => "tree-too-large",
            Self::NotUtf8 { .. } => "local-not-utf8",
        }
    }
}
