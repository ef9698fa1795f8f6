//! `cuttle operation cancel`.

use serde_json::json;

use crate::operation::wire::Operation;
use crate::session::{Session, member};
use crate::{Done, Error};

pub async fn run(session: &Session, id: &str) -> Result<Done, Error> {
    let answer = session.client.post(&["operations", id, "cancel"], &json!({})).await?;
    session.show(member(answer, "operation"), |operation: Operation, _| {
        format!(
            "Asked {} of {} to stop; follow it with: cuttle operation watch {}\n",
            operation.kind, operation.subject, operation.id
        )
    })
}
