//! Merging of option sets: files in order, then the command line.

use std::path::PathBuf;

use super::{Options, PlanError};

impl Options {
    /// These options with `later` over them: lists add up, of single values the later wins, a
    /// switch that is on stays on. Two targets are an error, even if they are equal.
    pub fn merge(self, later: Self) -> Result<Self, PlanError> {
        // Every field by name: a new one does not compile until its rule is written here.
        let Self {
            config_file,
            stream,
            image_url,
            image_file,
            offline,
            architecture,
            stream_base_url,
            keyring,
            insecure,
            fetch_retries,
            ignition_file,
            ignition_url,
            ignition_hash,
            insecure_ignition,
            files_dir,
            no_validate,
            platform,
            console,
            firstboot_args,
            append_karg,
            delete_karg,
            copy_network,
            network_dir,
            save_partlabel,
            save_partindex,
            preserve_on_error,
            progress,
            dest_device,
        } = later;
        Ok(Self {
            config_file: concat(self.config_file, config_file),
            stream: stream.or(self.stream),
            image_url: image_url.or(self.image_url),
            image_file: image_file.or(self.image_file),
            offline: offline || self.offline,
            architecture: architecture.or(self.architecture),
            stream_base_url: stream_base_url.or(self.stream_base_url),
            keyring: concat(self.keyring, keyring),
            insecure: insecure || self.insecure,
            fetch_retries: fetch_retries.or(self.fetch_retries),
            ignition_file: ignition_file.or(self.ignition_file),
            ignition_url: ignition_url.or(self.ignition_url),
            ignition_hash: ignition_hash.or(self.ignition_hash),
            insecure_ignition: insecure_ignition || self.insecure_ignition,
            files_dir: files_dir.or(self.files_dir),
            no_validate: no_validate || self.no_validate,
            platform: platform.or(self.platform),
            console: concat(self.console, console),
            firstboot_args: firstboot_args.or(self.firstboot_args),
            append_karg: concat(self.append_karg, append_karg),
            delete_karg: concat(self.delete_karg, delete_karg),
            copy_network: copy_network || self.copy_network,
            network_dir: network_dir.or(self.network_dir),
            save_partlabel: concat(self.save_partlabel, save_partlabel),
            save_partindex: concat(self.save_partindex, save_partindex),
            preserve_on_error: preserve_on_error || self.preserve_on_error,
            progress: progress.or(self.progress),
            dest_device: one_target(self.dest_device, dest_device)?,
        })
    }
}

fn concat<T>(mut first: Vec<T>, second: Vec<T>) -> Vec<T> {
    first.extend(second);
    first
}

fn one_target(
    first: Option<PathBuf>,
    second: Option<PathBuf>,
) -> Result<Option<PathBuf>, PlanError> {
    match (first, second) {
        (Some(first), Some(second)) => Err(PlanError::TwoTargets { first, second }),
        (first, second) => Ok(second.or(first)),
    }
}
