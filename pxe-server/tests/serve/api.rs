//! What operators ask over HTTP: who is let in, what each route does, and what the document says.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::fixture::{MAC, site_dir};
use crate::process::Server;

fn token(dir: &Path, words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pxe-server"))
        .arg("token")
        .args(words)
        .arg("--state")
        .arg(dir.join("state"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Status and body.
fn ask(server: &Server, method: Method, path: &str, token: &str, body: &str) -> (u16, String) {
    let request = server.request(method, path).body(body.to_owned());
    let request = request.header("Content-Type", "application/json");
    let request = match token {
        "" => request,
        token => request.bearer_auth(token),
    };
    let answer = request.send().unwrap();
    (answer.status().as_u16(), answer.text().unwrap())
}

#[test]
fn tokens_let_in_by_their_roles_and_no_longer_than_they_are_there() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let get = |token: &str| ask(&server, Method::GET, "api/v1/machines", token, "");
    assert_eq!(get("").0, 200, "on this machine, while there is no token");
    assert_eq!(get("pxe_0").0, 401, "not known");
    let viewer = token(dir.path(), &["new", "--name", "a", "--role", "viewer"]);
    let operator = token(dir.path(), &["new", "--name", "b", "--role", "operator"]);
    assert_eq!(token(dir.path(), &["list"]), "viewer    a\noperator  b");
    let (status, text) = get("");
    assert_eq!((status, text.as_str()), (401, "a token is needed\n"));
    assert_eq!((get(&viewer).0, get(&operator).0), (200, 200));
    let reinstall = format!("api/v1/machines/{MAC}/reinstall");
    let post = |token: &str| ask(&server, Method::POST, &reinstall, token, "");
    let (status, text) = post(&viewer);
    assert_eq!(
        (status, text.as_str()),
        (403, "this takes the role `operator`; you have `viewer`\n")
    );
    assert_eq!((post("").0, post(&operator).0), (401, 204));
    for path in [
        "api/v1/site",
        "api/v1/events",
        "api/v1/openapi.json",
        "metrics",
    ] {
        assert_eq!(ask(&server, Method::GET, path, "", "").0, 401, "{path}");
    }
    assert_eq!(
        ask(&server, Method::GET, "healthz", "", "").0,
        200,
        "for machines"
    );
    token(dir.path(), &["revoke", "--name", "a"]);
    token(dir.path(), &["revoke", "--name", "b"]);
    assert_eq!((get(&viewer).0, get("").0), (401, 401), "nobody");
    std::fs::write(dir.path().join("state/tokens"), "nonsense\n").unwrap();
    assert_eq!(get(&operator).0, 503);
}

#[test]
fn tokens_are_made_and_taken_back_by_admins_only() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let make = |token: &str, name: &str, role: &str| {
        let body = format!(r#"{{"name":"{name}","role":"{role}"}}"#);
        let (status, text) = ask(&server, Method::POST, "api/v1/tokens", token, &body);
        let made: Value = serde_json::from_str(&text).unwrap_or_default();
        (status, made["token"].as_str().unwrap_or(&text).to_owned())
    };
    // Nobody has one yet, and this is the server's own machine.
    let (status, admin) = make("", "root", "admin");
    assert_eq!(status, 200);
    let (_, operator) = make(&admin, "ci", "operator");
    let want = "this takes the role `admin`; you have `operator`\n";
    assert_eq!(make(&operator, "more", "viewer"), (403, want.to_owned()));
    let want = "a token cannot be called `ci`: there is one of that name\n";
    assert_eq!(make(&admin, "ci", "viewer"), (409, want.to_owned()));
    assert_eq!(
        make(&admin, "x", "king"),
        (400, "roles are viewer, operator and admin\n".to_owned())
    );
    let list = || ask(&server, Method::GET, "api/v1/tokens", &admin, "").1;
    let both = r#"{"tokens":[{"name":"root","role":"admin"},{"name":"ci","role":"operator"}]}"#;
    assert_eq!(list(), both);
    let revoke = |name: &str| {
        let path = format!("api/v1/tokens/{name}");
        ask(&server, Method::DELETE, &path, &admin, "").0
    };
    assert_eq!((revoke("ci"), revoke("ci")), (204, 404));
    assert_eq!(
        ask(&server, Method::GET, "api/v1/site", &operator, "").0,
        401
    );
    assert_eq!(list(), r#"{"tokens":[{"name":"root","role":"admin"}]}"#);
    assert_eq!(
        token(dir.path(), &["list"]).trim(),
        "admin     root",
        "as the command says"
    );
}

#[test]
fn a_page_of_somebody_else_gets_nothing_from_a_browser_on_this_machine() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let status = |headers: &[(&str, &str)]| {
        server
            .get_with("api/v1/machines", headers)
            .status()
            .as_u16()
    };
    assert_eq!(status(&[]), 200);
    assert_eq!(status(&[("Host", "localhost:8080")]), 200);
    assert_eq!(status(&[("Origin", "http://evil.example")]), 403);
    assert_eq!(status(&[("Host", "evil.example")]), 403);
}

#[test]
fn machines_are_claimed_and_reinstalled_as_by_the_commands() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let stranger = "02:00:00:00:00:09";
    let claim = format!("api/v1/machines/{stranger}/claim");
    let put = |body: &str| ask(&server, Method::PUT, &claim, "", body);
    let (status, text) = put(r#"{"profile":"nobody"}"#);
    assert_eq!(
        (status, text.as_str()),
        (409, "there is no profile `nobody`; there are worker\n")
    );
    assert_eq!(put("{}").0, 422);
    let reinstall = format!("api/v1/machines/{stranger}/reinstall");
    assert_eq!(
        ask(&server, Method::POST, &reinstall, "", "").0,
        409,
        "no group"
    );
    assert_eq!(put(r#"{"profile":"worker"}"#).0, 204);
    let machine = || server.json(&format!("api/v1/machines/{stranger}"));
    assert_eq!(
        (&machine()["claim"], &machine()["profile"]),
        (&"worker".into(), &"worker".into())
    );
    assert_eq!(ask(&server, Method::POST, &reinstall, "", "").0, 204);
    assert_eq!(ask(&server, Method::DELETE, &claim, "", "").0, 204);
    assert_eq!(machine()["claim"], Value::Null);
    let names: Vec<_> = machine()["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["event"].clone())
        .collect();
    assert_eq!(
        names,
        ["discovered", "claimed", "reinstall-requested", "claimed"]
    );
    assert_eq!(
        ask(
            &server,
            Method::PUT,
            "api/v1/machines/x/claim",
            "",
            r#"{"profile":"worker"}"#
        )
        .0,
        400
    );
}

#[test]
fn a_check_tells_what_would_come_of_the_files() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let check = || {
        let (status, text) = ask(&server, Method::POST, "api/v1/site/check", "", "");
        assert_eq!(status, 200);
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!(check()["refused"], Value::Null);
    let profile = dir.path().join("site/profiles/worker.yaml");
    std::fs::write(&profile, "name: worker\ninstall: {}\n").unwrap();
    let refused = check()["refused"].clone();
    assert_eq!(
        (&refused["file"], &refused["line"]),
        (&profile.to_str().unwrap().into(), &2.into())
    );
}

/// The next event: its fields by name.
fn event(stream: &mut impl std::io::BufRead) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        assert!(
            stream.read_line(&mut line).unwrap() > 0,
            "the end after {fields:?}"
        );
        let line = line.trim_end();
        match line.split_once(": ") {
            Some((name, value)) if !name.is_empty() => {
                fields.push((name.to_owned(), value.to_owned()))
            }
            _ if line.is_empty() && fields.iter().any(|(name, _)| name == "data") => return fields,
            _ => {}
        }
    }
}

fn follow(server: &Server, last: Option<&str>) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    write!(stream, "GET /api/v1/events HTTP/1.1\r\n{last}\r\n").unwrap();
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).unwrap();
    }
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("content-type: text/event-stream\r\n"),
        "{head}"
    );
    stream
}

