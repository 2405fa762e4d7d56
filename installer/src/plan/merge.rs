//! Merging of option sets: files in order, then the command line.

use std::path::PathBuf;

use super::{Options, PlanError};

/// A struct literal without a rest: a new field does not compile until its rule is written here.
macro_rules! merged {
    ($first:ident, $later:ident;
     lists: $($list:ident)*; values: $($value:ident)*; switches: $($switch:ident)*;
     together: $named:ident $($one:ident)*; last: $($last:ident)*; once: $($once:ident)*;) => {
        Options {
            $($one: if $named { $later.$one } else { $first.$one },)*
            $($last: if $later.$last.is_empty() { $first.$last } else { $later.$last },)*
            $($list: concat($first.$list, $later.$list),)*
            $($value: $later.$value.or($first.$value),)*
            $($switch: $later.$switch || $first.$switch,)*
            $($once: one_target($first.$once, $later.$once)?,)*
        }
    };
}

impl Options {
    /// These options with `later` over them: lists add up, of single values the later wins, a
    /// switch that is on stays on. Ignition configs are one value, files and URLs together, and
    /// their digests another. Two targets are an error, even if they are equal.
    pub fn merge(self, later: Self) -> Result<Self, PlanError> {
        let configs = !later.ignition_file.is_empty() || !later.ignition_url.is_empty();
        Ok(merged! {
            self, later;
            lists: config_file mirror keyring keyring_dir http_header ca_cert console append_karg
                set vars env secret delete_karg dest_match save_partlabel save_partindex;
            values: stream image_url image_file architecture stream_base_url image_manifest
                image_digest
                fetch_retries client_cert client_key files_dir platform firstboot_args network_dir memory
                progress log_file;
            switches: offline insecure insecure_ignition no_validate copy_network preserve_on_error dry_run
                boot_entry wipe_stale_boot;
            together: configs ignition_file ignition_url;
            last: ignition_hash;
            once: dest_device;
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
