//! Failures as HTTP answers: a status that means what it says, and one line of text.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

use crate::mac::MacAddr;
use crate::machine::RegistryError;
use crate::provision::ProvisionError;

/// Why a request is not answered as wished.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The request is wrong.
    BadRequest(String),
    /// Nobody knows who asks.
    Unauthorized(&'static str),
    /// There may be such a thing, and it is not given out.
    Forbidden(String),
    /// There is no such thing.
    NotFound(String),
    /// It does not fit the machine's state.
    Conflict(String),
    /// The operator's files are wrong.
    Misconfigured(String),
    /// We failed; trying again can help.
    Unavailable(String),
    /// Asked too often, and welcome again after this.
    TooMany(Duration),
    /// The same to who would not come back for that.
    Busy(Duration),
}

impl Problem {
    /// Reads a machine's address out of a path or query.
    pub(super) fn parse_mac(text: &str) -> Result<MacAddr, Self> {
        text.parse()
            .map_err(|error: crate::mac::MacError| Self::BadRequest(error.to_string()))
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Refused(refusal) => Self::Conflict(refusal.to_string()),
            RegistryError::Unknown => {
                Self::Conflict("this machine has no current install".to_owned())
            }
            RegistryError::Unavailable | RegistryError::Full => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl From<ProvisionError> for Problem {
    fn from(error: ProvisionError) -> Self {
        let text = error.to_string();
        match error {
            ProvisionError::Unmatched(_) => Self::NotFound(text),
            ProvisionError::Unproven { .. } => Self::Forbidden(text),
            ProvisionError::Config => Self::Misconfigured(text),
            ProvisionError::Ticket | ProvisionError::Version(_) => Self::Conflict(text),
            ProvisionError::Registry(error) => error.into(),
            ProvisionError::Moment | ProvisionError::Stopping | ProvisionError::CommandLine(_) => {
                Self::Unavailable(text)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::TooMany(after) => return come_back(StatusCode::TOO_MANY_REQUESTS, after),
            Self::Busy(after) => return come_back(StatusCode::SERVICE_UNAVAILABLE, after),
            Self::Unauthorized(text) => {
                let how = [(WWW_AUTHENTICATE, "Bearer")];
                return (StatusCode::UNAUTHORIZED, how, format!("{text}\n")).into_response();
            }
            Self::BadRequest(text) => (StatusCode::BAD_REQUEST, text),
            Self::Forbidden(text) => (StatusCode::FORBIDDEN, text),
            Self::NotFound(text) => (StatusCode::NOT_FOUND, text),
            Self::Conflict(text) => (StatusCode::CONFLICT, text),
            Self::Misconfigured(text) => (StatusCode::INTERNAL_SERVER_ERROR, text),
            Self::Unavailable(text) => (StatusCode::SERVICE_UNAVAILABLE, text),
        };
        (status, format!("{text}\n")).into_response()
    }
}

/// In whole seconds, as HTTP has it.
fn come_back(status: StatusCode, after: Duration) -> Response {
    let seconds = after.as_secs() + 1;
    let when = [(RETRY_AFTER, seconds.to_string())];
    (status, when, "this machine or its address asks too often\n").into_response()
}
