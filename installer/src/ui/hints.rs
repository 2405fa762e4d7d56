//! From typed errors to hints and exit statuses: the one place that knows both.

use std::error::Error;
use std::io;

use embed::customize::CustomizeError;
use embed::iso::{IsoError, MinimalError};
use embed::kargs::KargsError;
use embed::network::NetworkError;

use crate::cli::{CliError, MediaError};
use crate::decode::DecodeError;
use crate::disk::{BootError, ChooseError, SavedError, TargetError, Use};
use crate::firmware::FirmwareError;
use crate::firstboot::FirstBootError;
use crate::pack_image::PackError;
use crate::plan::PlanError;
use crate::retrofit::RetrofitError;
use crate::seal::SealError;
use crate::sign::SignError;
use crate::source::SourceError;
use crate::verify::VerifyError;

/// For images that lack what a CoreOS-style image has.
const NOT_COREOS: &str = "configs, platforms, consoles and kernel arguments need a CoreOS-style \
    metal image; without these options any image can be installed";

/// How to fix it, where that is known. The outermost cause with a hint decides.
pub(super) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        of(cause, cli)
            .or_else(|| of(cause, media))
            .or_else(|| of(cause, network))
            .or_else(|| of(cause, minimal))
            .or_else(|| of(cause, customize))
            .or_else(|| of(cause, plan))
            .or_else(|| of(cause, pack))
            .or_else(|| of(cause, sign))
            .or_else(|| of(cause, iso))
            .or_else(|| of(cause, kargs))
            .or_else(|| of(cause, verify))
            .or_else(|| of(cause, source))
            .or_else(|| of(cause, target))
            .or_else(|| of(cause, choose))
            .or_else(|| of(cause, saved))
            .or_else(|| of(cause, seal))
            .or_else(|| of(cause, decode))
            .or_else(|| of(cause, boot))
            .or_else(|| of(cause, first_boot))
            .or_else(|| of(cause, retrofit))
            .or_else(|| of(cause, firmware))
            .or_else(|| of(cause, system))
    })
}

/// 2 where the command line or a config file asks for something contradictory, else 1.
pub(super) fn exit_status(error: &anyhow::Error) -> u8 {
    let usage = matches!(
        error.downcast_ref(),
        Some(
            PlanError::Conflict { .. }
                | PlanError::Needs { .. }
                | PlanError::Hashes { .. }
                | PlanError::NoTarget
                | PlanError::TwoTargets { .. }
                | PlanError::SaveFilter { .. }
                | PlanError::Word { .. }
        )
    );
    let usage = usage || matches!(error.downcast_ref(), Some(CliError::NoSchema { .. }));
    if usage { super::USAGE } else { 1 }
}

fn of<E: Error + 'static>(
    error: &(dyn Error + 'static),
    hint: fn(&E) -> Option<&'static str>,
) -> Option<&'static str> {
    error.downcast_ref().and_then(hint)
}

fn cli(error: &CliError) -> Option<&'static str> {
    Some(match error {
        CliError::AlreadyEmbedded { .. } => {
            "`--force` replaces it; `coreos-installer iso ignition show` prints it"
        }
        CliError::NotEmbedded { .. } => {
            "`iso ignition embed` and `pxe ignition wrap` put a config there"
        }
        CliError::AlreadyCustomized { .. } => "`--force` starts again from the pristine image",
        CliError::NoFeature { .. } => "take a newer live image",
        CliError::NothingVouches { .. } => {
            "name the signature after the image, or give the image's `--image-digest`"
        }
        CliError::BinaryToTerminal => "name a file with `--output`, or redirect standard output",
        CliError::ConfigDigest { .. } => {
            "if the config was changed on purpose, give its new digest with `--ignition-hash`"
        }
        CliError::Refused { count } if count.errors == 0 => "without `--strict` warnings are fine",
        CliError::Undeliverable { .. } => {
            "`coreos-installer ignition validate` checks it; `--no-validate` takes it as it is"
        }
        CliError::SeveralMachineConfigs => "`--raw` merges them as plain Ignition",
        CliError::Downgrade { .. } => "configs are only ever brought to newer specs",
        CliError::Experimental(_) => "allow it with `--experimental`",
        CliError::NewerSpec(_) => "take a newer release of this program",
        CliError::Refused { .. }
        | CliError::Told
        | CliError::NoSchema { .. }
        | CliError::NoSpec(_) => return None,
    })
}

fn media(error: &MediaError) -> Option<&'static str> {
    Some(match error {
        MediaError::NetworkEmbedded { .. } => {
            "`--force` replaces them; `coreos-installer iso network extract` prints them"
        }
        MediaError::NoNetwork { .. } => {
            "`iso network embed` and `pxe network wrap` put keyfiles there"
        }
        MediaError::Embedded { .. } => {
            "`coreos-installer iso reset` makes it pristine; with `-o` in a new file"
        }
        MediaError::NoMinimal { .. } => "take an image whose build packed one",
        MediaError::NotLive { .. } => {
            "take the initramfs of a live PXE set; `iso extract pxe` gives one"
        }
        MediaError::CustomizedInitrd { .. } => "start from the initramfs as it was published",
        MediaError::Nmstate { .. } => {
            "make keyfiles with `nmstatectl gc FILE`, and give them with `--network-keyfile`"
        }
        MediaError::RootfsUrl(_) => "write white space as %20",
    })
}

