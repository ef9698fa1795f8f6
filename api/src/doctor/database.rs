//! The database, and the control nodes that are kept in it. Each node writes its own time there, so that
//! a clock which is ahead of ours shows.

use std::time::Duration;

use cuttle_database::Database;
use cuttle_model::clock::Timestamp;
use cuttle_model::operation::ControlNode;

use super::check::{Check, timed};
use crate::error::chain;

const ADVICE: &str = "look whether the database server runs and lets this node in ([database] in api.toml)";
/// Clocks that differ by less do no harm.
const SKEW: Duration = Duration::from_secs(2);

pub async fn examine(database: &Database, lease: Duration, now: Timestamp) -> Vec<Check> {
    let (schema, nodes) = tokio::join!(
        timed("database", ADVICE, async { vec![schema(database).await] }),
        timed("control nodes", ADVICE, async {
            match database.list_nodes().await {
                Ok(nodes) => control_nodes(&nodes, lease, now),
                Err(error) => vec![Check::broken("control nodes", chain(&error), ADVICE)],
            }
        }),
    );
    [schema, nodes].concat()
}

async fn schema(database: &Database) -> Check {
    match database.schema_gap().await {
        Err(error) => Check::broken("database", chain(&error), ADVICE),
        Ok(gap) if !gap.unknown.is_empty() => Check::broken(
            "database",
            format!("its schema is of a newer program: migrations {:?} are not known here", gap.unknown),
            "run the newer cuttle-api on all control nodes",
        ),
        Ok(gap) if !gap.missing.is_empty() => Check::broken(
            "database",
            format!("its schema lacks the migrations {:?}", gap.missing),
            "run 'cuttle-api init', then restart cuttle-api",
        ),
        Ok(_) => Check::ok("database", "it answers and its schema is this program's"),
    }
}

fn control_nodes(nodes: &[ControlNode], lease: Duration, now: Timestamp) -> Vec<Check> {
    let mut found: Vec<Check> = nodes.iter().filter_map(|node| trouble(node, lease, now)).collect();
    let alive = nodes.iter().filter(|node| node.fenced_at.is_none() && now.since(node.seen_at) <= lease).count();
    found.insert(
        0,
        match alive {
            0 if nodes.is_empty() => Check::ok("control nodes", "none is on record yet"),
            0 => Check::warning("control nodes", "none is at work", "start cuttle-api: systemctl start cuttle-api"),
            _ => Check::ok("control nodes", format!("{alive} at work")),
        },
    );
    found
}

fn trouble(node: &ControlNode, lease: Duration, now: Timestamp) -> Option<Check> {
    let name = format!("control node {}", node.id);
    let ahead = node.seen_at.since(now);
    let silent = now.since(node.seen_at);
    if ahead > SKEW {
        return Some(Check::broken(
            name,
            format!("its clock is {} s ahead of this node's", ahead.as_secs()),
            "set the clocks of all control nodes by NTP (chrony or systemd-timesyncd)",
        ));
    }
    match (node.condemned_at, node.fenced_at) {
        (Some(_), None) => Some(Check::warning(
            name,
            format!("it was silent for {} s and is being fenced", silent.as_secs()),
            "what it worked on goes on elsewhere once Ceph has confirmed the fence; look whether Ceph answers",
        )),
        (None, None) if silent > lease * 2 => Some(Check::warning(
            name,
            format!("it was not heard of for {} s", silent.as_secs()),
            "start cuttle-api there, or leave it: what it worked on is taken over, and it is forgotten after a while",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cuttle_model::ids::{ControlNodeId, RandomIds};

    use super::super::check::Status;
    use super::*;

    #[test]
    fn a_node_that_is_silent_or_ahead_is_named() {
        let now = Timestamp::from_micros(1_000_000_000);
        let node = |seen_at: i64| ControlNode {
            id: ControlNodeId::new(&RandomIds),
            addresses: Vec::new(),
            started_at: Timestamp::from_micros(0),
            seen_at: Timestamp::from_micros(seen_at * 1_000_000),
            condemned_at: None,
            fenced_at: None,
        };
        let lease = Duration::from_secs(15);
        let checks = control_nodes(&[node(999), node(900), node(1010)], lease, now);
        let statuses: Vec<Status> = checks.iter().map(|check| check.status).collect();
        assert_eq!(statuses, [Status::Ok, Status::Warning, Status::Broken]);
        assert!(checks[1].detail.contains("100 s") && checks[2].detail.contains("10 s ahead"));
        assert_eq!(control_nodes(&[node(900)], lease, now)[0].status, Status::Warning, "none is at work");
    }
}