fn field<'a>(event: &'a [(String, String)], name: &str) -> &'a str {
    let found = event.iter().find(|(field, _)| field == name);
    found.map_or("", |(_, value)| value)
}

#[test]
fn events_are_told_as_they_happen_and_again_to_who_was_away() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let mut follower = follow(&server, None);
    // The first piece says that the server has noted where this one begins.
    let mut retry = String::new();
    follower.read_line(&mut retry).unwrap();
    assert_eq!(retry, "retry: 2000\n");
    server.script();
    let mut names = Vec::new();
    let mut ids = Vec::new();
    while names.last().is_none_or(|name| name != "script-served") {
        let event = event(&mut follower);
        let data: Value = serde_json::from_str(field(&event, "data")).unwrap();
        assert_eq!(data["mac"], MAC);
        names.push(data["event"].as_str().unwrap().to_owned());
        ids.push(field(&event, "id").to_owned());
    }
    assert_eq!(
        names,
        ["discovered", "matched", "ticket-issued", "script-served"]
    );
    let mut again = follow(&server, Some(&ids[1]));
    assert_eq!(field(&event(&mut again), "id"), ids[2]);
    let mut stranger = follow(&server, Some("5-1"));
    assert_eq!(field(&event(&mut stranger), "event"), "reset");
    // A server that stops does not wait for those who follow.
    assert_eq!(server.terminate(), Some(0));
    let mut rest = String::new();
    follower.read_to_string(&mut rest).unwrap();
}

