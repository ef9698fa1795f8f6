//! `cuttle host events`: what has happened to a host, its certificates, keys and secrets.

use jiff::Timestamp;
use serde::Deserialize;

use crate::output::table;
use crate::session::{Session, member};
use crate::time::point;
use crate::{Done, Error};

#[derive(Deserialize)]
struct Event {
    at: Timestamp,
    kind: String,
    message: String,
}

pub async fn run(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.get(&["hosts", name, "events"], &[]).await?;
    session.show(member(answer, "events"), human)
}

fn human(events: Vec<Event>, _now: Timestamp) -> String {
    if events.is_empty() {
        return "Nothing has happened to it yet.\n".to_owned();
    }
    table(["AT", "WHAT", "IN WORDS"], events.into_iter().map(|event| [point(Some(event.at)), event.kind, event.message]))
}
