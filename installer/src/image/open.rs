//! An image, opened: the one place that decides which way it is read, and sees to it that somebody
//! vouches for it before a byte of it is.

use embed::digest::Sha256Digest;

use crate::cancel::Cancel;
use crate::observe::{FetchNotice, Observer};
use crate::pipeline::{Decoding, Extent, ImageError, MemoryBudget, Order, Pipeline, Reading};
use crate::source::listed::Listed;
use crate::source::located::Located;
use crate::source::{ExpectedDigest, ImageStream, Location, ManifestPlace, Signature, SourceError};
use crate::verify::{Check, Keyring, Means, SignaturePolicy, VerifyError, Vouched};

/// What must vouch for an image.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Where its chunk manifest is, if it is a packed one.
    pub manifest: &'a ManifestPlace,
    /// Where the signatures are.
    pub signature: SignaturePlace<'a>,
    /// The digest that its bytes as published must have. Makes a signature unnecessary, but one
    /// that is there must be good all the same.
    pub digest: Option<Sha256Digest>,
    /// What to do about an absent signature.
    pub policy: SignaturePolicy,
    /// Whose signatures count.
    pub keyring: &'a Keyring,
}

/// Where the signatures of an image are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignaturePlace<'a> {
    /// Beside what they are over: the image, or its chunk manifest.
    #[default]
    Beside,
    /// Here: over the image as published, which is read as one stream for it.
    Given(&'a [u8]),
    /// Nowhere: they are not looked at, for whoever only wants to see what is in an image.
    Ignored,
}

/// An image that can be read, and what will check it.
#[derive(Debug)]
pub(crate) enum OpenImage {
    /// As one stream.
    Stream(Box<(ImageStream, Check)>),
    /// By its chunk manifest.
    Listed(Box<Listed>, Vouched),
}

impl OpenImage {
    /// Opens the image at `source`, by its manifest if it has one.
    pub(crate) fn open(
        source: &Location,
        terms: &Terms<'_>,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Self, ImageError> {
        let located = source.locate(terms.digest, observer, cancel);
        let located = located.map_err(source_error)?;
        Self::at(&located, terms, observer)
    }

    /// Opens an image that was found.
    pub(crate) fn at(
        located: &Located<'_>,
        terms: &Terms<'_>,
        observer: &dyn Observer,
    ) -> Result<Self, ImageError> {
        if let Some((listed, vouched)) = vouched_list(located, terms, observer)? {
            return Ok(Self::Listed(Box::new(listed), vouched));
        }
        let mut stream = located.open().map_err(source_error)?;
        match terms.signature {
            SignaturePlace::Beside => {}
            SignaturePlace::Given(bytes) => stream.signature = Signature::Detached(bytes.to_vec()),
            SignaturePlace::Ignored => stream.signature = not_looked_at(),
        }
        stream.digest = ExpectedDigest::choose(&stream.name, stream.digest, terms.digest)
            .map_err(|error| ImageError::Verify(error.into()))?;
        let check = Check::prepare(&stream, terms.policy, terms.keyring);
        let check = check.map_err(ImageError::Verify)?;
        Ok(Self::Stream(Box::new((stream, check))))
    }

    pub(crate) fn means(&self) -> Means {
        match self {
            Self::Stream(stream) => stream.1.means(),
            Self::Listed(_, vouched) => vouched.means(),
        }
    }

    /// Refuses an image that is known not to fit into `memory`.
    pub(crate) fn check_memory(&self, memory: MemoryBudget) -> Result<(), ImageError> {
        let Self::Listed(listed, vouched) = self else {
            return Ok(());
        };
        let fits = memory.holds_chunks(vouched.manifest().chunk_size());
        fits.map_err(|source| ImageError::Decode {
            name: listed.image.clone(),
            source,
        })
    }

