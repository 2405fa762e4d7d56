//! `pxe-server mirror`: keeps a stream's newest builds as media, from servers or from a bundle.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, ValueHint};
use installer::cancel::Cancel;
use installer::cli::{AccessArgs, KeyringArgs, Watcher, cancel_on_signals};
use installer::plan::ProgressForm;

use crate::mirror::{Kept, PlainName, Shelf, Wanted, export, fetch, import};
use crate::site::{MirroredMedia, Site};

pub(super) const EXAMPLES: &str = "\
Examples:
  What site.yaml names under `media`, for a timer to run:
    pxe-server mirror --site ./site --fetch-retries 10
  The newest stable build, to carry to where there is no internet:
    pxe-server mirror --stream stable --arch x86_64 --into /srv/mirror
    pxe-server mirror --stream stable --into /srv/mirror --export stable.tar
  And there:
    pxe-server mirror --stream stable --into /srv/mirror --from stable.tar";

#[derive(Debug, Args)]
pub(super) struct MirrorArgs {
    /// Take mirror, stream and architecture from this site's `media`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(conflicts_with_all = ["into", "stream", "arch"])]
    site: Option<PathBuf>,
    /// Directory of the mirror
    #[arg(long, value_name = "DIR", default_value = "mirror", value_hint = ValueHint::DirPath)]
    into: PathBuf,
    /// Stream
    #[arg(long, value_name = "NAME", default_value = "stable")]
    stream: PlainName,
    /// Architecture
    #[arg(long, value_name = "NAME", default_value_t = PlainName::x86_64())]
    arch: PlainName,
    /// Where the stream's metadata is [default: Fedora CoreOS's own]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    url: Option<String>,
    /// Where else the files are, if fetching them fails [repeatable]
    ///
    /// A directory with files of the same names; URL ends in a slash. The signatures lie beside
    /// them.
    #[arg(long, value_name = "URL", value_parser = directory, value_hint = ValueHint::Url)]
    mirror: Vec<String>,
    /// Format of the image that is kept beside kernel, initramfs and rootfs
    #[arg(long, value_name = "NAME", default_value = "raw.xz")]
    format: PlainName,
    /// How many builds to keep; those that a server uses are kept beside them
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    keep: u32,
    /// Write the newest build of the mirror to this new file, and fetch nothing
    #[arg(long, value_name = "BUNDLE", value_hint = ValueHint::FilePath)]
    export: Option<PathBuf>,
    /// Take the build in this file, and fetch nothing
    #[arg(long, value_name = "BUNDLE", conflicts_with = "export", value_hint = ValueHint::FilePath)]
    from: Option<PathBuf>,
    #[command(flatten)]
    keyring: KeyringArgs,
    #[command(flatten)]
    access: AccessArgs,
    /// How progress is shown on stderr
    #[arg(long, value_name = "FORM", value_enum, default_value = "auto")]
    progress: ProgressForm,
}

/// Several files have one mirror: it cannot be a file itself.
fn directory(url: &str) -> Result<String, &'static str> {
    let is_directory = url.ends_with('/');
    is_directory
        .then(|| url.to_owned())
        .ok_or("a mirror of several files is a directory, and ends with a slash")
}

pub(super) fn run(args: MirrorArgs) -> anyhow::Result<()> {
    let place = place(&args)?;
    let pinned: Vec<PlainName> = place.release.into_iter().collect();
    let shelf = Shelf::open(&place.mirror, place.stream, place.arch)?;
    let cancel = cancel_on_signals()?;
    if let Some(bundle) = &args.export {
        let release = export(&shelf, bundle, &cancel)?;
        writeln!(std::io::stdout(), "{release} is in {}", bundle.display())?;
        return Ok(());
    }
    let watcher = Watcher::new(args.progress);
    let kept = take_in(args, &shelf, &pinned, &watcher, &cancel);
    watcher.finish();
    let kept = kept?;
    if watcher.result(&kept)? {
        return Ok(());
    }
    tell(&shelf, &kept)
}

/// Which stream is mirrored, and where to.
fn place(args: &MirrorArgs) -> anyhow::Result<MirroredMedia> {
    let Some(site) = &args.site else {
        return Ok(MirroredMedia {
            mirror: args.into.clone(),
            stream: args.stream.clone(),
            arch: args.arch.clone(),
            release: None,
        });
    };
    match Site::mirrored_media(site)? {
        Some(media) => Ok(media),
        None => bail!(
            "`media` of {} is a directory, not a mirror",
            site.join("site.yaml").display()
        ),
    }
}

fn take_in(
    args: MirrorArgs,
    shelf: &Shelf,
    pinned: &[PlainName],
    watcher: &Watcher,
    cancel: &Cancel,
) -> anyhow::Result<Kept> {
    let keep = usize::try_from(args.keep)?;
    let keyring = args.keyring.into_keyring();
    let found = match &args.from {
        Some(bundle) => import(shelf, bundle, &keyring, watcher, cancel),
        None => {
            let wanted = Wanted {
                url: args.url,
                mirrors: args.mirror,
                image_format: args.format,
                access: args.access.into_access(),
            };
            fetch(shelf, &wanted, &keyring, watcher, cancel)
        }
    };
    let stream = shelf.stream();
    let kept = found.and_then(|found| shelf.keep(found, keep, pinned));
    kept.with_context(|| format!("nothing new of stream {stream} is mirrored"))
}

fn tell(shelf: &Shelf, kept: &Kept) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let dir = shelf.build(&kept.current);
    let what = if kept.was_there {
        "was there already"
    } else {
        "is verified and current"
    };
    writeln!(out, "{} {what}: {}", kept.current, dir.display())?;
    for release in &kept.removed {
        writeln!(out, "{release} is removed")?;
    }
    for release in &kept.in_use {
        writeln!(out, "{release} is kept: a server uses it")?;
    }
    Ok(())
}
