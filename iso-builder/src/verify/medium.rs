//! The checks of what is on an ISO: each reads one part and holds it against what another says.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use embed::contract::{initrd, iso as names};
use embed::digest::Sha256Digest;
use embed::initrd::{Archive, Limits};
use embed::iso::{Extent, IsoError, LiveIso, copy_with};
use embed::manifest::{Artifact, Manifest};
use embed::medium::LiveImage;
use embed::stream_hash::StreamHash;
use installer::disk::Window;
use sha2::{Digest as _, Sha256};

use super::{Verdict, VerifyIsoError, chain};
use crate::artifact::file_name;
use crate::inspect::Stamps;
use crate::tools::{ToolError, ToolPath};

/// What an initramfs of another builder leaves open.
const NO_IMAGE: &str = "the initramfs names none: another builder made it";

/// An opened ISO.
pub(super) struct Medium {
    path: PathBuf,
    whole: Window,
    pub(super) iso: LiveIso<Window>,
}

impl Medium {
    pub(super) fn open(path: &Path) -> Result<Self, VerifyIsoError> {
        let read = |source| VerifyIsoError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(read)?;
        let whole = Window::whole(Arc::new(file)).map_err(read)?;
        let iso = LiveIso::open(whole.clone()).map_err(|source| VerifyIsoError::NotLive {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            whole,
            iso,
        })
    }

    fn not_live(&self) -> impl Fn(IsoError) -> VerifyIsoError + use<> {
        let path = self.path.clone();
        move |source| VerifyIsoError::NotLive {
            path: path.clone(),
            source,
        }
    }

    fn find(&mut self, path: &str) -> Result<Option<Extent>, VerifyIsoError> {
        let failed = self.not_live();
        self.iso.files().find(path).map_err(failed)
    }

    /// The bytes of a file of the ISO.
    fn content(&self, extent: Extent) -> Window {
        // The reader of the tree checked that it lies inside.
        let part = self.whole.part(extent.offset, extent.length);
        part.unwrap_or_else(|| self.whole.clone())
    }

    /// Whether each chunk of the rootfs is one that the initramfs waits for.
    pub(super) fn rootfs(&mut self, want: Option<&StreamHash>) -> Result<Verdict, VerifyIsoError> {
        let Some(extent) = self.find(names::ROOTFS)? else {
            return Ok(Verdict::Absent(
                "not on this ISO, which fetches it".to_owned(),
            ));
        };
        let Some(want) = want else {
            let missing = format!("the initramfs has no {}", initrd::WANT_ROOTFS);
            return Ok(Verdict::Bad(missing));
        };
        let read = io::copy(&mut want.verify(self.content(extent)), &mut io::sink());
        Ok(match read {
            Ok(_) => Verdict::Good(format!("{} chunks as in the initramfs", want.chunks())),
            Err(error) => Verdict::Bad(error.to_string()),
        })
    }

    /// Whether rootfs and initramfs are of one build.
    pub(super) fn version(&mut self, stamps: &Stamps) -> Result<Verdict, VerifyIsoError> {
        let Some(extent) = self.find(names::ROOTFS)? else {
            return Ok(Verdict::Absent("no rootfs".to_owned()));
        };
        let content = io::BufReader::new(self.content(extent));
        let stamp =
            Archive::read_matching(content, Limits::IMAGE, |path| path == initrd::ROOTFS_STAMP);
        let found = match stamp {
            Err(error) => return Ok(Verdict::Bad(chain(&error))),
            Ok(archive) => archive
                .get(initrd::ROOTFS_STAMP)
                .map(|text| String::from_utf8_lossy(text).trim_end().to_owned()),
        };
        Ok(if found == stamps.version && found.is_some() {
            Verdict::Good(found.unwrap_or_default())
        } else {
            let name = |version: Option<&str>| version.unwrap_or("no version").to_owned();
            Verdict::Bad(format!(
                "the rootfs says {}, the initramfs {}",
                name(found.as_deref()),
                name(stamps.version.as_deref())
            ))
        })
    }