#[test]
fn the_document_describes_what_is_answered() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    server.script();
    let document = server.json("api/v1/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 9, "{paths:?}");
    let mut token = String::new();
    for (path, operations) in paths {
        let path = path.trim_start_matches('/').replace("{mac}", MAC);
        let path = path
            .replace("{profile}", "worker")
            .replace("{name}", "nobody");
        for (method, operation) in operations.as_object().unwrap() {
            if path.ends_with("events") {
                continue;
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let body = match path.as_str() {
                "api/v1/tokens" => r#"{"name":"a","role":"admin"}"#,
                _ => r#"{"profile":"worker"}"#,
            };
            let (status, text) = ask(&server, method.clone(), &path, &token, body);
            assert!(![401, 403].contains(&status), "{method} {path}: {text}");
            // From the first token on, everybody needs one.
            if let Some(made) = serde_json::from_str::<Value>(&text)
                .ok()
                .and_then(|made| made["token"].as_str().map(str::to_owned))
            {
                token = made;
            }
            let answers = operation["responses"].as_object().unwrap();
            assert!(
                answers.contains_key(&status.to_string()),
                "{method} {path}: {status} {text}"
            );
            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            if status == 200 && !schema.is_null() {
                let mut schema = schema.clone();
                schema["components"] = document["components"].clone();
                let answer: Value = serde_json::from_str(&text).unwrap();
                if let Err(error) = jsonschema::validate(&schema, &answer) {
                    panic!("{method} {path}: {error} in {answer}");
                }
            }
        }
    }
}

#[test]
fn metrics_count_machines_and_events() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    server.script();
    let metrics = server.get("metrics").text().unwrap();
    for want in [
        "pxe_server_machines{state=\"booting\"} 1\n",
        "pxe_server_machines{state=\"installed\"} 0\n",
        "pxe_server_events_total{event=\"ticket-issued\"} 1\n",
        "pxe_server_site_generation 1\n",
        "pxe_server_site_refused 0\n",
        "# EOF\n",
    ] {
        assert!(metrics.contains(want), "{want} in {metrics}");
    }
}

#[test]
fn an_address_apart_takes_the_operators_and_nobody_else() {
    let dir = site_dir();
    let options = ["--api-address", "127.0.0.1:0"].map(OsStr::new);
    let server = Server::start_for_site(dir.path(), &options);
    let status = |port: u16, path: &str| {
        let url = format!("http://127.0.0.1:{port}/{path}");
        reqwest::blocking::get(url).unwrap().status().as_u16()
    };
    let api = server.api.unwrap();
    assert_eq!(
        (status(api, "api/v1/machines"), status(api, "metrics")),
        (200, 200)
    );
    assert_eq!(
        (status(api, "healthz"), status(api, "boot.ipxe")),
        (404, 404)
    );
    assert_eq!(
        (
            status(server.http, "api/v1/machines"),
            status(server.http, "metrics")
        ),
        (404, 404)
    );
    assert_eq!(status(server.http, "boot.ipxe"), 200);
}
