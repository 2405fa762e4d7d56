//! Asks a running server over its API, as the commands do that need one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::Method;
use reqwest::blocking::{Client, Response};

/// Where a running server is, and what lets in.
#[derive(Debug, Args)]
pub(super) struct Remote {
    /// Where the server's HTTP side is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// File with a token for it, where the server wants one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Remote {
    /// The server at `server`.
    pub(super) fn new(server: &str, token_file: Option<&Path>) -> Self {
        Self {
            server: server.to_owned(),
            token_file: token_file.map(Path::to_owned),
        }
    }

    /// The answer to a request without a body; one that refuses is an error with its text.
    pub(super) fn ask(&self, method: Method, path: &str) -> anyhow::Result<Response> {
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let client = Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .context("making an HTTP client")?;
        let mut request = client.request(method, &url);
        if let Some(file) = &self.token_file {
            let token = std::fs::read_to_string(file);
            let token = token.with_context(|| format!("reading {}", file.display()))?;
            request = request.bearer_auth(token.trim());
        }
        let answer = request.send().with_context(|| format!("asking {url}"))?;
        let status = answer.status();
        if !status.is_success() {
            let text = answer.text().unwrap_or_default();
            bail!("the server answers {status}: {}", text.trim());
        }
        Ok(answer)
    }
}
