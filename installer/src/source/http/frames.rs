//! The frames of a packed image from servers: one body read in order, taken up again at the frame
//! where it broke off, from the same place or another.
//!
//! Unlike in [`super::body`], nobody needs to know that the rest belongs to the same file: every
//! frame has a digest of its own.

use std::io::{self, Read};
use std::sync::mpsc::{Sender, channel};

use embed::chunks::{Chunk, MAX_MANIFEST};
use reqwest::Url;
use reqwest::blocking::Response;
use reqwest::header::CONTENT_RANGE;

use super::access::{parse, shown};
use super::body::{header, parse_content_range};
use super::request::{Http, Part};
use super::retry::Backoff;
use super::{Fetcher, signature_url};
use crate::observe::FetchNotice;
use crate::source::listed::{Frames, Listed};
use crate::source::stream_metadata::{Artifact, ChunkList};
use crate::source::{MirrorFailure, Signature, SourceError};

/// Size of the pieces in which bytes that nobody wants are read, bytes.
const PIECE: usize = 64 * 1024;

/// A body somewhere in a file.
#[derive(Debug)]
struct Reading {
    answer: Response,
    at: u64,
}

/// A packed image at one or several places.
#[derive(Debug)]
pub(crate) struct HttpFrames {
    http: Http,
    places: Vec<Url>,
    place: usize,
    reading: Option<Reading>,
    /// Whether the last body broke off, and it was not said yet how it goes on.
    broken: bool,
    failures: Vec<MirrorFailure>,
    backoff: Backoff,
    notices: Sender<FetchNotice>,
}

impl HttpFrames {
    /// Fills `buf` from byte `at` of the file on, from whichever place gives it; the place's number.
    pub(crate) fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<usize, SourceError> {
        loop {
            match self.try_read(at, buf) {
                Ok(()) => {
                    self.backoff.reset();
                    return Ok(self.place);
                }
                Err(error) => self.recover(error)?,
            }
        }
    }

    /// Whether nothing follows what was read last.
    pub(crate) fn is_at_end(&mut self) -> Result<bool, SourceError> {
        let url = self.url()?.clone();
        let Some(reading) = &mut self.reading else {
            return Ok(true);
        };
        let mut next = Vec::new();
        match reading.answer.by_ref().take(1).read_to_end(&mut next) {
            Ok(_) => Ok(next.is_empty()),
            Err(error) => Err(self.http.broken(&url, reading.at, error)),
        }
    }

    /// For frames that turn out to be bad.
    pub(crate) fn again(&self) -> Again {
        Again {
            http: self.http.clone(),
            places: self.places.clone(),
            notices: self.notices.clone(),
        }
    }

    fn url(&self) -> Result<&Url, SourceError> {
        let none = || SourceError::Url { url: String::new() };
        self.places.get(self.place).ok_or_else(none)
    }

    fn try_read(&mut self, at: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let url = self.url()?.clone();
        let mut reading = match self.reading.take() {
            Some(reading) if reading.at <= at => reading,
            _ => {
                let reading = Reading::open(&self.http, &url, at)?;
                self.tell_resumed(&url, &reading, at);
                reading
            }
        };
        reading.skip_to(&self.http, &url, at)?;
        reading.fill(&self.http, &url, buf)?;
        self.reading = Some(reading);
        Ok(())
    }

    /// Says how a transfer that broke off goes on.
    fn tell_resumed(&mut self, url: &Url, reading: &Reading, wanted: u64) {
        if !std::mem::take(&mut self.broken) || wanted == 0 {
            return;
        }
        let (url, bytes) = (shown(url), wanted);
        self.tell(match reading.at {
            at if at == wanted => FetchNotice::Resume { url, bytes },
            _ => FetchNotice::Again { url, bytes },
        });
    }

    /// Waits for a retry, or turns to the next place; fails when there is neither.
    fn recover(&mut self, error: SourceError) -> Result<(), SourceError> {
        self.reading = None;
        self.broken = true;
        if matches!(error, SourceError::Cancelled(_)) {
            return Err(error);
        }
        let url = shown(self.url()?);
        let reason = error.in_one_line();
        if error.is_passing()
            && let Some(delay) = self.backoff.next_delay()
        {
            self.tell(FetchNotice::Retry { url, reason, delay });
            return Ok(self.http.cancel.sleep(delay)?);
        }
        let failure = MirrorFailure { url, reason };
        match self.places.get(self.place.saturating_add(1)) {
            Some(next) => {
                self.tell(FetchNotice::Mirror {
                    url: failure.url.clone(),
                    reason: failure.reason.clone(),
                    next: shown(next),
                });
                self.failures.push(failure);
                self.place = self.place.saturating_add(1);
                self.backoff.reset();
                Ok(())
            }
            None => {
                let earlier = std::mem::take(&mut self.failures);
                Err(SourceError::of_places(earlier, failure, error))
            }
        }
    }

    fn tell(&self, notice: FetchNotice) {
        // Whoever does not listen any more does not want the frames either.
        let _ = self.notices.send(notice);
    }
}

