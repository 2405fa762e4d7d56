//! Calls of etcd's v3 API through its JSON gateway: one request to one member after the other until
//! one does it, bounded in time and size. Knows no keys of ours.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Certificate, Identity, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::address::{Credentials, EtcdSettings};
use super::answer::{Authenticated, Failure};
use super::error::EtcdError;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 20;
/// gRPC's status codes, as far as they say whether a fault passes.
const DEADLINE_EXCEEDED: u32 = 4;
const PERMISSION_DENIED: u32 = 7;
const UNAVAILABLE: u32 = 14;
const UNAUTHENTICATED: u32 = 16;

/// The members of one etcd.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    members: Vec<String>,
    /// The member that did the last call.
    good: AtomicUsize,
    credentials: Option<Credentials>,
    token: Mutex<Option<String>>,
    /// How long one member may take.
    patience: Duration,
}

fn read(path: &Path) -> Result<Vec<u8>, EtcdError> {
    std::fs::read(path).map_err(|source| EtcdError::File {
        path: path.to_owned(),
        source,
    })
}

impl Client {
    /// One for these members. Reads files, asks nobody.
    pub(super) fn new(settings: &EtcdSettings) -> Result<Self, EtcdError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .no_proxy();
        if let Some(path) = &settings.ca {
            let bundle = Certificate::from_pem_bundle(&read(path)?);
            builder = builder.tls_certs_only(bundle.map_err(EtcdError::Client)?);
        }
        if let Some((certificate, key)) = &settings.identity {
            let identity = Identity::from_pkcs8_pem(&read(certificate)?, &read(key)?);
            builder = builder.identity(identity.map_err(EtcdError::Client)?);
        }
        let credentials = match &settings.credentials {
            Some(path) => {
                let text = String::from_utf8(read(path)?).unwrap_or_default();
                let parsed = Credentials::parse(&text);
                Some(parsed.ok_or_else(|| EtcdError::Credentials(path.clone()))?)
            }
            None => None,
        };
        Ok(Self {
            http: builder.build().map_err(EtcdError::Client)?,
            members: settings.address.members.clone(),
            good: AtomicUsize::new(0),
            credentials,
            token: Mutex::default(),
            patience: settings.patience,
        })
    }

    /// How many members there are.
    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    /// Asks members until one does it; not all of them are waited for as long as one may take.
    pub(super) async fn call<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<A, EtcdError> {
        let end = Instant::now() + self.patience * 5 / 3;
        let good = self.good.load(Ordering::Relaxed);
        let mut last = EtcdError::Away;
        for member in good..good.saturating_add(self.members.len()) {
            let left = end
                .saturating_duration_since(Instant::now())
                .min(self.patience);
            if left.is_zero() {
                break;
            }
            match self.ask(member, path, body, left).await {
                Ok(answer) => {
                    self.good
                        .store(member % self.members.len(), Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) if error.is_passing() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Asks one member, counted around.
    pub(super) async fn call_member<A: DeserializeOwned>(
        &self,
        member: usize,
        path: &str,
        body: &Value,
    ) -> Result<A, EtcdError> {
        self.ask(member, path, body, self.patience).await
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        member: usize,
        path: &str,
        body: &Value,
        patience: Duration,
    ) -> Result<A, EtcdError> {
        let member = self.member(member);
        let asked = async {
            let response = self.send_with_token(member, path, body).await?;
            parse(member, &collect(member, response).await?)
        };
        let slow = || EtcdError::Slow {
            member: member.to_owned(),
        };
        timeout(patience, asked)
            .await
            .unwrap_or_else(|_| Err(slow()))
    }

    /// Asks one member, counted around, for an answer that comes in pieces.
    pub(super) async fn stream(
        &self,
        member: usize,
        path: &str,
        body: &Value,
    ) -> Result<Stream, EtcdError> {
        let member = self.member(member);
        let asked = self.send_with_token(member, path, body);
        let slow = |_| EtcdError::Slow {
            member: member.to_owned(),
        };
        let response = timeout(self.patience, asked).await.map_err(slow)??;
        Ok(Stream {
            member: member.to_owned(),
            response,
            rest: Vec::new(),
        })
    }

    fn member(&self, number: usize) -> &str {
        let member = self.members.get(number % self.members.len().max(1));
        member.map_or("", String::as_str)
    }

    /// Sends with the token that we have; with a new one if it is not good any more.
    async fn send_with_token(
        &self,
        member: &str,
        path: &str,
        body: &Value,
    ) -> Result<Response, EtcdError> {
        let known = self
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(credentials) = &self.credentials else {
            return self.send(member, path, body, None).await;
        };
        if let Some(token) = known {
            match self.send(member, path, body, Some(&token)).await {
                Err(EtcdError::Forbidden { message, .. }) if message.contains("token") => {}
                outcome => return outcome,
            }
        }
        let who = json!({"name": credentials.user, "password": credentials.password});
        let response = self.send(member, "auth/authenticate", &who, None).await?;
        let let_in: Authenticated = parse(member, &collect(member, response).await?)?;
        let response = self.send(member, path, body, Some(&let_in.token)).await;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(let_in.token);
        response
    }

    async fn send(
        &self,
        member: &str,
        path: &str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<Response, EtcdError> {
        let mut request = self.http.post(format!("{member}/v3/{path}"));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let response = request.body(body.to_string()).send().await;
        let response = response.map_err(|error| connection(member, error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status();
        let said = collect(member, response).await?;
        let failure: Failure = serde_json::from_slice(&said).unwrap_or_default();
        Err(failed(member, status, failure))
    }
}

/// A refusal by its code; what a member says at times without one is known by its words.
fn failed(member: &str, status: StatusCode, failure: Failure) -> EtcdError {
    let member = member.to_owned();
    let message = match (failure.message, failure.error) {
        (message, error) if message.is_empty() && error.is_empty() => format!("status {status}"),
        (message, error) if message.is_empty() => error,
        (message, _) => message,
    };
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if matches!(failure.code, PERMISSION_DENIED | UNAUTHENTICATED)
        || says(&["authentication", "user name is empty", "auth token"])
    {
        EtcdError::Forbidden { member, message }
    } else if matches!(failure.code, UNAVAILABLE | DEADLINE_EXCEEDED)
        || status == StatusCode::SERVICE_UNAVAILABLE
        || says(&["timed out", "no leader", "leader changed"])
    {
        EtcdError::Passing { member, message }
    } else {
        EtcdError::Refused { member, message }
    }
}

fn connection(member: &str, source: reqwest::Error) -> EtcdError {
    let member = member.to_owned();
    let mut causes = std::iter::successors(Some(&source as &dyn std::error::Error), |e| e.source());
    let is_trust = |cause: &dyn std::error::Error| {
        let text = cause.to_string();
        text.contains("certificate") || text.contains("alert")
    };
    if causes.any(is_trust) {
        EtcdError::Untrusted { member, source }
    } else {
        EtcdError::Connection { member, source }
    }
}

fn parse<A: DeserializeOwned>(member: &str, json: &[u8]) -> Result<A, EtcdError> {
    serde_json::from_slice(json).map_err(|source| EtcdError::Answer {
        member: member.to_owned(),
        source: Some(source),
    })
}

async fn collect(member: &str, response: Response) -> Result<Vec<u8>, EtcdError> {
    let mut stream = Stream {
        member: member.to_owned(),
        response,
        rest: Vec::new(),
    };
    while stream.more().await? {}
    Ok(stream.rest)
}

/// An answer that comes in pieces, a line for each.
#[derive(Debug)]
pub(super) struct Stream {
    member: String,
    response: Response,
    rest: Vec<u8>,
}

impl Stream {
    /// The next line; none at the end. Nothing is lost if it is given up while it waits.
    pub(super) async fn next<A: DeserializeOwned>(&mut self) -> Result<Option<A>, EtcdError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return parse(&self.member, &line).map(Some);
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self) -> Result<bool, EtcdError> {
        let piece = self.response.chunk().await;
        let piece = piece.map_err(|error| connection(&self.member, error))?;
        let Some(piece) = piece else {
            return Ok(false);
        };
        if self.rest.len() + piece.len() > MAX_ANSWER {
            return Err(EtcdError::Answer {
                member: self.member.clone(),
                source: None,
            });
        }
        self.rest.extend_from_slice(&piece);
        Ok(true)
    }
}
