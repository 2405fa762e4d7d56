//! A build as one file that is carried to where there is no internet: a tar archive of the manifest
//! and the files with their signatures. Whoever takes it in believes nothing of it: names and sizes
//! are bounded, every file is verified anew, and the manifest is made anew.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{self, BufReader, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use embed::chunks::MAX_MANIFEST;
use embed::manifest::Manifest;
use installer::cancel::Cancel;
use installer::observe::Observer;
use installer::verify::{Keyring, verify_detached};
use tar::{Archive, Builder, Entry, EntryType, Header};

use super::build::{Gathered, artifact, files, read_small};
use super::error::failed;
use super::shelf::remove;
use super::{BundleFault, Found, MANIFEST, MirrorError, PlainName, Shelf};

/// Largest manifest of a bundle and largest signature that are read, bytes.
const MAX_SMALL: u64 = 1024 * 1024;
/// Bytes that are copied before anybody looks whether to stop.
const PIECE: u64 = 8 * 1024 * 1024;

/// Writes the current build to the new file `bundle`; its release.
pub fn export(shelf: &Shelf, bundle: &Path, cancel: &Cancel) -> Result<PlainName, MirrorError> {
    let index = shelf.index()?;
    let index = index.ok_or_else(|| MirrorError::Empty(shelf.dir().to_owned()))?;
    let dir = shelf.build(&index.current);
    let unusable = |fault| refused(&dir.join(MANIFEST), fault);
    let text = read_small(&dir.join(MANIFEST), MAX_SMALL)?;
    let manifest = Manifest::parse(&text).map_err(|e| unusable(BundleFault::Manifest(e)))?;
    let parent = bundle.parent().filter(|dir| !dir.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let hidden = tempfile::Builder::new()
        .prefix(".bundle-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(parent);
    let hidden = hidden.map_err(failed("write to", parent))?;
    let mut tar = Builder::new(hidden.as_file());
    for name in std::iter::once(MANIFEST.to_owned()).chain(files(&manifest)) {
        cancel.check()?;
        let path = dir.join(&name);
        append(&mut tar, &name, &path).map_err(failed("copy", &path))?;
    }
    let settle = || tar.into_inner()?.sync_all();
    settle().map_err(failed("write", bundle))?;
    let named = hidden.persist_noclobber(bundle);
    named.map_err(|error| failed("make", bundle)(error.error))?;
    Ok(index.current)
}

/// Appends a file. Its time and owner say nothing: the same build gives the same bundle.
fn append(tar: &mut Builder<impl Write>, name: &str, path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(file.metadata()?.len());
    header.set_mode(0o644);
    header.set_path(name)?;
    header.set_cksum();
    tar.append(&header, file)
}

fn refused(bundle: &Path, source: BundleFault) -> MirrorError {
    MirrorError::Bundle {
        path: bundle.to_owned(),
        source,
    }
}

/// Takes a build in out of the file `bundle`, unless the shelf has it.
pub fn import(
    shelf: &Shelf,
    bundle: &Path,
    keyring: &Keyring,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Found, MirrorError> {
    let fault = |source| refused(bundle, source);
    let file = File::open(bundle).map_err(failed("read", bundle))?;
    let mut archive = Archive::new(BufReader::new(file));
    // As they are written: no member says where another one goes, or how long its name is.
    let members = archive.entries().map_err(BundleFault::Read);
    let mut members = members.map_err(fault)?.raw(true);
    let manifest = manifest(members.next()).map_err(fault)?;
    let release = release(shelf, &manifest)?;
    if shelf.has(&release) {
        return Ok(Found::There(release));
    }
    let expected = Expected::of(&manifest).map_err(fault)?;
    let dir = shelf.empty_incoming(&release)?;
    let take = || {
        let mut left = expected.members;
        for member in members {
            let (name, size, mut member) = opened(member).map_err(fault)?;
            let Some(limit) = left.remove(&name) else {
                return Err(fault(BundleFault::Unexpected(name)));
            };
            limit.check(&name, size).map_err(fault)?;
            write(&mut member, size, &dir.join(name.as_str()), cancel)?
                .map_err(|error| fault(BundleFault::Read(error)))?;
        }
        if let Some(name) = left.into_keys().next() {
            return Err(fault(BundleFault::Absent(name)));
        }
        let [kernel, initramfs, rootfs] = expected.parts;
        for name in [&kernel, &initramfs, &rootfs] {
            verify(&dir, name, keyring)?;
        }
        let gathered = Gathered {
            kernel,
            initramfs,
            rootfs,
            image: expected.image,
            dir: dir.clone(),
            release,
        };
        gathered.verify(shelf, keyring, observer, cancel)
    };
    let taken = take();
    if taken.is_err() {
        remove(&dir)?;
    }
    Ok(Found::New(Box::new(taken?)))
}

type Member<'a> = Entry<'a, BufReader<File>>;

/// A member's name, size and bytes.
fn opened(member: io::Result<Member<'_>>) -> Result<(PlainName, u64, Member<'_>), BundleFault> {
    let member = member.map_err(BundleFault::Read)?;
    let path = member.path_bytes();
    let name = std::str::from_utf8(&path).ok();
    let name = name.ok_or(BundleFault::Member(None))?.parse::<PlainName>();
    let name = name.map_err(|error| BundleFault::Member(Some(error)))?;
    drop(path);
    if member.header().entry_type() != EntryType::Regular {
        return Err(BundleFault::Member(None));
    }
    Ok((name, member.size(), member))
}

/// The first member.
fn manifest(first: Option<io::Result<Member<'_>>>) -> Result<Manifest, BundleFault> {
    let (name, size, member) = opened(first.ok_or(BundleFault::NoManifest)?)?;
    if name.as_str() != MANIFEST {
        return Err(BundleFault::NoManifest);
    }
    Limit::AtMost(MAX_SMALL).check(&name, size)?;
    let mut text = Vec::new();
    let read = member.take(MAX_SMALL).read_to_end(&mut text);
    read.map_err(BundleFault::Read)?;
    Manifest::parse(&text).map_err(BundleFault::Manifest)
}

/// What a bundle's build is called; it is one of the shelf's stream.
fn release(shelf: &Shelf, manifest: &Manifest) -> Result<PlainName, MirrorError> {
    let source = &manifest.source;
    let (want, got) = (
        format!("{} for {}", shelf.stream(), shelf.architecture()),
        format!("{} for {}", source.name, source.architecture),
    );
    if want != got {
        let got = got.escape_debug().take(160).collect();
        return Err(MirrorError::OtherStream { want, got });
    }
    let what = "release";
    let release = source.version.parse();
    release.map_err(|source| MirrorError::Name { what, source })
}

/// What a bundle of a build consists of, beside its manifest.
struct Expected {
    members: BTreeMap<PlainName, Limit>,
    parts: [PlainName; 3],
    image: PlainName,
}

/// How large a member is.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Exactly(u64),
    AtMost(u64),
}

impl Limit {
    fn check(self, name: &PlainName, got: u64) -> Result<(), BundleFault> {
        let (fits, want) = match self {
            Self::Exactly(want) => (got == want, want),
            Self::AtMost(want) => (got <= want, want),
        };
        let name = name.clone();
        fits.then_some(())
            .ok_or(BundleFault::Size { name, got, want })
    }
}

impl Expected {
    fn of(manifest: &Manifest) -> Result<Self, BundleFault> {
        let mut members = BTreeMap::new();
        let mut add = |file: &str, limit| {
            let name: Result<PlainName, _> = file.parse();
            let name = name.map_err(|error| BundleFault::Member(Some(error)))?;
            match members.insert(name.clone(), limit) {
                Some(_) => Err(BundleFault::Unexpected(name)),
                None => Ok(name),
            }
        };
        let image = manifest.image.as_ref().ok_or(BundleFault::NoImage)?;
        let mut part = |part: &embed::manifest::Artifact| {
            add(&format!("{}.sig", part.file), Limit::AtMost(MAX_SMALL))?;
            add(&part.file, Limit::Exactly(part.size))
        };
        let parts = [
            part(&manifest.kernel)?,
            part(&manifest.initramfs)?,
            part(&manifest.rootfs)?,
        ];
        let list = image.chunks.as_ref();
        let listed = list.and_then(|list| list.signature.as_ref());
        for signature in image.signature.iter().chain(listed) {
            add(signature, Limit::AtMost(MAX_SMALL))?;
        }
        if let Some(list) = list {
            add(&list.file, Limit::AtMost(MAX_MANIFEST))?;
        }
        let image = add(&image.artifact.file, Limit::Exactly(image.artifact.size))?;
        Ok(Self {
            members,
            parts,
            image,
        })
    }
}

/// Writes a member to a new file; the inner error is one of reading it.
fn write(
    member: &mut Member<'_>,
    size: u64,
    path: &Path,
    cancel: &Cancel,
) -> Result<io::Result<()>, MirrorError> {
    let mut file = File::create_new(path).map_err(failed("write", path))?;
    let (mut left, mut piece) = (size, Vec::new());
    while left > 0 {
        cancel.check()?;
        piece.clear();
        match member
            .by_ref()
            .take(PIECE.min(left))
            .read_to_end(&mut piece)
        {
            Ok(0) => return Ok(Err(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        file.write_all(&piece).map_err(failed("write", path))?;
        left = left.saturating_sub(piece.len() as u64);
    }
    Ok(Ok(()))
}

/// Verifies a file by the signature beside it.
fn verify(dir: &Path, name: &PlainName, keyring: &Keyring) -> Result<(), MirrorError> {
    let path = dir.join(name.as_str());
    let signature = read_small(&dir.join(format!("{name}.sig")), MAX_SMALL)?;
    let size = artifact(&path)?.size;
    let file = File::open(&path).map_err(failed("read", &path))?;
    let verified = verify_detached(name.as_str(), file, size, &signature, keyring);
    let file = name.clone();
    verified
        .map(drop)
        .map_err(|source| MirrorError::Verify { file, source })
}

#[cfg(test)]
mod tests;
