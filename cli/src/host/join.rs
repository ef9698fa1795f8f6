//! `cuttle host add` and `rejoin`: print the token with which a host joins, and nothing else, so that it
//! can be piped into a file.

use serde::Deserialize;
use serde_json::json;

use crate::session::Session;
use crate::{Done, Error};

/// The answer; the token is shown to whoever asked for it, once.
#[derive(Deserialize)]
struct Answer {
    join_token: String,
}

pub async fn add(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.post(&["hosts"], &json!({ "name": name })).await?;
    session.show(answer, |answer: Answer, _| format!("{}\n", answer.join_token))
}

pub async fn rejoin(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.post(&["hosts", name, "rejoin"], &json!({})).await?;
    session.show(answer, |answer: Answer, _| format!("{}\n", answer.join_token))
}