fn network(error: &NetworkError) -> Option<&'static str> {
    match error {
        NetworkError::Duplicate(_) => {
            Some("files are stored by their own name; rename one of them")
        }
        _ => None,
    }
}

fn customize(error: &CustomizeError) -> Option<&'static str> {
    match error {
        CustomizeError::Duplicate(_) => {
            Some("files are stored by their own name; rename one of them")
        }
        CustomizeError::HookName(_) => Some("letters, digits and the characters `:-_.@` can be"),
        _ => None,
    }
}

fn minimal(error: &MinimalError) -> Option<&'static str> {
    match error {
        MinimalError::Digest { .. } => Some("download the image again; it was damaged or edited"),
        _ => None,
    }
}

fn plan(error: &PlanError) -> Option<&'static str> {
    Some(match error {
        PlanError::ConfigFile { .. } => {
            "keys are the long option names of `coreos-installer install --help`"
        }
        PlanError::TwoTargets { .. } => "name it once, in one config file or on the command line",
        PlanError::NoTarget => "name it as `dest-device` in a config file, or on the command line",
        PlanError::IgnitionInsecure { .. } => {
            "give its digest with `--ignition-hash`, use https, or allow it with `--insecure-ignition`"
        }
        PlanError::IgnitionScheme { .. } => "for a local config use `--ignition-file`",
        PlanError::SaveFilter { .. } => {
            "labels: `data*,log`; indexes: `4`, `5-7`, `5-`, `-7`, in a comma list"
        }
        _ => return None,
    })
}

fn pack(error: &PackError) -> Option<&'static str> {
    match error {
        PackError::NotRaw { .. } => Some("unpack it first: an image is packed as it is on a disk"),
        PackError::Manifest(_) | PackError::SeekTable(_) => {
            Some("take larger chunks with `--chunk-size`")
        }
        _ => None,
    }
}

fn sign(error: &SignError) -> Option<&'static str> {
    match error {
        SignError::NoKey { .. } => Some("`gpg --list-secret-keys` shows what keys there are"),
        SignError::Ambiguous { .. } => Some("name it by its fingerprint"),
        _ => None,
    }
}

fn iso(error: &IsoError) -> Option<&'static str> {
    match error {
        IsoError::TooLarge { .. } => Some(
            "let the config fetch large files by `source: https://…`, or build the ISO with a larger area",
        ),
        IsoError::KargsEnd => Some("kernel arguments are one line"),
        IsoError::KargsTooLarge { .. } => Some("remove arguments with `iso kargs modify --delete`"),
        IsoError::Format(_) | IsoError::NotLive(_) => Some(
            "only live images with an embed area can be edited, not full install DVDs or disk images",
        ),
        IsoError::Incomplete { .. } => Some("download the image again; it was cut short"),
        IsoError::NoKargsArea => Some("take a newer live image"),
        _ => None,
    }
}

fn kargs(error: &KargsError) -> Option<&'static str> {
    match error {
        KargsError::Missing(_) => Some("`iso kargs show` prints the arguments that are there"),
        _ => None,
    }
}

fn verify(error: &VerifyError) -> Option<&'static str> {
    match error {
        VerifyError::NoSignature { .. } => Some(
            "put the signature there, give the image's `--image-digest`, or trust it with `--insecure`",
        ),
        VerifyError::BadSignature { .. } | VerifyError::NotASignature { .. } => {
            Some("fetch the image and its `.sig` again, from the same place")
        }
        VerifyError::UnknownKey { .. } => {
            Some("if you trust that key, give its public key file with `--keyring`")
        }
        VerifyError::ExpiredKey { .. } => {
            Some("look at this machine's clock; else take a newer image, signed by a current key")
        }
        VerifyError::ExpiredSignature { .. } => {
            Some("look at this machine's clock; else fetch a newer `.sig`")
        }
        VerifyError::RevokedKey { .. } => {
            Some("its owner no longer vouches for it; take an image signed by a current key")
        }
        VerifyError::OtherDigest(_) => {
            Some("give the digest of the file as published, not of the unpacked image")
        }
        VerifyError::Chunk { .. }
        | VerifyError::PackedDigest(_)
        | VerifyError::PackedSurplus { .. } => Some(
            "fetch image and manifest again, from the same place; they may not belong together",
        ),
        VerifyError::Manifest { .. }
        | VerifyError::ChunkContent { .. }
        | VerifyError::RawDigest(_) => Some(
            "tell whoever packed the image; `--image-manifest none` reads it without the manifest",
        ),
        VerifyError::Digest { .. } => Some("fetch the image again; it was damaged or replaced"),
        VerifyError::Engine(_) => Some("install the `gpg` program"),
        VerifyError::NoKey { .. } => Some("export one with `gpg --export KEY > FILE`"),
        _ => None,
    }
}

