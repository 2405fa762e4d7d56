//! Packed images read by commands that install nothing: `verify` and `inspect`; and found by way of a
//! stream's metadata.

use std::path::Path;
use std::process::{Command, Output};

use embed::digest::Sha256Digest;
use installer::cancel::Cancel;
use installer::image::{ImageFacts, SignaturePlace, Terms, read_verified};
use installer::observe::Silent;
use installer::pipeline::ImageError;
use installer::source::{Location, ManifestPlace, StreamQuery};
use installer::verify::{Keyring, SignaturePolicy, Verified};

use crate::image::{SIZE, raw};
use crate::packed::Packed;
use crate::resume::quick;
use crate::server::{Answer, Server};

fn run(args: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap()
}

fn verify(args: &[&str], packed: &Packed, dir: &Path) -> Output {
    let key = packed.key.to_str().unwrap();
    run(&[&["verify", "--keyring", key], args].concat(), dir)
}

/// What is said besides progress.
fn said(out: &Output) -> String {
    let text = String::from_utf8(out.stderr.clone()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("read "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn verify_tells_who_signed_the_manifest_and_what_was_checked_by_it() {
    let packed = Packed::new();
    let dir = packed.publish();
    // It is not looked at.
    std::fs::write(dir.path().join("os.raw.zst.sig"), b"").unwrap();
    let out = verify(&["os.raw.zst", "--json"], &packed, dir.path());
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let list = packed.list();
    let data: u64 = list.chunks().iter().map(|c| u64::from(c.length)).sum();
    let zeroes = SIZE as u64 - data;
    assert_eq!(
        json["chunk-manifest"],
        serde_json::json!({"name": "os.chunks.json", "chunks": list.chunks().len(),
            "chunk-size": 1 << 20, "zeroes": zeroes})
    );
    let digest = Sha256Digest::of(&raw(512)).to_string();
    assert_eq!(
        json["raw"],
        serde_json::json!({"size": SIZE, "sha256": digest, "sector-size": 512})
    );
    assert_eq!(json["size"], packed.image.len());
    let (key, time) = (&json["signed-by"]["key"], &json["signed-by"]["time"]);

    let out = verify(&["os.raw.zst"], &packed, dir.path());
    let size = indicatif::BinaryBytes(packed.image.len() as u64);
    let zeroes = indicatif::BinaryBytes(zeroes);
    assert_eq!(
        String::from_utf8(out.stdout).unwrap(),
        format!(
            "image      os.raw.zst ({size} as published)\n\
             signed by  Image Test <test@example.com>\n\
             key        {}\n\
             signed at  {}\n\
             signed is  the chunk manifest os.chunks.json\n\
             checked    {} chunks of 1.00 MiB, {zeroes} of zeroes, the file as published\n\
             raw        sha256 {digest}\n\
             \x20          {SIZE} bytes, sectors of 512 bytes\n",
            key.as_str().unwrap(),
            time.as_str().unwrap(),
            list.chunks().len(),
        )
    );
}

#[test]
fn verify_names_the_chunk_that_is_bad_and_what_is_bad_besides_chunks() {
    let mut packed = Packed::new();
    packed.image = packed.flipped(3);
    let dir = packed.publish();
    let out = verify(&["os.raw.zst"], &packed, dir.path());
    assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0));
    let text = said(&out);
    assert!(text.starts_with("error: chunk 3, from byte "), "{text}");
    assert!(
        text.contains("os.raw.zst: it gave a frame with sha256 "),
        "{text}"
    );

    let mut packed = Packed::new();
    let at = packed.image.len() - 20;
    packed.image[at] ^= 1;
    let dir = packed.publish();
    let out = verify(&["os.raw.zst"], &packed, dir.path());
    assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0));
    let (want, got) = (packed.list().file().sha256, Sha256Digest::of(&packed.image));
    assert_eq!(
        said(&out),
        format!(
            "error: os.raw.zst has sha256 {got} and its chunk manifest lists {want}: every chunk is \
             good, and what lies between or after them is not\n\
             hint:  fetch image and manifest again, from the same place; they may not belong together\n"
        )
    );
}

#[test]
fn verify_reads_one_stream_when_a_signature_or_no_manifest_is_named() {
    let mut packed = Packed::new();
    // Whatever is wrong with it: it is not looked at.
    packed.manifest.clear();
    let dir = packed.publish();
    for args in [
        ["os.raw.zst", "os.raw.zst.sig"],
        ["os.raw.zst", "--image-manifest=none"],
    ] {
        let out = verify(&[&args[..], &["--json"]].concat(), &packed, dir.path());
        assert_eq!(out.status.code(), Some(0), "{out:?}");
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(json["chunk-manifest"], serde_json::Value::Null);
        assert_eq!(json["size"], packed.image.len());
    }
    let elsewhere = ["os.raw.zst", "--image-manifest=http://127.0.0.1:1/m"];
    let out = verify(&elsewhere, &packed, dir.path());
    assert_eq!(out.status.code(), Some(1));
    let text = said(&out);
    assert!(
        text.contains("http://127.0.0.1:1/m is at a URL, and the image is a local file\n"),
        "{text}"
    );
}