    /// Whether the OS image in the rootfs is the one that the initramfs names.
    pub(super) fn image(
        &mut self,
        unsquashfs: &ToolPath,
        want: Option<&LiveImage>,
    ) -> Result<Verdict, VerifyIsoError> {
        let Some(rootfs) = self.find(names::ROOTFS)? else {
            return Ok(Verdict::Absent("no rootfs".to_owned()));
        };
        let Some(want) = want else {
            return Ok(Verdict::Absent(NO_IMAGE.to_owned()));
        };
        let offset = rootfs.offset + initrd::SQUASHFS_OFFSET;
        let mut command = unsquashfs.command();
        command
            .args(["-offset", &offset.to_string(), "-cat"])
            .arg(&self.path)
            .arg(initrd::DISK_IMAGE)
            .stdin(Stdio::null());
        let (sha256, size) = match unsquashfs.digest_of_output(command) {
            Err(error @ ToolError::Start { .. }) => return Err(VerifyIsoError::Tool(error)),
            Err(error) => return Ok(Verdict::Bad(error.to_string())),
            Ok(digest) => digest,
        };
        let found = format!("{size} bytes, sha256 {sha256}");
        Ok(if (sha256, size) == (want.sha256, want.size) {
            Verdict::Good(format!("{} {}, {found}", want.name, want.version))
        } else {
            Verdict::Bad(format!(
                "it has {found}; the initramfs names {} bytes, sha256 {}",
                want.size, want.sha256
            ))
        })
    }

    /// Whether the manifest describes what is on the ISO.
    pub(super) fn listed(
        &mut self,
        manifest: &Manifest,
        stamps: &Stamps,
    ) -> Result<Vec<(&'static str, Verdict)>, VerifyIsoError> {
        let mut found = Vec::new();
        for (what, path, listed) in [
            ("manifest: kernel", names::KERNEL, &manifest.kernel),
            ("manifest: initramfs", names::INITRAMFS, &manifest.initramfs),
            ("manifest: rootfs", names::ROOTFS, &manifest.rootfs),
        ] {
            let verdict = match self.find(path)? {
                None => Verdict::Absent("not on this ISO".to_owned()),
                Some(extent) => compare(self.digest(self.content(extent))?, listed),
            };
            found.push((what, verdict));
        }
        let source = &manifest.source;
        let same = match &stamps.image {
            None => Verdict::Absent(NO_IMAGE.to_owned()),
            Some(image) if image == source => {
                Verdict::Good(format!("{} {}", source.name, source.version))
            }
            Some(_) => Verdict::Bad("it describes another image than the initramfs".to_owned()),
        };
        found.push(("manifest: image", same));
        found.push(("manifest: iso", self.whole_iso(manifest)?));
        Ok(found)
    }

    /// Whether the ISO, less what was embedded in it, is the one that the manifest lists.
    fn whole_iso(&mut self, manifest: &Manifest) -> Result<Verdict, VerifyIsoError> {
        let Some(listed) = &manifest.iso else {
            return Ok(Verdict::Absent("it lists no ISO".to_owned()));
        };
        if self.find(names::ROOTFS)?.is_none() {
            let minimal = "this is the minimal ISO, and the full one is listed";
            return Ok(Verdict::Absent(minimal.to_owned()));
        }
        let own = file_name(&self.path).unwrap_or_default();
        let as_it_is = compare(self.digest(self.whole.clone())?, listed);
        let failed = self.not_live();
        if matches!(as_it_is, Verdict::Good(_)) || self.iso.is_pristine().map_err(&failed)? {
            return Ok(as_it_is);
        }
        let regions = self.iso.reset().map_err(failed)?;
        let mut hasher = Hashed::default();
        copy_with(self.whole.clone(), &mut hasher, &regions).map_err(self.unreadable())?;
        let pristine = (Sha256Digest::finish(hasher.0), self.whole.len());
        Ok(match compare(pristine, listed) {
            Verdict::Good(text) => {
                Verdict::Good(format!("{text}, but for what is embedded in {own}"))
            }
            other => other,
        })
    }

    fn digest(&self, content: impl Read) -> Result<(Sha256Digest, u64), VerifyIsoError> {
        Sha256Digest::of_reader(content).map_err(self.unreadable())
    }

    fn unreadable(&self) -> impl FnOnce(io::Error) -> VerifyIsoError + use<> {
        let path = self.path.clone();
        move |source| VerifyIsoError::Read { path, source }
    }
}

/// Keeps only the digest of what is written to it.
#[derive(Default)]
struct Hashed(Sha256);

impl io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn compare((sha256, size): (Sha256Digest, u64), listed: &Artifact) -> Verdict {
    if (sha256, size) == (listed.sha256, listed.size) {
        return Verdict::Good(format!("{} with sha256 {sha256}", listed.file));
    }
    Verdict::Bad(format!(
        "it has {size} bytes, sha256 {sha256}; the manifest lists {} bytes, sha256 {}",
        listed.size, listed.sha256
    ))
}
