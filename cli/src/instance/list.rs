//! `cuttle instance list`.

use jiff::Timestamp;

use crate::instance::Filter;
use crate::instance::wire::Brief;
use crate::output::table;
use crate::session::{Session, member};
use crate::time::ago;
use crate::{Done, Error};

pub async fn run(session: &Session, filter: Filter) -> Result<Done, Error> {
    let mut query = vec![("limit", filter.limit.to_string())];
    query.extend(filter.state.into_iter().map(|state| ("state", state)));
    let single = [
        ("project_id", filter.project),
        ("host", filter.host),
        ("name", filter.name),
        ("image_id", filter.image),
        ("marker", filter.marker),
    ];
    query.extend(single.into_iter().filter_map(|(key, value)| Some((key, value?))));
    let answer = session.client.get(&["instances"], &query).await?;
    session.show(member(answer, "instances"), human)
}

fn human(instances: Vec<Brief>, now: Timestamp) -> String {
    if instances.is_empty() {
        return "No instances.\n".to_owned();
    }
    let row = |instance: &Brief| {
        [
            instance.id.clone(),
            instance.name.clone(),
            instance.project.clone().unwrap_or_else(|| instance.project_id.clone()),
            instance.state.clone(),
            instance.task.clone().unwrap_or_default(),
            instance.power.clone(),
            instance.host.clone().unwrap_or_default(),
            instance.flavor.clone(),
            ago(now, Some(instance.created_at)),
        ]
    };
    table(["ID", "NAME", "PROJECT", "STATE", "TASK", "POWER", "HOST", "FLAVOR", "CREATED"], instances.iter().map(row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instances_in_a_table() {
        let instances = json!([
            {"id": "i1", "name": "web", "project_id": "p1", "project": "shop", "state": "active", "task": null,
             "power": "running", "host": "host1", "flavor": "tiny", "created_at": "2026-11-21T11:00:00.000000Z"},
            {"id": "i2", "name": "db", "project_id": "p2", "project": null, "state": "building", "task": "spawning",
             "power": "unknown", "host": null, "flavor": "tiny", "created_at": "2026-11-21T11:59:30.000000Z"},
        ]);
        let expected = "\
ID  NAME  PROJECT  STATE     TASK      POWER    HOST   FLAVOR  CREATED
i1  web   shop     active    -         running  host1  tiny    60 min ago
i2  db    p2       building  spawning  unknown  -      tiny    30 s ago
";
        assert_eq!(human(serde_json::from_value(instances).unwrap(), "2026-11-21T12:00:00Z".parse().unwrap()), expected);
    }
}
