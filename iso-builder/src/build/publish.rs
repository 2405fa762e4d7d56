//! The end of a build: the published image beside the media, the manifest, signatures, and the
//! move of everything into place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use embed::manifest::{ChunkList, ImageArtifact, Manifest};
use installer::sign::Signer;

use super::{BuildError, Builder, MANIFEST, output};
use crate::artifact;
use crate::unpack::{self, Unpacked};

impl Builder<'_> {
    /// Puts the published image beside the media, with whatever vouches for it.
    pub(super) fn publish_image(
        &self,
        image: &Path,
        unpacked: &Unpacked,
    ) -> Result<ImageArtifact, BuildError> {
        let name = self.publish(image)?;
        let target = self.done.path().join(&name);
        let artifact = artifact::describe(&target).map_err(output(&target))?;
        let signature = match &unpacked.signature {
            Some(signature) => Some(self.publish_as(signature, signature_of(&name))?),
            None => None,
        };
        let chunks = match &unpacked.list {
            Some(list) => Some(self.publish_list(list)?),
            None => None,
        };
        Ok(ImageArtifact {
            artifact,
            signature,
            chunks,
        })
    }

    fn publish_list(&self, list: &Path) -> Result<ChunkList, BuildError> {
        let signature = unpack::signature_of(list);
        Ok(ChunkList {
            file: self.publish(list)?,
            signature: match signature.exists() {
                true => Some(self.publish(&signature)?),
                false => None,
            },
        })
    }

    /// Puts a file beside the media; its name.
    fn publish(&self, file: &Path) -> Result<String, BuildError> {
        let name = artifact::file_name(file).map_err(output(file))?;
        self.publish_as(file, name)
    }

    /// Puts a file beside the media under `name`, as a link where the file system allows it.
    fn publish_as(&self, file: &Path, name: String) -> Result<String, BuildError> {
        link_or_copy(file, &self.done.path().join(&name))?;
        Ok(name)
    }

    /// Writes the manifest, signs it and the ISO if there is a signer, and moves everything into
    /// place. A signature of an earlier build is taken away before what it was for is replaced.
    /// Gives the signer's fingerprint.
    pub(super) fn finish(
        &self,
        manifest: &Manifest,
        signer: Option<Signer>,
    ) -> Result<Option<String>, BuildError> {
        let staged = self.done.path().join(MANIFEST);
        fs::write(&staged, manifest.to_json()).map_err(output(&staged))?;
        let iso = manifest.iso.as_ref().map(|iso| iso.file.as_str());
        let signable: Vec<&str> = iso.into_iter().chain([MANIFEST]).collect();
        let mut results: Vec<String> = manifest
            .file_names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let signed_by = match signer {
            Some(mut signer) => {
                for name in &signable {
                    self.sign(&mut signer, name)?;
                    results.push(signature_of(name));
                }
                Some(signer.into_fingerprint())
            }
            None => None,
        };
        results.push(MANIFEST.to_owned());
        for name in &signable {
            remove_if_there(&self.options.out.join(signature_of(name)))?;
        }
        for name in results {
            let to = self.options.out.join(&name);
            fs::rename(self.done.path().join(&name), &to).map_err(output(&to))?;
        }
        Ok(signed_by)
    }

    fn sign(&self, signer: &mut Signer, name: &str) -> Result<(), BuildError> {
        let signature = signer
            .sign(&self.done.path().join(name))
            .map_err(BuildError::Sign)?;
        let path = self.done.path().join(signature_of(name));
        fs::write(&path, signature).map_err(output(&path))
    }
}

fn signature_of(name: &str) -> String {
    format!("{name}.sig")
}

fn remove_if_there(path: &PathBuf) -> Result<(), BuildError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(output(path)(error)),
        _ => Ok(()),
    }
}

/// Puts the file at `from` at `to` as well.
pub(super) fn link_or_copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    // A link to a symbolic link would point nowhere from the new place.
    let real = fs::canonicalize(from).map_err(output(from))?;
    if fs::hard_link(&real, to).is_err() {
        fs::copy(&real, to).map_err(output(to))?;
    }
    Ok(())
}