fn source(error: &SourceError) -> Option<&'static str> {
    match error {
        SourceError::NoMedium { .. } | SourceError::NoLocal { .. } => {
            Some("`--offline` works in a live system; elsewhere use `--image-file`")
        }
        SourceError::Osmet { .. } => {
            Some("boot the live system that the osmet file belongs to, or use `--image-url`")
        }
        SourceError::ManifestUrl { .. } => {
            Some("fetch the manifest and name the file, or name the image by its URL too")
        }
        SourceError::NoArtifact { .. } => {
            Some("`coreos-installer list-stream` shows what there is")
        }
        SourceError::Transport { .. } | SourceError::Stalled { .. } => {
            Some("check the network; `--fetch-retries infinite` keeps trying until it works")
        }
        SourceError::Changed { .. } | SourceError::ChangedLength { .. } => {
            Some("start again, with the new file's signature")
        }
        SourceError::Certificate { .. } => {
            Some("keys are PKCS #8: `openssl pkcs8 -topk8 -nodes -in KEY` converts others")
        }
        SourceError::Read { .. } => {
            Some("`--fetch-retries N` goes on where a transfer broke off; `--mirror URL` elsewhere")
        }
        _ => None,
    }
}

fn target(error: &TargetError) -> Option<&'static str> {
    match error {
        TargetError::Busy { uses, .. } if uses.iter().any(|u| matches!(u, Use::Path { .. })) => {
            Some("install to the multipath device")
        }
        TargetError::Busy { .. } => Some("unmount or stop what uses it, or choose another disk"),
        TargetError::NotABlockDevice { .. } | TargetError::Open { .. } => {
            Some("`coreos-installer disks` lists the disks of this machine")
        }
        TargetError::Partition { .. } => Some(
            "name the whole disk, for example /dev/sda; what is on its other partitions is kept \
             with `--save-partlabel` or `--save-partindex`",
        ),
        _ => None,
    }
}

fn choose(error: &ChooseError) -> Option<&'static str> {
    match error {
        ChooseError::Several { .. } => Some("add rules until only the disk that is meant matches"),
        ChooseError::None { .. } => Some("`coreos-installer disks` shows what can be matched"),
    }
}

fn saved(error: &SavedError) -> Option<&'static str> {
    match error {
        SavedError::Mbr => {
            Some("convert the disk to GPT first, or install without keeping partitions")
        }
        SavedError::Collision { .. } | SavedError::InHead { .. } => {
            Some("move that partition further back, or install without keeping it")
        }
        _ => None,
    }
}

fn seal(error: &SealError) -> Option<&'static str> {
    match error {
        SealError::TooSmall { .. } => Some("choose a larger disk"),
        SealError::SectorSize { .. } => Some(
            "take the image for the disk's sector size; streams call that for 4096 `4k.raw.xz`",
        ),
        _ => None,
    }
}

fn decode(error: &DecodeError) -> Option<&'static str> {
    match error {
        DecodeError::Truncated { .. }
        | DecodeError::TrailingData { .. }
        | DecodeError::Corrupt { .. } => Some("fetch the image again; it was damaged on the way"),
        DecodeError::Memory { .. } => Some(
            "give it more with `--memory`, or take an image that was compressed with a smaller window",
        ),
        _ => None,
    }
}

fn boot(error: &BootError) -> Option<&'static str> {
    match error {
        BootError::None { .. } | BootError::Several { .. } => Some(NOT_COREOS),
        _ => None,
    }
}

fn first_boot(error: &FirstBootError) -> Option<&'static str> {
    match error {
        FirstBootError::NotThere { .. }
        | FirstBootError::NoEntry { .. }
        | FirstBootError::OptionsLine { .. }
        | FirstBootError::Platform { .. }
        | FirstBootError::NoConsoleBlock { .. } => Some(NOT_COREOS),
        FirstBootError::Booted => {
            Some("configs are applied by the first boot only; install the system again")
        }
        FirstBootError::ConfigThere | FirstBootError::NetworkThere => {
            Some("`--force` replaces it; `coreos-installer inspect` shows what is there")
        }
        _ => None,
    }
}

fn firmware(error: &FirmwareError) -> Option<&'static str> {
    match error {
        FirmwareError::NotUefi => Some("leave out `--boot-entry`; BIOS boots disks by their order"),
        FirmwareError::NoVariables { .. } => {
            Some("`mount -t efivarfs efivarfs /sys/firmware/efi/efivars` mounts them")
        }
        FirmwareError::Full => Some("delete old entries in the firmware's setup"),
        _ => None,
    }
}

fn retrofit(error: &RetrofitError) -> Option<&'static str> {
    match error {
        RetrofitError::NotRaw { .. } => Some("unpack it first; `download --decompress` does"),
        _ => None,
    }
}

fn system(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Some("existing files are never overwritten; choose another name")
        }
        io::ErrorKind::PermissionDenied => Some("run it as root, or as a user who may write there"),
        io::ErrorKind::StorageFull => Some("make room, or write to another file system"),
        _ => None,
    }
}
