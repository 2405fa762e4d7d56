//! File identifiers of the two directory hierarchies: short upper-case names in the primary one
//! (ECMA-119 level 1, what every reader understands and what live-medium tools look up) and
//! UCS-2 names in the Joliet one.
//!
//! Long names live in Rock Ridge's `NM` beside the primary identifier, not here.

use std::collections::BTreeSet;

/// An identifier and the key that ECMA-119 9.3 sorts a directory by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identifier {
    pub(super) bytes: Vec<u8>,
    pub(super) sort_key: (Vec<u8>, Vec<u8>),
}

/// Whether a name is a directory's or a file's: files carry an extension and a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dir,
    File,
}

/// Level 1 identifier of `name`, unlike all in `taken`, to which it is added.
pub(super) fn primary(name: &str, kind: Kind, taken: &mut BTreeSet<Vec<u8>>) -> Identifier {
    let (base, extension) = match (kind, name.rsplit_once('.')) {
        (Kind::File, Some((base, extension))) => (base, extension),
        _ => (name, ""),
    };
    let (base, extension) = (d_characters(base, 8), d_characters(extension, 3));
    let mut identifier = assemble(&base, &extension, kind);
    // A directory holds at most a few dozen names, so a counter in the last places always ends.
    for number in 1u32.. {
        if taken.insert(identifier.bytes.clone()) {
            break;
        }
        let suffix = number.to_string();
        let kept: String = base
            .chars()
            .take(8usize.saturating_sub(suffix.len()))
            .collect();
        identifier = assemble(&format!("{kept}{suffix}"), &extension, kind);
    }
    identifier
}

fn assemble(base: &str, extension: &str, kind: Kind) -> Identifier {
    let text = match kind {
        Kind::Dir => base.to_owned(),
        Kind::File => format!("{base}.{extension};1"),
    };
    Identifier {
        bytes: text.into_bytes(),
        sort_key: (base.as_bytes().to_vec(), extension.as_bytes().to_vec()),
    }
}

fn d_characters(text: &str, limit: usize) -> String {
    let upper = text.chars().map(|c| c.to_ascii_uppercase());
    let mapped = upper.map(|c| {
        if c.is_ascii_uppercase() || c.is_ascii_digit() {
            c
        } else {
            '_'
        }
    });
    mapped.take(limit).collect()
}

/// Joliet identifier: the name itself in big-endian UCS-2.
pub(super) fn joliet(name: &str, kind: Kind) -> Identifier {
    let version = if kind == Kind::File { ";1" } else { "" };
    let ucs2 = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<u8>>()
    };
    Identifier {
        bytes: ucs2(&format!("{name}{version}")),
        sort_key: (ucs2(name), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(names: &[(&str, Kind)]) -> Vec<String> {
        let mut taken = BTreeSet::new();
        let ids = names
            .iter()
            .map(|(name, kind)| primary(name, *kind, &mut taken));
        ids.map(|id| String::from_utf8(id.bytes).unwrap()).collect()
    }

    #[test]
    fn live_medium_files_are_spelled_as_their_readers_expect() {
        let names = [
            ("igninfo.json", Kind::File),
            ("kargs.json", Kind::File),
            ("features.json", Kind::File),
            ("ignition.img", Kind::File),
            ("vmlinuz", Kind::File),
            ("pxeboot", Kind::Dir),
        ];
        let want = [
            "IGNINFO.JSO;1",
            "KARGS.JSO;1",
            "FEATURES.JSO;1",
            "IGNITION.IMG;1",
            "VMLINUZ.;1",
            "PXEBOOT",
        ];
        assert_eq!(spelled(&names), want);
    }

    #[test]
    fn names_that_shorten_alike_stay_apart() {
        let names = [
            ("initramfs-1.img", Kind::File),
            ("initramfs-2.img", Kind::File),
            ("a.b.c-d", Kind::File),
        ];
        assert_eq!(
            spelled(&names),
            ["INITRAMF.IMG;1", "INITRAM1.IMG;1", "A_B.C_D;1"]
        );
    }

    #[test]
    fn joliet_is_big_endian_with_a_version_on_files_only() {
        assert_eq!(joliet("ab", Kind::Dir).bytes, b"\0a\0b");
        assert_eq!(joliet("a", Kind::File).bytes, b"\0a\0;\x001");
    }
}
