//! From merged options to a plan: relations between options, and defaults.

use std::path::PathBuf;

use embed::kargs::{Edit, Kargs};

use crate::disk::{DiskRule, SaveFilter, SaveFilterError};
use crate::pipeline::MemoryBudget;
use crate::source::{Access, ClientIdentity, ManifestPlace};

use super::{
    ConfigSource, ImageChoice, NETWORK_DIR, Options, Plan, PlanError, StreamChoice, Target,
    Variables,
};

/// Stream that is installed when nothing else is asked for.
const DEFAULT_STREAM: &str = "stable";

impl Options {
    /// The plan that merged options make.
    pub fn resolve(self) -> Result<Plan, PlanError> {
        let image = self.image()?;
        let image_manifest = self.image_manifest(&image)?;
        let configs = self.configs()?;
        let network_dir = self.copy_network.then(|| {
            self.network_dir
                .clone()
                .unwrap_or_else(|| PathBuf::from(NETWORK_DIR))
        });
        let save = self.save_filters()?;
        let target = target(self.dest_device, self.dest_match)?;
        let platform = self.platform.map(|id| word("--platform", id)).transpose()?;
        Ok(Plan {
            image,
            target,
            mirrors: self.mirror,
            image_digest: self.image_digest,
            image_manifest,
            keyrings: self.keyring,
            keyring_dirs: self.keyring_dir,
            insecure: self.insecure,
            access: Access {
                retries: self.fetch_retries.unwrap_or_default(),
                headers: self.http_header,
                ca_certs: self.ca_cert,
                identity: identity(self.client_cert, self.client_key)?,
                ..Access::default()
            },
            configs,
            variables: Variables {
                set: self.set,
                files: self.vars,
                environment: self.env,
                secrets: self.secret,
            },
            files_dir: self.files_dir,
            no_validate: self.no_validate,
            config_may_be_insecure: self.insecure_ignition || !self.ignition_hash.is_empty(),
            config_digests: self.ignition_hash,
            platform,
            consoles: self.console,
            firstboot_args: self.firstboot_args,
            kargs: Edit {
                append: words("--append-karg", &self.append_karg)?,
                delete: words("--delete-karg", &self.delete_karg)?,
                ..Edit::default()
            },
            network_dir,
            save,
            preserve_on_error: self.preserve_on_error,
            boot_entry: self.boot_entry,
            wipe_stale_boot: self.wipe_stale_boot,
            memory: self.memory.unwrap_or_else(MemoryBudget::of_this_machine),
        })
    }

    fn image(&self) -> Result<ImageChoice, PlanError> {
        exclusive(&[
            ("--image-file", self.image_file.is_some()),
            ("--image-url", self.image_url.is_some()),
            ("--stream", self.stream.is_some()),
        ])?;
        for fetched in [
            ("--image-url", self.image_url.is_some()),
            ("--stream", self.stream.is_some()),
            ("--mirror", !self.mirror.is_empty()),
        ] {
            exclusive(&[("--offline", self.offline), fetched])?;
        }
        exclusive(&[
            ("--image-file", self.image_file.is_some()),
            ("--mirror", !self.mirror.is_empty()),
        ])?;
        Ok(if let Some(path) = &self.image_file {
            ImageChoice::File(path.clone())
        } else if let Some(url) = &self.image_url {
            ImageChoice::Url(url.clone())
        } else if self.offline {
            ImageChoice::Offline {
                architecture: self.architecture.clone(),
            }
        } else {
            let stream = StreamChoice {
                base_url: self.stream_base_url.clone(),
                name: self
                    .stream
                    .clone()
                    .unwrap_or_else(|| DEFAULT_STREAM.to_owned()),
                architecture: self.architecture.clone(),
            };
            match self.stream.is_none() && self.mirror.is_empty() {
                true => ImageChoice::OfflineOr(stream),
                false => ImageChoice::Stream(stream),
            }
        })
    }

    /// A manifest that is fetched comes from a server that is talked to like the image's.
    fn image_manifest(&self, image: &ImageChoice) -> Result<ManifestPlace, PlanError> {
        let needs = |needs| {
            let option = "--image-manifest";
            Err(PlanError::Needs { option, needs })
        };
        let place = self.image_manifest.as_deref();
        let place = place.map(ManifestPlace::from).unwrap_or_default();
        match (image, &place) {
            (_, ManifestPlace::Beside | ManifestPlace::Unused) => Ok(place),
            (ImageChoice::File(_), ManifestPlace::Url(_)) => needs("--image-url"),
            (ImageChoice::File(_) | ImageChoice::Url(_), _) => Ok(place),
            _ => needs("--image-file or --image-url"),
        }
    }

