//! Whether what a control node needs is there: database, Ceph, and its own lease.

use std::time::{Duration, Instant};

use cuttle_model::operation::ControlNode;

use crate::Control;

/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found of one part.
#[derive(Debug, Clone)]
pub struct Check {
    pub name: &'static str,
    pub took: Duration,
    /// Why it is not in order.
    pub problem: Option<String>,
}

/// Looks at each part, all at once; takes a few seconds at the most.
pub async fn look(control: &Control) -> Vec<Check> {
    let (storage, (nodes, database)) = tokio::join!(check("ceph", ceph(control)), check("database", nodes(control)));
    let begun = Instant::now();
    let problem = nodes.and_then(|nodes| lease(control, &nodes).err());
    vec![database, storage.1, finished("lease", begun, problem)]
}

async fn check<T>(name: &'static str, work: impl Future<Output = Result<T, String>>) -> (Option<T>, Check) {
    let begun = Instant::now();
    let result = tokio::time::timeout(PATIENCE, work).await;
    match result.unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs()))) {
        Ok(found) => (Some(found), finished(name, begun, None)),
        Err(problem) => (None, finished(name, begun, Some(problem))),
    }
}

fn finished(name: &'static str, begun: Instant, problem: Option<String>) -> Check {
    if let Some(problem) = &problem {
        tracing::warn!(part = name, problem, "this node is not ready");
    }
    Check { name, took: begun.elapsed(), problem }
}

async fn nodes(control: &Control) -> Result<Vec<ControlNode>, String> {
    control.database().list_nodes().await.map_err(|error| error.to_string())
}

async fn ceph(control: &Control) -> Result<(), String> {
    control.ceph().monitors().await.map(drop).map_err(|error| error.to_string())
}

/// A node whose operations others may take over, or are taking over, should not be given new ones.
fn lease(control: &Control, nodes: &[ControlNode]) -> Result<(), String> {
    // Where none is on record, none is taken over from.
    if nodes.is_empty() {
        return Ok(());
    }
    let own = nodes.iter().find(|node| node.id == control.node()).ok_or("this node is not on record")?;
    let silent = control.now().since(own.seen_at);
    match own.condemned_at {
        Some(_) => Err("others are taking this node's operations over".to_owned()),
        None if silent > control.settings().lease() => Err(format!("not renewed for {} s", silent.as_secs())),
        None => Ok(()),
    }
}
