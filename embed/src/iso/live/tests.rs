//! Live images made by xorriso, edited and read again. The image is made by another program so
//! that the reader is not tested against its own idea of the format.

use std::io::Cursor;
use std::path::Path;

use super::super::sample::{KARGS_SIZE, image, write};
use super::super::{apply_in_place, copy_with};
use super::*;

fn config(text: &str) -> Archive {
    let mut archive = Archive::default();
    archive.insert("config.ign", text).unwrap();
    archive
}

#[test]
fn embedding_and_removing_gives_the_pristine_bytes_back() {
    let Some(pristine) = image(
        "embedding_and_removing_gives_the_pristine_bytes_back",
        |_| (),
    ) else {
        return;
    };
    let mut live = LiveIso::open(Cursor::new(pristine.clone())).unwrap();
    assert_eq!(
        live.features(),
        Features {
            installer_config: true,
            ..Features::default()
        }
    );
    assert!(live.embedded().unwrap().is_empty());

    let mut edited = Vec::new();
    let region = live.embed(&config("{}")).unwrap();
    copy_with(
        pristine.as_slice(),
        &mut edited,
        std::slice::from_ref(&region),
    )
    .unwrap();
    let mut in_place = pristine.clone();
    apply_in_place(Cursor::new(&mut in_place), &[region]).unwrap();
    assert_eq!(edited, in_place);
    assert_eq!(edited.len(), pristine.len());

    let mut live = LiveIso::open(Cursor::new(edited.clone())).unwrap();
    assert_eq!(live.embedded().unwrap(), config("{}"));
    let region = live.embed(&Archive::default()).unwrap();
    apply_in_place(Cursor::new(&mut edited), &[region]).unwrap();
    assert_eq!(edited, pristine);
}

#[test]
fn kargs_change_in_every_area_and_reset() {
    let Some(pristine) = image("kargs_change_in_every_area_and_reset", |_| ()) else {
        return;
    };
    let live = LiveIso::open(Cursor::new(pristine.clone())).unwrap();
    assert_eq!(live.kargs().unwrap().to_string(), "quiet console=ttyS0");
    let regions = live.set_kargs(&Kargs::parse("a b")).unwrap();
    assert_eq!(regions.len(), 2);
    let mut edited = pristine.clone();
    apply_in_place(Cursor::new(&mut edited), &regions).unwrap();
    let live = LiveIso::open(Cursor::new(edited.clone())).unwrap();
    assert_eq!(live.kargs().unwrap().to_string(), "a b");
    let regions = live.set_kargs(&live.default_kargs().unwrap()).unwrap();
    apply_in_place(Cursor::new(&mut edited), &regions).unwrap();
    assert_eq!(edited, pristine);

    let long = Kargs::parse(&"x".repeat(KARGS_SIZE));
    let error = live.set_kargs(&long).unwrap_err();
    assert!(
        matches!(
            error,
            IsoError::KargsTooLarge {
                size: 200,
                area: 199
            }
        ),
        "{error:?}"
    );
}

#[test]
fn content_larger_than_the_area_is_refused() {
    let Some(pristine) = image("content_larger_than_the_area_is_refused", |_| ()) else {
        return;
    };
    let live = LiveIso::open(Cursor::new(pristine)).unwrap();
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(100_000)
    .collect();
    let mut archive = Archive::default();
    archive.insert("config.ign", noise).unwrap();
    let error = live.embed(&archive).unwrap_err();
    assert!(
        matches!(error, IsoError::TooLarge { area: 65_536, .. }),
        "{error:?}"
    );
}

#[test]
fn hostile_area_descriptions_are_refused() {
    let test = "hostile_area_descriptions_are_refused";
    for (path, content, want) in [
        (
            "coreos/igninfo.json",
            r#"{"file":"images/ignition.img","offset":99999999}"#,
            "starts after its file",
        ),
        (
            "coreos/igninfo.json",
            r#"{"file":"images/ignition.img","offset":1,"length":18446744073709551615}"#,
            "ends after its file",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":0,"files":[]}"#,
            "bad size",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":2049,"files":[]}"#,
            "bad size",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":9,"files":[]}"#,
            "no place is named",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":9,"files":[{"path":"x"}]}"#,
            "its file is missing",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":3,"files":[{"path":"boot/grub/grub.cfg"}]}"#,
            "text has no end",
        ),
    ] {
        let Some(image) = image(test, |root| write(root, path, content)) else {
            return;
        };
        let error = LiveIso::open(Cursor::new(image)).unwrap_err();
        assert!(
            matches!(&error, IsoError::Area { why, .. } if *why == want),
            "{content}: {error:?}"
        );
    }
}

