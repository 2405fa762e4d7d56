//! Why a site is refused, and what in it is odd; each with its file.

use std::fmt;
use std::path::{Path, PathBuf};

use embed::manifest::ManifestError;

use crate::boot::CommandLineTooLong;
use crate::matchbox::BookError;
use crate::mirror::{IndexError, PlainName};
use crate::site::config::ConfigErrors;
use crate::site::file;

/// Something worth a look that is not wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub path: PathBuf,
    /// What is odd about it.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.text)
    }
}

/// Why a site was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The server may not read a file that it was not told of at its start.
    #[error("{} is out of the reach that the server has had since its start; a new start takes it in", path.display())]
    OutOfReach {
        /// Its path.
        path: PathBuf,
    },
    /// A file is larger than any site file can be.
    #[error("{} has {size} bytes; at most {max} are read", path.display(), max = file::MAX_FILE)]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size, bytes.
        size: u64,
    },
    /// Not YAML, or not of the expected form.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What the reader met.
        reason: String,
    },
    /// A value that cannot be used.
    #[error("{}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A config that Ignition would refuse.
    #[error("{} is no usable Ignition config", path.display())]
    Ignition {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: ConfigErrors,
    },
    /// A template that cannot be rendered, or not for this machine.
    #[error("{}:{line}: {reason}", path.display())]
    Template {
        /// The template's file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
        /// Whether the template asks for something that is not known.
        undefined: bool,
    },
    /// What a template made of a machine is a config that Ignition would refuse.
    #[error("{} makes no usable Ignition config", path.display())]
    Rendered {
        /// The template's file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: ConfigErrors,
    },
    /// The mirror's index is unusable.
    #[error("{} cannot be used", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: IndexError,
    },
    /// The stream that `media` names has no such build in the mirror.
    #[error(
        "{}:{line}:{column}: {} is mirrored in {}", path.display(),
        release.as_ref().map_or("no build".to_owned(), |release| format!("no build {release}")),
        shelf.display()
    )]
    NotMirrored {
        /// `site.yaml`.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// Where the stream is in the mirror.
        shelf: PathBuf,
        /// The build that `media` names, if it names one.
        release: Option<PlainName>,
    },
    /// The media's manifest is unusable.
    #[error("{} is no usable manifest", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: ManifestError,
    },
    /// The matchbox data cannot be used.
    #[error("the matchbox data in {} are refused", path.display())]
    Matchbox {
        /// The directory.
        path: PathBuf,
        /// Cause.
        #[source]
        source: BookError,
    },
    /// A profile's kernel command line is too long.
    #[error("{}: too many kernel arguments", path.display())]
    CommandLine {
        /// The profile's file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: CommandLineTooLong,
    },
}

impl SiteError {
    /// The file that it is about, and the line in it.
    pub fn place(&self) -> (&Path, Option<u64>) {
        match self {
            Self::Yaml { path, line, .. } | Self::NotMirrored { path, line, .. } => {
                (path, Some(*line))
            }
            Self::Template { path, line, .. } => (path, u64::try_from(*line).ok()),
            Self::Matchbox { source, .. } => source.place(),
            Self::Read { path, .. }
            | Self::OutOfReach { path }
            | Self::TooLarge { path, .. }
            | Self::Value { path, .. }
            | Self::Ignition { path, .. }
            | Self::Rendered { path, .. }
            | Self::Manifest { path, .. }
            | Self::Index { path, .. }
            | Self::CommandLine { path, .. } => (path, None),
        }
    }
}
