//! What every command that asks the API has at hand.

use std::io::{self, IsTerminal};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::arguments::CloudOptions;
use crate::auth::{self, Environment, Settings};
use crate::client::{Client, Transport};
use crate::{Done, Error, output};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Human,
    Json,
}

/// An authenticated user at a terminal or in a script.
#[derive(Debug, Clone)]
pub struct Session {
    pub client: Client,
    pub format: Format,
}

impl Session {
    /// Authenticates with what the command line, the files and the environment say.
    pub async fn open(options: &CloudOptions, json: bool) -> Result<Self, Error> {
        let settings = Settings::find(options, &Environment::of_process())?;
        let transport = Transport::new(&settings)?;
        let granted = auth::ask(&settings, &transport, prompt).await?;
        let format = if json { Format::Json } else { Format::Human };
        Ok(Self { client: Client::new(transport, granted)?, format })
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Prints what the API answered: as it is, or as `human` words it.
    pub fn show<T: DeserializeOwned>(&self, value: Value, human: impl FnOnce(T, Timestamp) -> String) -> Result<Done, Error> {
        let text = match self.format {
            Format::Json => output::json(&value),
            Format::Human => human(read(value)?, self.now()),
        };
        output::print(&text)?;
        Ok(Done::Well)
    }
}

/// The value in our words.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::BadAnswer {
        url: "the operator's API".into(),
        problem: format!("{error}; is this program of another version than the cloud?"),
        request_id: None,
    })
}

/// Takes a member out of an answer.
pub fn member(mut value: Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

/// Asks the person at the terminal, who may be there while the output goes elsewhere.
fn prompt(user: &str) -> Result<SecretString, Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::Missing("OS_PASSWORD (password)"));
    }
    rpassword::prompt_password(format!("Password of {user}: ")).map(SecretString::from).map_err(Error::Prompt)
}