#[test]
fn what_is_no_live_image_is_refused() {
    let test = "what_is_no_live_image_is_refused";
    let remove = |root: &Path| {
        std::fs::remove_file(root.join("images/ignition.img")).unwrap();
    };
    let Some(other) = image(test, remove) else {
        return;
    };
    assert!(matches!(
        LiveIso::open(Cursor::new(other.clone())),
        Err(IsoError::NotLive(_))
    ));
    let half = &other[..other.len() / 2];
    assert!(matches!(
        LiveIso::open(Cursor::new(half)),
        Err(IsoError::Incomplete { .. })
    ));
    assert!(matches!(
        LiveIso::open(Cursor::new([0; 99_999])),
        Err(IsoError::Format("no volume descriptor"))
    ));
    assert!(matches!(
        LiveIso::open(Cursor::new([])),
        Err(IsoError::Format(_))
    ));
}

/// Puts the header of early images over `image`: magic, length, default text, areas.
fn legacy_header(image: &mut [u8], length: u64, default: u64, areas: &[u64]) {
    let mut header = b"coreKarg".to_vec();
    let numbers = [&[length, default], areas].concat();
    header.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
    header.resize(72, 0);
    image[32_672..32_744].copy_from_slice(&header);
}

/// Where `text` is in `image`.
fn places(image: &[u8], text: &[u8]) -> Vec<u64> {
    let windows = image.windows(text.len()).enumerate();
    windows
        .filter(|(_, window)| *window == text)
        .map(|(at, _)| at as u64)
        .collect()
}

#[test]
fn images_with_only_a_header_have_kargs_too() {
    let remove = |root: &Path| {
        std::fs::remove_file(root.join("coreos/kargs.json")).unwrap();
        std::fs::remove_file(root.join("coreos/igninfo.json")).unwrap();
        let mut text = b"quiet console=ttyS0\n".to_vec();
        text.resize(KARGS_SIZE, b'#');
        write(root, "default", text);
    };
    let Some(mut pristine) = image("images_with_only_a_header_have_kargs_too", remove) else {
        return;
    };
    let live = LiveIso::open(Cursor::new(pristine.clone())).unwrap();
    assert!(!live.has_kargs());
    assert!(matches!(live.kargs(), Err(IsoError::NoKargsArea)));

    let found = places(&pristine, b"quiet console=ttyS0\n");
    let mut iso = IsoReader::open(Cursor::new(pristine.clone())).unwrap();
    let default = iso.existing("default").unwrap().offset;
    let areas: Vec<u64> = found.into_iter().filter(|&at| at != default).collect();
    assert_eq!(areas.len(), 2);
    legacy_header(&mut pristine, KARGS_SIZE as u64, default, &areas);

    let mut live = LiveIso::open(Cursor::new(pristine.clone())).unwrap();
    assert!(live.is_pristine().unwrap());
    assert_eq!(live.embed_area().length, 64 * 1024);
    let mut edited = pristine.clone();
    let regions = live.set_kargs(&Kargs::parse("a b")).unwrap();
    apply_in_place(Cursor::new(&mut edited), &regions).unwrap();
    let mut live = LiveIso::open(Cursor::new(edited.clone())).unwrap();
    assert_eq!(live.kargs().unwrap().to_string(), "a b");
    assert!(!live.is_pristine().unwrap());
    assert!(matches!(
        live.set_default_kargs(&Kargs::default()),
        Err(IsoError::NoKargsArea)
    ));
    apply_in_place(Cursor::new(&mut edited), &live.reset().unwrap()).unwrap();
    assert_eq!(edited, pristine);

    for (length, areas, want) in [
        (1 << 40, areas.as_slice(), "bad size"),
        (0, &areas, "bad size"),
        (KARGS_SIZE as u64, &[], "no place is named"),
        (
            KARGS_SIZE as u64,
            &[areas[0], areas[1] + 1],
            "its copies differ",
        ),
        (3, &areas, "text has no end"),
    ] {
        let mut bad = pristine.clone();
        legacy_header(&mut bad, length, default, areas);
        let error = LiveIso::open(Cursor::new(bad)).unwrap_err();
        assert!(
            matches!(&error, IsoError::Area { why, .. } if *why == want),
            "{want}: {error:?}"
        );
    }
    legacy_header(&mut pristine, KARGS_SIZE as u64, u64::MAX, &areas);
    assert!(matches!(
        LiveIso::open(Cursor::new(pristine)),
        Err(IsoError::Format("a file lies outside the image"))
    ));
}

