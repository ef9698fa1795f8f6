//! What can go wrong, said so that an operator knows what to do, and the exit code for scripts.

use std::io;
use std::path::PathBuf;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no cloud is named: set OS_CLOUD or --os-cloud to one of clouds.yaml, or OS_AUTH_URL and who you are")]
    NoCloud,
    #[error("there is no cloud '{name}' in clouds.yaml; looked in {looked}")]
    UnknownCloud { name: String, looked: String },
    #[error("{path} cannot be read")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is not understood: {problem}")]
    BadFile { path: PathBuf, problem: String },
    /// Something that is needed to get a token.
    #[error("{0} is not set, neither in clouds.yaml nor in the environment")]
    Missing(&'static str),
    #[error("{0}")]
    Setting(String),
    #[error("the password could not be asked for")]
    Prompt(#[source] io::Error),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    NotFound(String),
    /// The API said no. The status decides the exit code.
    #[error("{message}{}", request_suffix(.request_id.as_deref()))]
    Refused { status: u16, message: String, request_id: Option<String> },
    #[error("{url} cannot be reached")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} has been silent for too long")]
    Silent { url: String },
    #[error("the answer of {url} is not understood: {problem}{}", request_suffix(.request_id.as_deref()))]
    BadAnswer { url: String, problem: String, request_id: Option<String> },
    #[error("the catalog has no service 'cuttle-operator'{0}: is this a Cuttle cloud?")]
    NoEndpoint(String),
    #[error("an HTTP client cannot be made")]
    Http(#[source] reqwest::Error),
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    #[error("the program cannot be started")]
    Runtime(#[source] io::Error),
}

fn request_suffix(request_id: Option<&str>) -> String {
    request_id.map(|id| format!(" (request {id})")).unwrap_or_default()
}

impl Error {
    /// The error and its causes.
    pub fn explained(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            let said = next.to_string();
            // reqwest repeats its own cause now and then.
            if !text.ends_with(&said) {
                text += &format!(": {said}");
            }
            cause = next.source();
        }
        text
    }

    /// What scripts tell failures apart by; listed in `docs/cli.md`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoCloud
            | Self::UnknownCloud { .. }
            | Self::File { .. }
            | Self::BadFile { .. }
            | Self::Missing(_)
            | Self::Setting(_)
            | Self::Prompt(_)
            | Self::Usage(_)
            | Self::NoEndpoint(_) => 2,
            Self::Refused { status: 401 | 403, .. } => 3,
            Self::NotFound(_) | Self::Refused { status: 404, .. } => 4,
            Self::Refused { status: 400..=499, .. } => 5,
            Self::Unreachable { .. } | Self::Silent { .. } => 6,
            Self::Refused { .. } | Self::BadAnswer { .. } | Self::Http(_) | Self::Output(_) | Self::Runtime(_) => 1,
        }
    }
}
