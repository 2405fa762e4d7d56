//! The tables at the end: the machine's timeline as the server has it, and the identities of the
//! machines side by side.

use tests::server::{EventView, MachineView};
use tests::vm::Firmware;

use crate::inside::Outcome;
use crate::narrate::Narrator;

/// The event in words, or nothing for one of a kind that comes too often to be told.
pub(crate) fn tell(event: &EventView) -> Option<String> {
    let field = |name| event.field(name);
    Some(match event.event.as_str() {
        "progress" => return None,
        "dhcp-discover" => format!(
            "asks for a boot program ({}, {})",
            field("client"),
            field("arch")
        ),
        "nbp-served" => format!(
            "boot program {} sent by {}, {} bytes",
            field("file"),
            field("via"),
            field("bytes")
        ),
        "script-served" => format!("iPXE script: {}", field("script")),
        "ticket-issued" => "install ticket issued".to_owned(),
        "rootfs-served" => format!("rootfs sent, {} MiB", mib(event)),
        "config-served" => format!("config sent, sha512 {}…", short(&field("sha512"))),
        "live" => "live system up".to_owned(),
        "install-started" => format!("install to {} begins", field("device")),
        "installed" => "installed: disk written, verified, sealed".to_owned(),
        "install-failed" => format!("install failed: {}", field("reason")),
        "provisioned" => "first boot done".to_owned(),
        other => other.to_owned(),
    })
}

/// Prints `machine`'s events with their times.
pub(crate) fn timeline(narrator: &Narrator, machine: &MachineView) {
    narrator.line("");
    narrator.line(format_args!(
        "timeline of {0} from /api/v1/machines/{0} (state: {1})",
        machine.mac, machine.state
    ));
    narrator.line(format_args!("  {:<12} {:>8}  event", "time (UTC)", "+s"));
    for event in &machine.timeline {
        if let Some(text) = tell(event) {
            let clock = event
                .time
                .split_once('T')
                .map_or(event.time.as_str(), |(_, clock)| clock);
            let clock = clock.trim_end_matches('Z');
            let seconds = std::time::Duration::from_millis(event.since_start_ms).as_secs_f64();
            narrator.line(format_args!("  {clock:<12} {seconds:>8.1}  {text}"));
        }
    }
}

/// Prints what each way came to.
pub(crate) fn identities(narrator: &Narrator, outcomes: &[Outcome]) {
    narrator.line("");
    narrator.line(format_args!(
        "  {:<6} {:<18} {:>7}  {:<20} result-sha256",
        "way", "firmware", "seconds", "config-sha512"
    ));
    for outcome in outcomes {
        let firmware = match outcome.firmware {
            Firmware::SeaBios => "BIOS",
            Firmware::Ovmf => "UEFI",
            Firmware::OvmfSecureBoot => "UEFI, Secure Boot",
        };
        narrator.line(format_args!(
            "  {:<6} {firmware:<18} {:>7}  {}… {}",
            outcome.way.name(),
            outcome.seconds,
            short(&outcome.identity.config_sha512.to_string()),
            outcome.identity.result_sha256,
        ));
    }
    narrator.line("");
}

fn short(digest: &str) -> String {
    digest.chars().take(19).collect()
}

fn mib(event: &EventView) -> u64 {
    event
        .fields
        .get("bytes")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or_default()
        >> 20
}
