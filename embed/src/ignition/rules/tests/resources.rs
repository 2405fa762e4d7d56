//! The `ignition` section and references to contents.
//! The forms of URLs in full are in the tests of `syntax`.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    // Configs, certificate bundles, proxies.
    case(0..=7, r#"{"passwd":{}}"#, &[]),
    case(
        0..=0,
        r#"{"ignition":{"config":{"merge":[{},{"source":"data:,x"}]}}}"#,
        &[],
    ),
    case(
        1..=7,
        r#"{"ignition":{"config":{"merge":[{},{"source":"data:,x"}]}}}"#,
        &["error source-missing $.ignition.config.merge.0"],
    ),
    case(
        1..=7,
        r#"{"ignition":{"config":{"merge":[{"source":""}]}}}"#,
        &["error source-missing $.ignition.config.merge.0"],
    ),
    case(
        0..=7,
        r#"{"ignition":{"config":{"merge":[{"source":"foo:"}]}}}"#,
        &["error url-scheme $.ignition.config.merge.0.source"],
    ),
    case(
        0..=0,
        r#"{"ignition":{"config":{"merge":[{},{}]}}}"#,
        &["error duplicate $.ignition.config.merge.1"],
    ),
    case(
        0..=7,
        r#"{"ignition":{"config":{"merge":[{"source":"data:,x"},{"source":"data:,x"}]}}}"#,
        &["error duplicate $.ignition.config.merge.1"],
    ),
    case(0..=7, r#"{"ignition":{"config":{"replace":{}}}}"#, &[]),
    case(
        0..=0,
        r#"{"ignition":{"config":{"replace":{"verification":{"hash":"sha512-x"}}}}}"#,
        &["error hash-length $.ignition.config.replace.verification.hash"],
    ),
    case(
        1..=7,
        r#"{"ignition":{"config":{"replace":{"verification":{"hash":"sha512-x"}}}}}"#,
        &[
            "error hash-without-source $.ignition.config.replace.verification.hash",
            "error hash-length $.ignition.config.replace.verification.hash",
        ],
    ),
    case(
        0..=0,
        r#"{"ignition":{"security":{"tls":{"certificateAuthorities":[{}]}}}}"#,
        &["error source-missing $.ignition.security.tls.certificateAuthorities.0?source"],
    ),
    case(
        1..=7,
        r#"{"ignition":{"security":{"tls":{"certificateAuthorities":[{}]}}}}"#,
        &["error source-missing $.ignition.security.tls.certificateAuthorities.0"],
    ),
    case(
        1..=7,
        r#"{"ignition":{"proxy":{"httpProxy":"","httpsProxy":"http://a","noProxy":["a","b","a"]}}}"#,
        &[
            "error proxy-scheme $.ignition.proxy.httpProxy",
            "warning proxy-insecure $.ignition.proxy.httpsProxy",
            "error duplicate $.ignition.proxy.noProxy.2",
        ],
    ),
    case(
        1..=7,
        r#"{"ignition":{"proxy":{"httpProxy":"http://a b","httpsProxy":"ftp://a"}}}"#,
        &[
            "error url-malformed $.ignition.proxy.httpProxy",
            "error proxy-scheme $.ignition.proxy.httpsProxy",
        ],
    ),
    case(
        0..=0,
        r#"{"ignition":{"proxy":{"httpProxy":""}}}"#,
        &["warning unused-key $.ignition.proxy"],
    ),
    // URLs.
    case(0..=7, of!(contents: r#""source":"""#), &[]),
    case(0..=7, of!(contents: r#""source":"HTTP://a/""#), &[]),
    case(
        0..=7,
        of!(contents: r#""source":"https://u:p@[::1]:8/b?c#d""#),
        &[],
    ),
    case(0..=7, of!(contents: r#""source":"tftp://a/b""#), &[]),
    case(
        0..=7,
        of!(contents: r#""source":"s3://b/k?versionId=1""#),
        &[],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"data:text/plain;base64,QQ==""#),
        &[],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"http://a:b/""#),
        &["error url-malformed $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"http://a/%zz""#),
        &["error url-malformed $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"http://[::1/\u0001""#),
        &["error url-malformed $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"/etc/hosts""#),
        &["error url-scheme $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"file:///etc/hosts""#),
        &["error url-scheme $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"oem:///x""#),
        &["error url-scheme $.storage.files.0.contents.source"],
    ),
    case(
        0..=1,
        of!(contents: r#""source":"gs://b/k""#),
        &["error url-scheme $.storage.files.0.contents.source"],
    ),
    case(2..=7, of!(contents: r#""source":"gs://b/k""#), &[]),
    case(
        0..=3,
        of!(contents: r#""source":"arn:aws:s3:::b/k""#),
        &["error url-scheme $.storage.files.0.contents.source"],
    ),
    case(
        4..=7,
        of!(contents: r#""source":"arn:aws:s3:::b/k?versionId=1""#),
        &[],
    ),
    case(
        4..=7,
        of!(contents: r#""source":"Arn:aws:s3:us:1:accesspoint/x/k""#),
        &[],
    ),
    case(
        4..=7,
        of!(contents: r#""source":"arn:aws:s3:us:1:accesspoint/x""#),
        &["error s3-arn $.storage.files.0.contents.source"],
    ),
    case(
        4..=7,
        of!(contents: r#""source":"arn:/aws:s3:::b/k""#),
        &["error s3-arn $.storage.files.0.contents.source"],
    ),
    case(
        4..=7,
        of!(contents: r#""source":"arn:aws:iam:::b/k?versionId=""#),
        &["error s3-arn $.storage.files.0.contents.source"],
    ),
    case(
        4..=7,
        of!(contents: r#""source":"arn:aws:s3:::b/k?versionId=""#),
        &["error s3-version-empty $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"s3://b/k?versionId""#),
        &["error s3-version-empty $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"http://b/k?versionId=""#),
        &[],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"data:;base64,QQ""#),
        &["error data-url $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"DATA:,x""#),
        &["error data-url $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"data:font/woff,x""#),
        &["error data-url $.storage.files.0.contents.source"],
    ),
    case(
        0..=7,
        r#"{"storage":{"files":[{"path":"/a","append":[{"source":"data:,%"},{"source":"data:,%"}]}]}}"#,
        &[
            "error data-url $.storage.files.0.append.0.source",
            "error data-url $.storage.files.0.append.1.source",
        ],
    ),
    case(
        2..=7,
        of!(luks: r#""keyFile":{"source":"foo:","compression":"xz"}"#),
        &[
            "error url-scheme $.storage.luks.0.keyFile.source",
            "error value-unknown $.storage.luks.0.keyFile.compression",
        ],
    ),
    // Compression, hashes, headers.
    case(0..=7, of!(contents: r#""compression":"""#), &[]),
    case(0..=7, of!(contents: r#""compression":"gzip""#), &[]),
    case(
        0..=7,
        of!(contents: r#""compression":"xz""#),
        &["error value-unknown $.storage.files.0.contents.compression"],
    ),
    case(
        0..=7,
        of!(contents: r#""verification":{"hash":"sha512"}"#),
        &[
            "error hash-without-source $.storage.files.0.contents.verification.hash",
            "error hash-malformed $.storage.files.0.contents.verification.hash",
        ],
    ),
    case(
        0..=7,
        of!(contents: r#""source":"","verification":{"hash":"md5-00"}"#),
        &["error hash-function $.storage.files.0.contents.verification.hash"],
    ),
    case(
        0..=0,
        of!(contents: r#""source":"","verification":{"hash":"sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}"#),
        &["error hash-function $.storage.files.0.contents.verification.hash"],
    ),
    case(
        1..=7,
        of!(contents: r#""source":"","verification":{"hash":"sha256-gggggggg89abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}"#),
        &[],
    ),
    case(
        1..=7,
        of!(contents: r#""source":"","verification":{"hash":"sha256-0"}"#),
        &["error hash-length $.storage.files.0.contents.verification.hash"],
    ),
    case(
        1..=7,
        of!(contents: r#""source":"https://a","httpHeaders":[{"name":"a"},{"name":"A","value":"x"}]"#),
        &[],
    ),
    case(
        1..=7,
        of!(contents: r#""httpHeaders":[{"name":"","value":""},{"name":"a"},{"name":"a"}]"#),
        &[
            "error headers-without-source $.storage.files.0.contents.httpHeaders",
            "error header-name-empty $.storage.files.0.contents.httpHeaders.0.name",
            "error header-value-empty $.storage.files.0.contents.httpHeaders.0.value",
            "error duplicate $.storage.files.0.contents.httpHeaders.2",
        ],
    ),
    case(
        1..=7,
        of!(contents: r#""source":"data:,","httpHeaders":[{}]"#),
        &[
            "error headers-scheme $.storage.files.0.contents.httpHeaders",
            "error header-name-empty $.storage.files.0.contents.httpHeaders.0?name",
        ],
    ),
    case(
        1..=7,
        of!(contents: r#""source":"http://a b","httpHeaders":[{"name":"a"}]"#),
        &["error url-malformed $.storage.files.0.contents.source"],
    ),
    case(1..=7, of!(contents: r#""httpHeaders":[]"#), &[]),
];
