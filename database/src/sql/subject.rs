//! What an operation works on, as columns; and its row, as operations write it.

use cuttle_model::operation::Subject;

use super::row::Columns;
use super::{Attempt, Tx, changed, claims, images, instances};
use crate::operations::{Begin, Mark, SubjectEnd, Written};

/// The words for a subject's kind and id.
pub(super) fn columns_of(subject: Subject) -> (&'static str, String) {
    match subject {
        Subject::Instance(id) => ("instance", id.to_string()),
        Subject::Image(id) => ("image", id.to_string()),
        Subject::Host(id) => ("host", id.to_string()),
    }
}

pub(super) fn read(columns: &Columns<'_>) -> Attempt<Subject> {
    match columns.text("subject_kind")? {
        "instance" => columns.parsed("subject_id").map(Subject::Instance),
        "image" => columns.parsed("subject_id").map(Subject::Image),
        "host" => columns.parsed("subject_id").map(Subject::Host),
        _ => Err(columns.bad("subject_kind")),
    }
}

/// A write that did or did not find its row as it was read.
pub(super) fn written(found: bool) -> Written {
    match found {
        true => Written::Done,
        false => Written::Stale,
    }
}

/// Marks the subject as being worked on, if it still has its generation. Its row stays locked until
/// the transaction ends, so begins and ends on one subject come one after another.
pub(super) async fn mark(tx: &mut Tx, begin: &Begin) -> Attempt<bool> {
    const INSTANCE: &str =
        "UPDATE instances SET task = $3, updated_at = $4, generation = generation + 1 WHERE id = $1 AND generation = $2";
    const IMAGE: &str =
        "UPDATE images SET status = $3, updated_at = $4, generation = generation + 1 WHERE id = $1 AND generation = $2";
    // Nothing is written of it: this is the lock.
    const HOST: &str = "UPDATE hosts SET placements = placements + 1 WHERE id = $1";
    let (statement, id, generation, word) = match (begin.operation.subject, begin.mark) {
        (Subject::Instance(id), Mark::Instance { generation, task }) => (INSTANCE, id.to_string(), generation, task.as_str()),
        (Subject::Image(id), Mark::Image { generation, status }) => (IMAGE, id.to_string(), generation, status.as_str()),
        (Subject::Host(id), Mark::Host) => return changed(sqlx::query(HOST).bind(id.to_string()), tx.connection()).await,
        // A mark of another kind matches no row.
        (Subject::Instance(_) | Subject::Image(_) | Subject::Host(_), _) => return Ok(false),
    };
    let query = sqlx::query(statement).bind(id).bind(generation).bind(word).bind(begin.operation.started_at.as_micros());
    changed(query, tx.connection()).await
}

/// Writes what becomes of the subject, if it still has its generation.
pub(super) async fn end(tx: &mut Tx, end: &SubjectEnd) -> Attempt<bool> {
    match end {
        SubjectEnd::Instance { instance, claims: end } => {
            let found = changed(instances::update(instance)?, tx.connection()).await?;
            if found {
                claims::release(tx, instance.id, *end).await?;
            }
            Ok(found)
        }
        SubjectEnd::Image(image) => changed(images::update(image)?, tx.connection()).await,
        SubjectEnd::Host(_) => Ok(true),
    }
}
