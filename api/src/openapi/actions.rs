//! Bodies of the `/action` routes: one key names what is to be done, and holds what that needs.

use serde_json::{Map, Value, json};

use crate::compute::flavors::schema::{ADD_ACCESS, REMOVE_ACCESS};
use crate::compute::microversion::Microversion;
use crate::compute::servers::schema::{CONFIRM_RESIZE, CONSOLE, LOCK, MIGRATE, REBOOT, RESIZE, REVERT_RESIZE};
use crate::web::validation::Schema;

/// Actions of instances that need nothing but their name; what comes with it is not looked at.
const BARE: [&str; 5] = ["os-start", "os-stop", "unlock", "pause", "unpause"];

/// The body of the action route at `path`.
pub fn of(path: &str) -> Value {
    let mut actions = Map::new();
    if path.contains("/flavors/") {
        [&ADD_ACCESS, &REMOVE_ACCESS].into_iter().for_each(|schema| add(&mut actions, schema));
    } else {
        // A shape is named all the same: "anything" sends some generators into depths without end.
        actions.extend(BARE.map(|name| (name.to_owned(), json!({ "type": ["null", "object"], "maxProperties": 0 }))));
        let held = [&REBOOT, &LOCK, &CONSOLE, &RESIZE, &MIGRATE, &CONFIRM_RESIZE, &REVERT_RESIZE];
        held.into_iter().for_each(|schema| add(&mut actions, schema));
    }
    json!({
        "type": "object", "properties": actions, "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
    })
}

fn add(actions: &mut Map<String, Value>, schema: &'static Schema) {
    let schema = schema.at(Microversion::MAX);
    let named = schema["properties"].as_object().cloned().unwrap_or_default();
    actions.extend(named);
}
