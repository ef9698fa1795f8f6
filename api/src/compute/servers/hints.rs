//! What a request for a server wants of its host: zone, host, hints.
//!
//! Hints that would be without effect here are refused by name; ones that Nova does not know either are
//! kept and shown, as there.

use cuttle_database::Hints;
use cuttle_model::ids::{HostId, InstanceId, ServerGroupId};
use cuttle_operations::placement::Wishes;
use cuttle_operations::scheduler::Target;
use serde_json::Value;

use crate::compute::availability_zones::Zones;
use crate::compute::{links, server_groups};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::validation::shown;

/// As the body has it.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub zone: Option<String>,
    /// Behind the zone.
    forced_host: Option<String>,
    /// By a field of its own.
    asked_host: Option<String>,
    group: Option<ServerGroupId>,
    same_host: Option<Vec<InstanceId>>,
    different_host: Vec<InstanceId>,
    hints: Hints,
}

impl Wanted {
    /// Reads a body that the schema has accepted.
    pub fn read(body: &Value) -> Result<Self, ApiError> {
        let server = &body["server"];
        let text = |field: &str| server[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (zone, forced_host) = match server["availability_zone"].as_str() {
            None => (None, None),
            Some(text) => zone_and_host(text)?,
        };
        let asked_host = match (text("host"), text("hypervisor_hostname")) {
            (Some(host), Some(node)) if host != node => {
                return Err(ApiError::invalid("hypervisor_hostname", node, "It is another host than 'host' says."));
            }
            (host, node) => host.or(node),
        };
        if asked_host.is_some() && forced_host.is_some() {
            let why = "A host is asked for by availability_zone too.";
            return Err(ApiError::invalid("host", asked_host.unwrap_or_default(), why));
        }
        let hints = hints(body);
        for name in ["query", "target_cell", "different_cell", "build_near_host_ip", "cidr"] {
            if let Some(value) = hints.get(name) {
                return Err(ApiError::not_yet(&format!("os:scheduler_hints.{name}"), shown(value)));
            }
        }
        Ok(Self {
            zone,
            forced_host,
            asked_host,
            group: hints.get("group").map(|value| one("group", value)).transpose()?,
            same_host: hints.get("same_host").map(|value| several("same_host", value)).transpose()?,
            different_host: hints
                .get("different_host")
                .map(|value| several("different_host", value))
                .transpose()?
                .unwrap_or_default(),
            hints,
        })
    }

    /// What it means for this caller.
    pub async fn resolve(&self, shared: &Shared, caller: &Caller) -> Result<Wishes, ApiError> {
        if let Some(zone) = &self.zone
            && !Zones::read(shared).await?.has(zone)
        {
            let why = "The requested availability zone is not available";
            return Err(ApiError::invalid("availability_zone", links::shown(zone), why));
        }
        let target = match (&self.forced_host, &self.asked_host) {
            (None, None) => Target::Any,
            (Some(name), _) => {
                require_admin(caller, "os_compute_api:servers:create:forced_host")?;
                Target::Forced(host(shared, "availability_zone", name).await?)
            }
            (None, Some(name)) => {
                require_admin(caller, "compute:servers:create:requested_destination")?;
                Target::Asked(host(shared, "host", name).await?)
            }
        };
        let group = match self.group {
            Some(group) => Some(server_groups::of_server(shared, caller, group).await?),
            None => None,
        };
        Ok(Wishes {
            target,
            group,
            same_host: self.same_host.clone(),
            different_host: self.different_host.clone(),
            hints: self.hints.clone(),
        })
    }
}

fn require_admin(caller: &Caller, what: &str) -> Result<(), ApiError> {
    match caller.is_admin() {
        true => Ok(()),
        false => Err(ApiError::Forbidden(format!("Policy doesn't allow {what} to be performed."))),
    }
}

async fn host(shared: &Shared, field: &str, name: &str) -> Result<HostId, ApiError> {
    let found = match name.parse() {
        Ok(name) => shared.database.find_host(&name).await?,
        Err(_) => None,
    };
    found.map(|host| host.id).ok_or_else(|| ApiError::invalid(field, links::shown(name), "Compute host could not be found."))
}

/// `zone`, `zone:host`, `zone:host:node` or `zone::node`; host and node are the same here.
fn zone_and_host(text: &str) -> Result<(Option<String>, Option<String>), ApiError> {
    let some = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [zone] => Ok((some(zone), None)),
        [zone, host] => Ok((some(zone), some(host))),
        [zone, "", node] => Ok((some(zone), some(node))),
        [zone, host, node] if host == node || node.is_empty() => Ok((some(zone), some(host))),
        _ => Err(ApiError::invalid("availability_zone", links::shown(text), "Unable to parse it: zone:host is expected.")),
    }
}

/// The hints, under either name.
fn hints(body: &Value) -> Hints {
    let named = ["os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"];
    let all = named.into_iter().filter_map(|name| body[name].as_object()).flatten();
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn one<T: std::str::FromStr>(name: &str, value: &Value) -> Result<T, ApiError> {
    let field = format!("os:scheduler_hints.{name}");
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| ApiError::invalid(&field, shown(value), "A UUID is expected."))
}

fn several<T: std::str::FromStr>(name: &str, value: &Value) -> Result<Vec<T>, ApiError> {
    match value {
        Value::Array(list) if list.len() <= 100 => list.iter().map(|value| one(name, value)).collect(),
        value => Ok(vec![one(name, value)?]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b";

    fn read(hints: Value) -> Result<Wanted, String> {
        Wanted::read(&json!({"server": {}, "os:scheduler_hints": hints})).map_err(|error| error.to_string())
    }

    #[test]
    fn zones_may_name_a_host() {
        let (zone, host) = (Some("nova".to_owned()), Some("h1".to_owned()));
        for text in ["nova:h1", "nova:h1:h1", "nova::h1", "nova:h1:"] {
            assert_eq!(zone_and_host(text).unwrap(), (zone.clone(), host.clone()), "{text}");
        }
        assert_eq!(zone_and_host("nova").unwrap(), (zone, None));
        assert_eq!(zone_and_host(":h1").unwrap(), (None, host));
        for text in ["a:b:c", "a:b:c:d"] {
            assert!(zone_and_host(text).unwrap_err().to_string().contains("availability_zone"), "{text}");
        }
    }

    #[test]
    fn hints_are_read_kept_or_refused_by_name() {
        let wanted = read(json!({"group": ID, "same_host": ID, "different_host": [ID, ID], "mine": 1})).unwrap();
        assert_eq!(wanted.group.unwrap().to_string(), ID);
        assert_eq!((wanted.same_host.unwrap().len(), wanted.different_host.len(), wanted.hints.len()), (1, 2, 4));
        for (name, value) in [("group", json!("x")), ("same_host", json!([7])), ("query", json!("[]")), ("cidr", json!("/24"))] {
            assert!(read(json!({ name: value })).unwrap_err().contains(name), "{name}");
        }
    }
}
