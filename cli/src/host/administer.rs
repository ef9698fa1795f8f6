//! `cuttle host disable` and `enable`.

use serde_json::json;

use crate::host::show;
use crate::session::{Session, member};
use crate::{Done, Error};

pub async fn disable(session: &Session, name: &str, reason: Option<String>) -> Result<Done, Error> {
    let answer = session.client.post(&["hosts", name, "disable"], &json!({ "reason": reason })).await?;
    session.show(member(answer, "host"), show::human)
}

pub async fn enable(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.post(&["hosts", name, "enable"], &json!({})).await?;
    session.show(member(answer, "host"), show::human)
}
