//! The JSON lines that `coreos-installer … --progress json` writes to stdout, one per event: stages
//! of the work, what a fetch meets on its way, and the command's result.
//!
//! Bytes are those of the image as published; `total` is `null` when the source does not tell its
//! size.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Version of the lines. It grows when a field or stage changes its meaning or goes away; new
/// fields and stages come without that, so readers skip what they do not know.
pub const VERSION: u32 = 1;

/// One line as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Line {
    /// A line of this version.
    pub fn new(event: impl Into<Event>) -> Self {
        Self {
            version: VERSION,
            event: event.into(),
        }
    }
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// A stage of the work.
    Progress(Progress),
    /// An obstacle on the way of a fetch.
    Fetch(FetchNotice),
    /// The end of a command that has something to say.
    Outcome(Outcome),
}

impl From<Progress> for Event {
    fn from(progress: Progress) -> Self {
        Self::Progress(progress)
    }
}

impl From<FetchNotice> for Event {
    fn from(notice: FetchNotice) -> Self {
        Self::Fetch(notice)
    }
}

impl From<Outcome> for Event {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

/// What a command prints for people otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Outcome {
    /// The last line of a command that succeeded.
    Result {
        /// What the same command prints with `--json`, or documents for this line.
        result: serde_json::Value,
    },
}

/// An obstacle on the way of a fetch, and how it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "stage",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum FetchNotice {
    /// A failure that may pass: the same place is asked again.
    Retry {
        /// What is fetched.
        url: String,
        /// Why the last try failed, causes included.
        reason: String,
        /// Time until the next try.
        #[serde(rename = "delay-ms", with = "millis")]
        delay: Duration,
    },
    /// The server goes on where the transfer broke off.
    Resume {
        /// What is fetched.
        url: String,
        /// How much was there already, bytes.
        bytes: u64,
    },
    /// The server cannot go on where the transfer broke off: it sends everything again, and what
    /// was there already is compared and left out.
    Again {
        /// What is fetched.
        url: String,
        /// How much was there already, bytes.
        bytes: u64,
    },
    /// A place failed for good: the next one is asked.
    Mirror {
        /// The place that failed.
        url: String,
        /// Why, causes included.
        reason: String,
        /// The place that is asked now.
        next: String,
    },
    /// A chunk of a packed image is not what its manifest lists: another place is asked for it.
    BadChunk {
        /// The place that gave it.
        url: String,
        /// What is wrong with it.
        reason: String,
        /// The place that is asked now.
        next: String,
    },
    /// A chunk manifest was found that nobody signed, so nothing that it says is of use: the image
    /// is read as one stream, by what else vouches for it.
    ManifestIgnored {
        /// Path or URL of the manifest.
        manifest: String,
        /// Where its signature would be.
        looked_at: String,
    },
}

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// A stage of the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "stage",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Progress {
    /// Writing is about to begin; until now the target was not touched.
    Started {
        /// Target device or file.
        target: String,
    },
    /// Bytes read from the source so far.
    Copying {
        /// Source bytes consumed.
        bytes: u64,
        /// Source size in bytes.
        total: Option<u64>,
    },
    /// The image was verified and the first MiB is being written.
    Sealing,
    /// Everything is on the disk and flushed.
    Done,
}

impl Progress {
    /// Whole per cent of a copy whose total is known.
    pub fn percent(&self) -> Option<u8> {
        match self {
            Self::Copying {
                bytes,
                total: Some(total),
            } if *total > 0 => u8::try_from((bytes.saturating_mul(100) / total).min(100)).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every stage there is, in the order of the documentation.
    const STAGES: [&str; 11] = [
        "started",
        "copying",
        "sealing",
        "done",
        "retry",
        "resume",
        "again",
        "mirror",
        "bad-chunk",
        "manifest-ignored",
        "result",
    ];

    #[test]
    fn the_documented_lines_are_those_that_are_written() {
        let page = include_str!("../../docs/src/progress.md");
        let mut stages = Vec::new();
        for text in page.lines().filter(|line| line.starts_with('{')) {
            let line: Line = serde_json::from_str(text).unwrap();
            assert_eq!(line.version, VERSION);
            assert_eq!(serde_json::to_string(&line).unwrap(), *text);
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            stages.push(value["stage"].as_str().unwrap().to_owned());
            // Readers that know only stages, and nothing of versions, take the same line or none.
            let stage = serde_json::from_str::<Progress>(text).ok();
            assert_eq!(
                stage.map(Event::from),
                match line.event {
                    Event::Progress(_) => Some(line.event),
                    _ => None,
                }
            );
        }
        stages.dedup();
        assert_eq!(stages, STAGES);
    }

    #[test]
    fn percent_is_whole_and_bounded() {
        let at = |bytes, total| Progress::Copying { bytes, total }.percent();
        assert_eq!(at(1, Some(3)), Some(33));
        assert_eq!(at(9, Some(3)), Some(100));
        assert_eq!(at(3, Some(3)), Some(100));
        assert_eq!(at(3, None), None);
        assert_eq!(at(3, Some(0)), None);
    }
}
