//! Tokens over the API, as the command makes and takes them back.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::http::{App, Problem};
use crate::token::{Role, TokenError, Tokens};

/// The state directory's tokens, changed by one request after the other.
#[derive(Clone, Debug)]
pub struct TokenBook(Arc<Mutex<PathBuf>>);

impl TokenBook {
    /// Of the state directory `state`.
    pub fn new(state: &FilePath) -> Self {
        Self(Arc::new(Mutex::new(state.to_owned())))
    }

    /// Does something with the tokens as they are now.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(Tokens) -> Result<T, TokenError> + Send + 'static,
    ) -> Result<T, Problem> {
        let state = self.0.clone().lock_owned().await;
        let done = tokio::task::spawn_blocking(move || Tokens::load(&state).and_then(work)).await;
        let done = done.map_err(|_| Problem::Unavailable("the server is going down".to_owned()))?;
        done.map_err(|error| match error {
            TokenError::Name(..) => Problem::Conflict(error.to_string()),
            _ => {
                tracing::error!(error = &error as &dyn std::error::Error, "tokens");
                Problem::Unavailable("the server's tokens cannot be used".to_owned())
            }
        })
    }
}

/// `GET /api/v1/tokens`
#[derive(Debug, Serialize)]
pub(super) struct TokenList {
    tokens: Vec<Listed>,
}

/// A token without its secret.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    role: &'static str,
}

/// The body of a request for a token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    name: String,
    role: String,
}

/// A token that was made.
#[derive(Debug, Serialize)]
pub(super) struct MadeToken {
    token: String,
}

/// All tokens.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<TokenList>, Problem> {
    let listed = |tokens: Tokens| {
        let listed = tokens.known().iter().map(|known| Listed {
            name: known.name.clone(),
            role: known.role.name(),
        });
        Ok(listed.collect())
    };
    let tokens = app.tokens.with(listed).await?;
    Ok(Json(TokenList { tokens }))
}

/// `POST /api/v1/tokens`: the only time that the token is told.
pub(super) async fn make(
    State(app): State<Arc<App>>,
    Json(NewToken { name, role }): Json<NewToken>,
) -> Result<Json<MadeToken>, Problem> {
    let role: Role = role
        .parse()
        .map_err(|error: crate::token::RoleError| Problem::BadRequest(error.to_string()))?;
    let told = name.clone();
    let token = app
        .tokens
        .with(move |mut tokens| tokens.add(&name, role))
        .await?;
    tracing::info!(name = told, role = role.name(), "a token was made");
    Ok(Json(MadeToken { token }))
}

/// `DELETE /api/v1/tokens/{name}`
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let told = name.clone();
    let revoked = app
        .tokens
        .with(move |mut tokens| tokens.revoke(&name))
        .await?;
    if !revoked {
        return Err(Problem::NotFound(format!(
            "there is no token called `{told}`"
        )));
    }
    tracing::info!(name = told, "a token was taken back");
    Ok(StatusCode::NO_CONTENT)
}
