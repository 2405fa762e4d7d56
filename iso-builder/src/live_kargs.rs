//! Kernel arguments of the live system, made from those of the installed one: what names the
//! installed root goes, consoles and drivers' settings stay, Ignition is asked to run.
//!
//! GRUB reads the result as a line of its script, so words that its parser would change are refused.

use embed::contract::karg;
use embed::kargs::Kargs;

/// Arguments (bare or with a value) that describe an installed disk, or the first boot, and mean
/// nothing or harm in a live system.
const INSTALLED_ONLY: [&str; 8] = [
    "root",
    "rootflags",
    "rootfstype",
    "rw",
    "ro",
    "boot",
    karg::FIRSTBOOT,
    karg::PLATFORM,
];

/// What the live system of an OSTree image needs. A deployment as composefs would be an overlay over
/// an overlay over an overlay, which the kernel does not make; and the layer in memory keeps no
/// labels, so that SELinux may only warn.
const OSTREE_LIVE: [&str; 2] = ["ostree.prepare-root.composefs=0", "enforcing=0"];

/// Characters that GRUB's script language gives a meaning of its own.
const GRUB_SPECIAL: &[char] = &['$', ';', '&', '|', '<', '>', '{', '}', '\'', '"', '\\', '#'];

/// A word that cannot stand in a GRUB configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("kernel argument `{0}` has characters that GRUB would not pass on as they are")]
pub struct KargError(pub String);

/// Arguments for every live boot, from the `options` of the image's boot loader entry and those
/// that the user adds.
pub fn live_kargs(options: &str, added: &[String]) -> Result<Kargs, KargError> {
    let mut kargs = Kargs::parse(options);
    let key = |word: &str| word.split_once('=').map_or(word, |pair| pair.0).to_owned();
    // A word that starts with `$` is a variable of the installed system's boot loader.
    kargs.retain(|word| !word.starts_with('$') && !INSTALLED_ONLY.contains(&key(word).as_str()));
    if kargs.last(karg::OSTREE).is_some() {
        OSTREE_LIVE.iter().for_each(|&word| kargs.push(word));
    }
    kargs.push(karg::FIRSTBOOT);
    kargs.push(format!("{}=metal", karg::PLATFORM));
    for text in added {
        for word in Kargs::parse(text).iter() {
            kargs.push(word);
        }
    }
    let special = kargs
        .iter()
        .find(|word| word.contains(GRUB_SPECIAL))
        .map(str::to_owned);
    special.map_or(Ok(kargs), |word| Err(KargError(word)))
}

/// The same for the live system of another builder, which finds its OSTree deployment by itself.
pub fn others_live_kargs(options: &str, added: &[String]) -> Result<Kargs, KargError> {
    let mut kargs = Kargs::parse(options);
    kargs.retain(|word| word.split_once('=').map_or(word, |pair| pair.0) != karg::OSTREE);
    live_kargs(&kargs.to_string(), added)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(options: &str, added: &[&str]) -> Result<String, KargError> {
        let added: Vec<String> = added.iter().map(|&word| word.to_owned()).collect();
        live_kargs(options, &added).map(|kargs| kargs.to_string())
    }

    #[test]
    fn installed_root_goes_and_consoles_stay_in_order() {
        let options = "root=LABEL=root rw $ignition_firstboot ignition.platform.id=qemu console=tty0 \
            console=ttyS0,115200n8 rootflags=x mitigations=auto,nosmt";
        let want = "console=tty0 console=ttyS0,115200n8 mitigations=auto,nosmt ignition.firstboot \
            ignition.platform.id=metal quiet a=b";
        assert_eq!(text(options, &["quiet a=b"]).unwrap(), want);
    }

    #[test]
    fn deployment_stays_and_is_one_that_a_layer_in_memory_can_be_put_over() {
        let link = "ostree=/ostree/boot.1/os/0a1b/0";
        let want = format!(
            "{link} ostree.prepare-root.composefs=0 enforcing=0 ignition.firstboot \
            ignition.platform.id=metal enforcing=1"
        );
        let options = format!("root=UUID=1 {link}");
        assert_eq!(text(&options, &["enforcing=1"]).unwrap(), want);
    }

    #[test]
    fn arguments_that_merely_begin_alike_stay() {
        let want = "rootdelay=5 rootwait ro.x=1 ignition.firstboot ignition.platform.id=metal";
        assert_eq!(text("rootdelay=5 rootwait ro.x=1", &[]).unwrap(), want);
    }

    #[test]
    fn words_that_grub_would_change_are_refused() {
        for bad in ["a=$b", "a;reboot", "a={b}", "\"a b\"", "a#b"] {
            assert!(matches!(text("", &[bad]), Err(KargError(_))), "{bad}");
        }
    }
}
