//! `cuttle host drain` and `undrain`.

use serde_json::json;

use crate::host::show;
use crate::operation;
use crate::session::{Session, member};
use crate::{Done, Error};

/// Begins it, and follows it to its end unless it is to be left alone.
pub async fn drain(session: &Session, name: &str, parallel: Option<u32>, cold: bool, detach: bool) -> Result<Done, Error> {
    let mut asked = json!({ "cold": cold });
    if let Some(parallel) = parallel {
        asked["parallel"] = json!(parallel);
    }
    let answer = session.client.post(&["hosts", name, "drain"], &asked).await?;
    let begun = member(answer, "operation");
    match begun["id"].as_str().filter(|_| !detach) {
        Some(id) => operation::watch(session, id).await,
        None => session.show(begun, operation::show::human),
    }
}

pub async fn undrain(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.post(&["hosts", name, "undrain"], &json!({})).await?;
    session.show(member(answer, "host"), show::human)
}