#[test]
fn inspect_reads_a_packed_image_by_its_manifest_and_needs_nobodys_word_for_it() {
    let mut packed = Packed::new();
    packed.manifest_signature = b"nonsense".to_vec();
    let dir = packed.publish();
    let by_list = run(&["inspect", "os.raw.zst"], dir.path());
    assert_eq!(by_list.status.code(), Some(0), "{by_list:?}");
    assert_eq!(said(&by_list), "");
    std::fs::remove_file(dir.path().join("os.chunks.json")).unwrap();
    let streamed = run(&["inspect", "os.raw.zst"], dir.path());
    assert_eq!(by_list.stdout, streamed.stdout);

    packed.image = packed.flipped(4);
    let dir = packed.publish();
    let out = run(&["inspect", "os.raw.zst"], dir.path());
    assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0));
    assert!(said(&out).contains("chunk 4, from byte "), "{out:?}");
}

/// Reads the image of a stream whose metadata is `json`.
fn read_stream(packed: &Packed, json: String) -> Result<(Verified, ImageFacts), ImageError> {
    let metadata = vec![Answer::Body(json.into_bytes())];
    let server = Server::new([("/streams/stable.json", metadata)]);
    let source = Location::Stream(StreamQuery {
        base_url: server.url("/streams"),
        stream: "stable".into(),
        architecture: "x86_64".into(),
        platform: "metal".into(),
        format: "raw.xz".into(),
        mirrors: Vec::new(),
        access: quick(0),
    });
    let terms = Terms {
        manifest: &ManifestPlace::Beside,
        signature: SignaturePlace::Beside,
        digest: None,
        policy: SignaturePolicy::Require,
        keyring: &Keyring::empty().with_file(&packed.key),
    };
    read_verified(&source, &terms, &Silent, &Cancel::new())
}

#[test]
fn a_stream_names_the_manifest_of_its_packed_image() {
    let packed = Packed::new();
    let body = |bytes: &[u8]| vec![Answer::Body(bytes.to_vec())];
    let files = Server::new([
        ("/image", body(&packed.image)),
        ("/image.sig", body(&packed.image_signature)),
        ("/list", body(&packed.manifest)),
        ("/list.sig", body(&packed.manifest_signature)),
    ]);
    let metadata = |more: &str| {
        let at = files.url("");
        let disk = format!(r#""location":"{at}/image","signature":"{at}/image.sig"{more}"#);
        let xz = r#""location":"http://127.0.0.1:1/x","signature":"http://127.0.0.1:1/s""#;
        format!(
            r#"{{"stream":"stable","architectures":{{"x86_64":{{"artifacts":{{"metal":{{"formats":{{
               "raw.zst":{{"disk":{{{disk}}}}},"raw.xz":{{"disk":{{{xz}}}}}}}}}}}}}}}}}"#
        )
    };
    let at = files.url("");
    let list = format!(r#","chunks":{{"location":"{at}/list","signature":"{at}/list.sig"}}"#);
    let (verified, facts) = read_stream(&packed, metadata(&list)).unwrap();
    assert_eq!(facts.list.unwrap().manifest, format!("{at}/list"));
    assert_eq!(verified.source_bytes(), packed.image.len() as u64);
    assert_eq!(files.requests(), ["/list", "/list.sig", "/image"]);

    // What the metadata says of the file must be what the signed manifest says.
    let wrong = Sha256Digest::of(b"another");
    let error = read_stream(&packed, metadata(&format!(r#"{list},"sha256":"{wrong}""#)));
    match error.unwrap_err() {
        ImageError::Verify(error) => {
            let want = format!(
                "{at}/list is published with sha256 {}, which is not the wanted {wrong}",
                packed.list().file().sha256
            );
            assert_eq!(error.to_string(), want);
        }
        other => panic!("{other:?}"),
    }

    // Nobody signed that one: it is left out, and the image is read by its own signature.
    let list = format!(r#","chunks":{{"location":"{at}/list","signature":"{at}/none"}}"#);
    let (_, facts) = read_stream(&packed, metadata(&list)).unwrap();
    assert_eq!(facts.list, None);
    assert_eq!(facts.sha256, Sha256Digest::of(&raw(512)));
}
