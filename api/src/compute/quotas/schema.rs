//! What requests to change quotas may hold.

use cuttle_model::quota::Resource;
use serde_json::{Map, Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::quotas::{self, class};
use crate::web::validation::{Schema, truth};

/// `PUT /os-quota-sets/{id}`.
pub static UPDATE: Schema = Schema::new(
    |version| {
        let mut fields = limits(quotas::resources(version));
        fields.insert("force".into(), truth());
        body("quota_set", fields)
    },
    &[36, 57],
);

/// `PUT /os-quota-class-sets/{id}`.
pub static UPDATE_CLASS: Schema =
    Schema::new(|version: Microversion| body("quota_class_set", limits(class::resources(version))), &[50, 57]);

fn limits(resources: impl Iterator<Item = Resource>) -> Map<String, Value> {
    let limit = json!({"type": ["integer", "string"], "pattern": "^-?[0-9]{1,10}$", "minimum": -1, "maximum": i32::MAX});
    resources.map(|resource| (resource.as_str().to_owned(), limit.clone())).collect()
}

fn body(name: &str, fields: Map<String, Value>) -> Value {
    let set = json!({"type": "object", "properties": fields, "additionalProperties": false});
    json!({"type": "object", "properties": {name: set}, "required": [name], "additionalProperties": false})
}