#[test]
fn areas_inside_of_other_files_keep_what_is_around_them() {
    let test = "areas_inside_of_other_files_keep_what_is_around_them";
    let edit = |root: &Path| {
        let mut area = b"quiet".to_vec();
        area.resize(64, 0);
        write(
            root,
            "images/cdboot.img",
            [b"head", area.as_slice(), &[0; 4096], b"tail"].concat(),
        );
        let info = r#"{"file": "images/cdboot.img", "offset": 68, "length": 4096}"#;
        write(root, "coreos/igninfo.json", info);
        let kargs = serde_json::json!({"default": "quiet", "size": 64, "files": [
            {"path": "images/cdboot.img", "offset": 4, "pad": "\0", "end": "\0"}]});
        write(root, "coreos/kargs.json", kargs.to_string());
    };
    let Some(pristine) = image(test, edit) else {
        return;
    };
    let live = LiveIso::open(Cursor::new(pristine.clone())).unwrap();
    let mut regions = live.set_kargs(&Kargs::parse("a b")).unwrap();
    regions.push(live.embed(&config("{}")).unwrap());
    let mut edited = pristine.clone();
    apply_in_place(Cursor::new(&mut edited), &regions).unwrap();
    let mut live = LiveIso::open(Cursor::new(edited.clone())).unwrap();
    assert_eq!(live.embedded().unwrap(), config("{}"));
    let file = live.files().read("images/cdboot.img", 1 << 20).unwrap();
    assert_eq!(file[..8], *b"heada b\0");
    assert!(file[8..68].iter().all(|&byte| byte == 0));
    assert!(file.ends_with(b"tail"));
    apply_in_place(Cursor::new(&mut edited), &live.reset().unwrap()).unwrap();
    assert_eq!(edited, pristine);
}

#[test]
fn a_karg_with_the_byte_that_ends_the_text_is_refused() {
    let test = "a_karg_with_the_byte_that_ends_the_text_is_refused";
    let Some(pristine) = image(test, |_| ()) else {
        return;
    };
    let live = LiveIso::open(Cursor::new(pristine)).unwrap();
    let error = live.set_kargs(&["a\nmenuentry"].into_iter().collect());
    assert!(matches!(error, Err(IsoError::KargsEnd)), "{error:?}");
}

#[test]
fn new_default_kargs_keep_the_rest_of_the_description() {
    let test = "new_default_kargs_keep_the_rest_of_the_description";
    let edit = |root: &Path| {
        let kargs = r##"{"size": 200, "later": 1, "default": "quiet console=ttyS0",
            "files": [{"new": [], "offset": 15, "path": "boot/grub/grub.cfg", "pad": "#"}]}"##;
        write(root, "coreos/kargs.json", format!("{kargs:400}"));
    };
    let Some(mut image) = image(test, edit) else {
        return;
    };
    let mut live = LiveIso::open(Cursor::new(image.clone())).unwrap();
    let region = live.set_default_kargs(&Kargs::parse("a")).unwrap();
    apply_in_place(Cursor::new(&mut image), &[region]).unwrap();
    let mut live = LiveIso::open(Cursor::new(image)).unwrap();
    assert_eq!(live.default_kargs().unwrap().to_string(), "a");
    let text = live.files().read("coreos/kargs.json", 1000).unwrap();
    let want = "{\n  \"default\": \"a\",\n  \"files\": [\n    {\n      \
        \"path\": \"boot/grub/grub.cfg\",\n      \"offset\": 15,\n      \"pad\": \"#\",\n      \
        \"new\": []\n    }\n  ],\n  \"size\": 200,\n  \"later\": 1\n}";
    assert_eq!(String::from_utf8(text).unwrap().trim_end(), want);
}
