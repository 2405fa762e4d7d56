//! What the fuzzers run: each target takes any bytes and panics when a promise is broken.
//!
//! The same functions run under libFuzzer (`tests/fuzz.sh`) and, over the seeds and a bounded
//! number of their mutations, in `make test`.

mod configs;
mod installs;
mod media;

/// A parser of untrusted bytes and its promises.
#[derive(Clone, Copy, Debug)]
pub struct FuzzTarget {
    /// Name of the target and of its folder of seeds.
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[FuzzTarget] = &[
    target("json", configs::json),
    target("yaml", configs::yaml),
    target("ignition", configs::ignition),
    target("butane", configs::butane),
    target("merge", configs::merge),
    target("unit", configs::unit),
    target("data_url", configs::data_url),
    target("cpio_newc", media::cpio_newc),
    target("initrd", media::initrd),
    target("iso", media::iso),
    target("minimal_iso", media::minimal_iso),
    target("osmet", media::osmet),
    target("gpt", media::gpt),
    target("mbr", media::mbr),
    target("stream_hash", media::stream_hash),
    target("chunks", media::chunks),
    target("boot_entry", installs::boot_entry),
    target("installer_config", installs::installer_config),
    target("stream_metadata", installs::stream_metadata),
    target("disk", installs::disk),
    target("load_option", installs::load_option),
    target("xz", media::xz),
];

const fn target(name: &'static str, run: fn(&[u8])) -> FuzzTarget {
    FuzzTarget { name, run }
}