impl Reading {
    /// Asks for the file from `at` on. A server that does not know parts sends all of it.
    fn open(http: &Http, url: &Url, at: u64) -> Result<Self, SourceError> {
        if at == 0 {
            let answer = http.get(url, Part::All)?;
            return Ok(Self { answer, at: 0 });
        }
        let answer = http.get(url, Part::Rest { at })?;
        if answer.status().as_u16() != 206 {
            return Ok(Self { answer, at: 0 });
        }
        let range = header(&answer, CONTENT_RANGE).and_then(parse_content_range);
        if range.is_some_and(|range| range.first == at) {
            return Ok(Self { answer, at });
        }
        // Another part than asked for: whatever else this server sends, it can send all.
        let answer = http.get(url, Part::All)?;
        Ok(Self { answer, at: 0 })
    }

    /// Reads up to `at`, which frames of zeroes or a server without parts make necessary.
    fn skip_to(&mut self, http: &Http, url: &Url, at: u64) -> Result<(), SourceError> {
        let mut piece = vec![0u8; PIECE];
        while self.at < at {
            let want = usize::try_from(at - self.at).map_or(PIECE, |left| left.min(PIECE));
            self.fill(http, url, piece.get_mut(..want).unwrap_or_default())?;
        }
        Ok(())
    }

    fn fill(&mut self, http: &Http, url: &Url, buf: &mut [u8]) -> Result<(), SourceError> {
        let mut len = 0;
        while let Some(rest) = buf.get_mut(len..).filter(|rest| !rest.is_empty()) {
            http.cancel.check()?;
            let n = match self.answer.read(rest) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                read => read,
            }
            .map_err(|error| http.broken(url, self.at, error))?;
            len += n;
            self.at = self.at.saturating_add(n as u64);
        }
        Ok(())
    }
}

/// Single frames, from any of an image's places.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    http: Http,
    places: Vec<Url>,
    notices: Sender<FetchNotice>,
}

impl Again {
    /// Places in the order in which to ask after `place` gave a bad frame: the others, then it.
    pub(crate) fn places_after(&self, place: usize) -> impl Iterator<Item = usize> {
        let count = self.places.len();
        (1..=count).map(move |step| (place + step) % count)
    }

    /// What to call a place in messages.
    pub(crate) fn name(&self, place: usize) -> String {
        self.places.get(place).map(shown).unwrap_or_default()
    }

    /// Tells that a bad frame will be asked for elsewhere.
    pub(crate) fn tell(&self, failure: &MirrorFailure, next: usize) {
        let _ = self.notices.send(FetchNotice::BadChunk {
            url: failure.url.clone(),
            reason: failure.reason.clone(),
            next: self.name(next),
        });
    }

    /// Reads the frame of `chunk` from one place, once.
    pub(crate) fn read(
        &self,
        place: usize,
        chunk: &Chunk,
        buf: &mut [u8],
    ) -> Result<(), SourceError> {
        let none = || SourceError::Url { url: String::new() };
        let url = self.places.get(place).ok_or_else(none)?;
        let mut reading = Reading::open(&self.http, url, chunk.frame_offset)?;
        reading.skip_to(&self.http, url, chunk.frame_offset)?;
        reading.fill(&self.http, url, buf)
    }
}

impl Fetcher<'_> {
    /// Looks for the manifest of the image at `places`: where their publisher says that it is, or
    /// else beside the image.
    pub(crate) fn find_listed(&self, places: &[Artifact]) -> Result<Option<Listed>, SourceError> {
        for place in places.iter().filter_map(Artifact::manifest) {
            match self.get_small(&place.location, MAX_MANIFEST) {
                Ok(manifest) => return self.signed(places, &place, manifest).map(Some),
                Err(SourceError::Status { status, .. }) if (400..500).contains(&status) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The image at `places` with the manifest at `url`, whose server the user named as well.
    pub(crate) fn listed_at(&self, places: &[Artifact], url: &str) -> Result<Listed, SourceError> {
        let fetcher = self.naming(url)?;
        let place = ChunkList {
            signature: signature_url(url)?,
            location: url.to_owned(),
        };
        let manifest = fetcher.get_small(url, MAX_MANIFEST)?;
        fetcher.signed(places, &place, manifest)
    }

    fn signed(
        &self,
        places: &[Artifact],
        place: &ChunkList,
        manifest: Vec<u8>,
    ) -> Result<Listed, SourceError> {
        let signature = self.signature_at(&[&place.signature])?;
        let name = shown(&parse(&place.location)?);
        self.listed(places, name, manifest, signature)
    }

    /// The image at `places` with a manifest that was read before.
    pub(crate) fn listed(
        &self,
        places: &[Artifact],
        name: String,
        manifest: Vec<u8>,
        signature: Signature,
    ) -> Result<Listed, SourceError> {
        let places = super::urls(places)?;
        let http = self.http.part();
        let stop = http.cancel.clone();
        let (sender, notices) = channel();
        Ok(Listed {
            image: places.first().map(shown).unwrap_or_default(),
            name,
            manifest,
            signature,
            frames: Frames::Http(Box::new(HttpFrames {
                backoff: Backoff::new(http.access.retries, http.access.first_delay),
                http,
                places,
                place: 0,
                reading: None,
                broken: false,
                failures: Vec::new(),
                notices: sender,
            })),
            stop,
            notices: Some(notices),
        })
    }
}