    fn save_filters(&self) -> Result<Vec<SaveFilter>, PlanError> {
        let mut filters = Vec::new();
        for value in &self.save_partlabel {
            let wrong = |source| bad_filter("--save-partlabel", value, source);
            filters.extend(SaveFilter::labels(value).map_err(wrong)?);
        }
        for value in &self.save_partindex {
            let wrong = |source| bad_filter("--save-partindex", value, source);
            filters.extend(SaveFilter::indexes(value).map_err(wrong)?);
        }
        Ok(filters)
    }

    fn configs(&self) -> Result<Vec<ConfigSource>, PlanError> {
        let files = self.ignition_file.iter().cloned().map(ConfigSource::File);
        let urls = self.ignition_url.iter().map(|url| self.config_url(url));
        let configs = files.map(Ok).chain(urls).collect::<Result<Vec<_>, _>>()?;
        match (configs.len(), self.ignition_hash.len()) {
            (0, 1..) => Err(PlanError::Needs {
                option: "--ignition-hash",
                needs: "an Ignition config",
            }),
            (configs, hashes @ 1..) if configs != hashes => {
                Err(PlanError::Hashes { configs, hashes })
            }
            (2.., _) if self.no_validate => Err(PlanError::Conflict {
                first: "--no-validate",
                second: "several Ignition configs",
            }),
            _ => Ok(configs),
        }
    }

    fn config_url(&self, url: &str) -> Result<ConfigSource, PlanError> {
        let scheme = url
            .split_once("://")
            .map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("https") => {}
            Some("http") if self.insecure_ignition || !self.ignition_hash.is_empty() => {}
            Some("http") => {
                return Err(PlanError::IgnitionInsecure {
                    url: url.to_owned(),
                });
            }
            _ => {
                return Err(PlanError::IgnitionScheme {
                    url: url.to_owned(),
                });
            }
        }
        Ok(ConfigSource::Url(url.to_owned()))
    }
}

/// A client certificate with its key, or neither.
pub(crate) fn identity(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<ClientIdentity>, PlanError> {
    let alone = |option, needs| Err(PlanError::Needs { option, needs });
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(ClientIdentity { cert, key })),
        (Some(_), None) => alone("--client-cert", "--client-key"),
        (None, Some(_)) => alone("--client-key", "--client-cert"),
        (None, None) => Ok(None),
    }
}

/// The disk, by name or by what it is.
fn target(device: Option<PathBuf>, rules: Vec<DiskRule>) -> Result<Target, PlanError> {
    exclusive(&[
        ("the destination device", device.is_some()),
        ("--dest-match", !rules.is_empty()),
    ])?;
    match device {
        Some(device) => Ok(Target::Device(device)),
        None if rules.is_empty() => Err(PlanError::NoTarget),
        None => Ok(Target::Match(rules)),
    }
}

/// At most one of `options` may be given.
fn exclusive(options: &[(&'static str, bool)]) -> Result<(), PlanError> {
    let mut given = options
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| *name);
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => Err(PlanError::Conflict { first, second }),
        _ => Ok(()),
    }
}

/// Each value may hold several arguments, as the kernel would split them.
fn words(option: &'static str, values: &[String]) -> Result<Vec<String>, PlanError> {
    if let Some(value) = values
        .iter()
        .find(|value| value.chars().any(char::is_control))
    {
        return Err(PlanError::Word {
            option,
            value: value.clone(),
        });
    }
    Ok(values
        .iter()
        .flat_map(|value| own(&Kargs::parse(value)))
        .collect())
}

fn bad_filter(option: &'static str, value: &str, source: SaveFilterError) -> PlanError {
    PlanError::SaveFilter {
        option,
        value: value.to_owned(),
        source,
    }
}

fn own(kargs: &Kargs) -> Vec<String> {
    kargs.iter().map(str::to_owned).collect()
}

fn word(option: &'static str, value: String) -> Result<String, PlanError> {
    if value.is_empty()
        || value
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '"')
    {
        return Err(PlanError::Word { option, value });
    }
    Ok(value)
}