    /// Starts reading in order, with the default memory.
    pub(crate) fn start(self, extent: Extent, cancel: &Cancel) -> Pipeline {
        let memory = MemoryBudget::of_this_machine();
        self.start_within(extent, Order::Ascending, memory, cancel)
    }

    /// Starts reading. As one stream, all of the file is read whatever `extent` says.
    pub(crate) fn start_within(
        self,
        extent: Extent,
        order: Order,
        memory: MemoryBudget,
        cancel: &Cancel,
    ) -> Pipeline {
        match self {
            Self::Stream(stream) => {
                let reading = Reading {
                    decoding: Decoding::Detect,
                    order,
                    memory,
                };
                Pipeline::start(stream.0, stream.1, reading, cancel)
            }
            Self::Listed(listed, vouched) => {
                Pipeline::start_listed(*listed, vouched, extent, memory, cancel)
            }
        }
    }
}

/// The image's chunk manifest and that somebody vouches for it, if it is to be used.
///
/// One that is there must be good. One that nobody signed proves nothing: found by lookup, it is
/// used only if nothing at all vouches for the image and that is tolerated; named by the user, it
/// is used if an absent signature is tolerated and no digest is wanted.
pub(crate) fn vouched_list(
    located: &Located<'_>,
    terms: &Terms<'_>,
    observer: &dyn Observer,
) -> Result<Option<(Listed, Vouched)>, ImageError> {
    if matches!(terms.signature, SignaturePlace::Given(_)) {
        return Ok(None);
    }
    let Some(mut listed) = located.listed(terms.manifest).map_err(source_error)? else {
        return Ok(None);
    };
    if terms.signature == SignaturePlace::Ignored {
        listed.signature = not_looked_at();
    }
    let digest = ExpectedDigest::choose(&listed.image, located.digest(), terms.digest)
        .map_err(|error| ImageError::Verify(error.into()))?;
    if let Signature::Absent { looked_at, .. } = &listed.signature
        && !is_enough(located, terms, digest)?
    {
        observer.fetch(&FetchNotice::ManifestIgnored {
            manifest: listed.name,
            looked_at: looked_at.clone(),
        });
        return Ok(None);
    }
    let vouched = vouch(&listed, terms, digest).map_err(ImageError::Verify)?;
    Ok(Some((listed, vouched)))
}

/// Whether a manifest that nobody signed is looked at all the same.
fn is_enough(
    located: &Located<'_>,
    terms: &Terms<'_>,
    digest: Option<ExpectedDigest>,
) -> Result<bool, ImageError> {
    let named = matches!(
        terms.manifest,
        ManifestPlace::File(_) | ManifestPlace::Url(_)
    );
    Ok(match (terms.policy, named) {
        // What the user names must be good; this leads to the error that says why it is not.
        (SignaturePolicy::Require, true) => true,
        (SignaturePolicy::Require, false) => false,
        (SignaturePolicy::TolerateAbsent, _) if digest.is_some() => false,
        (SignaturePolicy::TolerateAbsent, true) => true,
        (SignaturePolicy::TolerateAbsent, false) => {
            terms.signature == SignaturePlace::Ignored
                || matches!(
                    located.signature().map_err(source_error)?,
                    Signature::Absent { .. }
                )
        }
    })
}

fn vouch(
    listed: &Listed,
    terms: &Terms<'_>,
    digest: Option<ExpectedDigest>,
) -> Result<Vouched, VerifyError> {
    let vouched = Vouched::check(
        &listed.name,
        &listed.manifest,
        &listed.signature,
        terms.policy,
        terms.keyring,
    )?;
    vouched.expect(digest.map(|digest| digest.sha256))?;
    Ok(vouched)
}

fn not_looked_at() -> Signature {
    Signature::Absent {
        looked_at: String::new(),
        status: None,
    }
}

fn source_error(error: SourceError) -> ImageError {
    match error {
        SourceError::Cancelled(cancelled) => cancelled.into(),
        error => ImageError::Source(error),
    }
}
