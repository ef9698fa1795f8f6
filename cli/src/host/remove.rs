//! `cuttle host remove` and `rotate-key`.

use serde::Deserialize;
use serde_json::json;

use crate::session::Session;
use crate::{Done, Error};

#[derive(Deserialize)]
struct Rotated {
    ceph_client: String,
}

pub async fn remove(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.delete(&["hosts", name]).await?;
    session.show(answer, |(): (), _| format!("{name} is removed: its certificates, keys and tokens are void.\n"))
}

pub async fn rotate_key(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.post(&["hosts", name, "rotate-key"], &json!({})).await?;
    session.show(answer, |rotated: Rotated, _| {
        format!(
            "Guests that are started on {name} from now on use {}. Those that run keep theirs, which is removed when none \
             uses it any more.\n",
            rotated.ceph_client
        )
    })
}
