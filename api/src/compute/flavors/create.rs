//! `POST /flavors`: an administrator makes a flavor.

use axum::Json;
use axum::extract::State;
use cuttle_database::Inserted;
use cuttle_model::flavor::{Flavor, FlavorId};
use serde_json::{Value, json};

use crate::compute::flavors::{schema, view};
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::query::boolean;
use crate::web::validation::shown;

pub async fn handle(
    State(shared): State<Shared>,
    version: Microversion,
    address: Address,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::CREATE.check(version, &body)?;
    let flavor = flavor(&shared, &body["flavor"])?;
    match shared.database.insert_flavor(&flavor).await? {
        Inserted::Inserted => Ok(Json(json!({ "flavor": view::detail(&flavor, version, &address) }))),
        Inserted::SameId => Err(ApiError::Conflict(format!("Flavor with ID {} already exists.", flavor.id))),
        Inserted::SameName => Err(ApiError::Conflict(format!("Flavor with name {} already exists.", flavor.name))),
    }
}

/// The flavor that a valid body describes.
fn flavor(shared: &Shared, fields: &Value) -> Result<Flavor, ApiError> {
    let id = match &fields["id"] {
        Value::String(id) if !id.is_empty() && id != "auto" => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => shared.ids.uuid().to_string(),
    };
    let is_public = match &fields["os-flavor-access:is_public"] {
        Value::Null => true,
        Value::Bool(word) => *word,
        other => boolean(other.as_str().unwrap_or(""))
            .ok_or_else(|| ApiError::invalid("os-flavor-access:is_public", shown(other), "A boolean is expected."))?,
    };
    if rxtx_factor(&fields["rxtx_factor"]) != 1.0 {
        return Err(ApiError::not_yet("rxtx_factor", shown(&fields["rxtx_factor"])));
    }
    Ok(Flavor {
        id: FlavorId(id),
        name: fields["name"].as_str().unwrap_or("").to_owned(),
        description: fields["description"].as_str().map(str::to_owned),
        vcpus: u32::try_from(number(fields, "vcpus", 1)?).unwrap_or(u32::MAX),
        ram_mib: number(fields, "ram", 1)?,
        disk_gib: number(fields, "disk", 0)?,
        ephemeral_gib: number(fields, "OS-FLV-EXT-DATA:ephemeral", 0)?,
        swap_mib: number(fields, "swap", 0)?,
        is_public,
        is_disabled: false,
        extra_specs: Default::default(),
    })
}

/// A number, or the digits of one; the schema has looked at numbers, but not at what digits amount to.
fn number(fields: &Value, name: &str, least: u64) -> Result<u64, ApiError> {
    let value = &fields[name];
    let found = match value {
        Value::Null => Some(0),
        Value::String(digits) => digits.parse().ok(),
        other => other
            .as_u64()
            .or_else(|| other.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0).map(|number| number as u64)),
    };
    found
        .filter(|number| (least..=i32::MAX as u64).contains(number))
        .ok_or_else(|| ApiError::invalid(name, shown(value), format_args!("A number from {least} to {} is expected.", i32::MAX)))
}

fn rxtx_factor(value: &Value) -> f64 {
    match value {
        Value::Null => 1.0,
        Value::String(text) => text.parse().unwrap_or(f64::NAN),
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_digits_and_are_bounded() {
        let fields = json!({"a": 5, "b": "7", "c": "99999999999", "d": "0", "e": 5.0});
        assert_eq!(number(&fields, "a", 1).unwrap(), 5);
        assert_eq!(number(&fields, "b", 1).unwrap(), 7);
        assert_eq!(number(&fields, "e", 1).unwrap(), 5);
        for bad in ["c", "d"] {
            assert!(number(&fields, bad, 1).unwrap_err().to_string().contains(&format!("attribute {bad}.")));
        }
    }

    #[test]
    fn the_schema_refuses_what_nova_refuses() {
        let good = json!({"name": "f", "ram": 64, "vcpus": "1", "disk": 1});
        let with = |field: &str, value: Value| {
            let mut fields = good.clone();
            fields[field] = value;
            schema::CREATE.check(Microversion::MIN, &json!({ "flavor": fields }))
        };
        assert!(schema::CREATE.check(Microversion::MIN, &json!({ "flavor": good })).is_ok());
        let bad = [
            ("name", json!("x".repeat(300))),
            ("name", json!("")),
            ("name", json!(5)),
            ("ram", json!(0)),
            ("ram", json!("x")),
            ("ram", json!(-1)),
            ("ram", json!(1.5)),
            ("vcpus", json!(null)),
            ("disk", json!(4_294_967_296_u64)),
            ("id", json!("a/b")),
            ("id", json!("x".repeat(256))),
            ("os-flavor-access:is_public", json!(3)),
            ("unknown", json!(1)),
            ("description", json!("only from 2.55")),
        ];
        for (field, value) in bad {
            let refusal = with(field, value.clone()).unwrap_err().to_string();
            assert!(refusal.contains(field), "{field} {value}: {refusal}");
        }
    }
}
