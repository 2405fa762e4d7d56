//! The image of an install, opened: which way it is read, and that somebody vouches for it before
//! a byte of it is.

use crate::cancel::Cancel;
use crate::observe::Observer;
use crate::pipeline::{Decoding, Pipeline};
use crate::source::listed::Listed;
use crate::source::{ExpectedDigest, ImageStream, Signature};
use crate::verify::{Check, Means, VerifyError, Vouched};

use super::{InstallCause, Request, source_cause};

/// An image that can be read, and what will check it.
pub(super) enum OpenImage {
    /// As one stream.
    Stream(Box<(ImageStream, Check)>),
    /// By its chunk manifest.
    Listed(Box<Listed>, Vouched),
}

impl OpenImage {
    /// Opens the image, by its manifest if it has one.
    pub(super) fn of(
        request: &Request<'_>,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Self, InstallCause> {
        let source = &request.source;
        let listed = source.listed(&request.manifest, observer, cancel);
        if let Some(listed) = listed.map_err(source_cause)? {
            // A digest is about the published file, and what an unsigned manifest says of that file
            // is nothing to rely on. Then all of it is read.
            let unsigned = matches!(listed.signature, Signature::Absent { .. });
            if request.digest.is_none() || !unsigned {
                let vouched = vouch(&listed, request).map_err(InstallCause::Verify)?;
                return Ok(Self::Listed(Box::new(listed), vouched));
            }
        }
        let mut stream = source.open(observer, cancel).map_err(source_cause)?;
        stream.digest = ExpectedDigest::choose(&stream.name, stream.digest, request.digest)
            .map_err(|error| InstallCause::Verify(error.into()))?;
        let check = Check::prepare(&stream, request.policy, &request.keyring)
            .map_err(InstallCause::Verify)?;
        Ok(Self::Stream(Box::new((stream, check))))
    }

    pub(super) fn means(&self) -> Means {
        match self {
            Self::Stream(stream) => stream.1.means(),
            Self::Listed(_, vouched) => vouched.means(),
        }
    }

    pub(super) fn start(self, cancel: &Cancel) -> Pipeline {
        match self {
            Self::Stream(stream) => Pipeline::start(stream.0, stream.1, Decoding::Detect, cancel),
            Self::Listed(listed, vouched) => Pipeline::start_listed(*listed, vouched, cancel),
        }
    }
}

fn vouch(listed: &Listed, request: &Request<'_>) -> Result<Vouched, VerifyError> {
    let vouched = Vouched::check(
        &listed.name,
        &listed.manifest,
        &listed.signature,
        request.policy,
        &request.keyring,
    )?;
    vouched.expect(request.digest)?;
    Ok(vouched)
}
