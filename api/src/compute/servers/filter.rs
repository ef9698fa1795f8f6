//! Which servers a list is of: Nova's query words.
//!
//! What the database can tell apart is asked of it; the rest (regular expressions, rare fields) is a
//! predicate over what it answers.

use cuttle_database::InstanceQuery;
use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::FlavorId;
use cuttle_model::instance::{Instance, StateName};
use cuttle_model::wire::{nova_view, states_of_status};
use regex::Regex;

use crate::compute::hosts;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::query::{Pairs, boolean};

/// Keys that only administrators' queries are looked through for; others' are passed over.
const ADMIN_KEYS: [&str; 9] =
    ["host", "node", "deleted", "project_id", "tenant_id", "user_id", "uuid", "hostname", "instance_name"];
const KEYS: [&str; 34] = [
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "name",
    "status",
    "image",
    "flavor",
    "ip",
    "ip6",
    "changes-since",
    "changes-before",
    "reservation_id",
    "tags",
    "tags-any",
    "not-tags",
    "not-tags-any",
    "locked",
    "all_tenants",
    "availability_zone",
    "config_drive",
    "key_name",
    "power_state",
    "task_state",
    "vm_state",
    "description",
    "access_ip_v4",
    "access_ip_v6",
    "created_at",
    "launched_at",
    "terminated_at",
    "progress",
    "root_device_name",
    "launch_index",
];

type Predicate = Box<dyn Fn(&Instance) -> bool + Send + Sync>;

/// Which servers.
pub struct Filter {
    /// Asked of the database.
    pub query: InstanceQuery,
    predicates: Vec<Predicate>,
    /// Nothing can match.
    pub is_empty: bool,
}

impl Filter {
    /// Reads the filters of a query.
    pub async fn read(shared: &Shared, caller: &Caller, version: Microversion, query: &Pairs) -> Result<Self, ApiError> {
        refuse_unknown(version, query)?;
        let mut filter = Self { query: InstanceQuery::default(), predicates: Vec::new(), is_empty: false };
        filter.scope(caller, query)?;
        filter.states(caller, version, query)?;
        filter.name(query)?;
        filter.times(query)?;
        filter.references(query)?;
        filter.rare(query)?;
        if caller.is_admin() {
            filter.for_admins(shared, query).await?;
        }
        Ok(filter)
    }

    /// Does the database's answer need no more looking through?
    pub fn is_exact(&self) -> bool {
        self.predicates.is_empty()
    }

    pub fn matches(&self, instance: &Instance) -> bool {
        self.predicates.iter().all(|predicate| predicate(instance))
    }

    fn keep(&mut self, predicate: impl Fn(&Instance) -> bool + Send + Sync + 'static) {
        self.predicates.push(Box::new(predicate));
    }

    /// The caller's project, or all of them.
    fn scope(&mut self, caller: &Caller, query: &Pairs) -> Result<(), ApiError> {
        let everybody = match query.one("all_tenants")? {
            None => false,
            Some("") => true,
            Some(word) => boolean(word).ok_or_else(|| ApiError::invalid("all_tenants", word, "A boolean is expected."))?,
        };
        if everybody && !caller.is_admin() {
            return Err(ApiError::Forbidden(
                "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.".into(),
            ));
        }
        self.query.project = if everybody { None } else { Some(caller.project_id()?) };
        Ok(())
    }

    fn states(&mut self, caller: &Caller, version: Microversion, query: &Pairs) -> Result<(), ApiError> {
        let words: Vec<&str> = query.all("status").collect();
        let mut states = Vec::new();
        for word in &words {
            match states_of_status(word) {
                Some(found) => states.extend(found),
                None if version >= Microversion(38) => return Err(ApiError::invalid("status", word, "Invalid status value")),
                None => {}
            }
        }
        if states.contains(&StateName::Deleted) && !caller.is_admin() {
            return Err(ApiError::Forbidden("Only administrators may list deleted instances".into()));
        }
        self.is_empty |= !words.is_empty() && states.is_empty();
        self.query.states = states;
        if let Some(word) = query.one("vm_state")? {
            if word == "deleted" && !caller.is_admin() {
                return Err(ApiError::Forbidden("Only administrators may list deleted instances".into()));
            }
            let word = word.to_owned();
            self.keep(move |instance| view(instance).vm_state == word);
        }
        Ok(())
    }

    /// Plain text is left to the database; anything else is a regular expression.
    fn name(&mut self, query: &Pairs) -> Result<(), ApiError> {
        let Some(text) = query.one("name")? else { return Ok(()) };
        if text.chars().all(|character| character.is_alphanumeric() || "-_ :,@/".contains(character)) {
            self.query.name_contains = Some(text.to_owned());
            return Ok(());
        }
        let expression = Regex::new(text).map_err(|_| ApiError::invalid("name", text, "It is not a regular expression."))?;
        self.keep(move |instance| expression.is_match(&instance.name));
        Ok(())
    }

    fn times(&mut self, query: &Pairs) -> Result<(), ApiError> {
        let time = |key: &str| match query.one(key)? {
            None => Ok(None),
            Some(text) => Timestamp::parse_iso(text)
                .map(Some)
                .ok_or_else(|| ApiError::invalid(key, text, "A time in ISO 8601 is expected.")),
        };
        self.query.changed_since = time("changes-since")?;
        if let Some(before) = time("changes-before")? {
            self.keep(move |instance| instance.updated_at <= before);
        }
        Ok(())
    }

    fn references(&mut self, query: &Pairs) -> Result<(), ApiError> {
        if let Some(text) = query.one("image")? {
            match text.parse() {
                Ok(id) => self.query.image = Some(id),
                Err(_) => self.is_empty = true,
            }
        }
        self.query.flavor = query.one("flavor")?.map(|id| FlavorId(id.to_owned()));
        Ok(())
    }

    /// What few ask for. Servers have no addresses, tags or locks yet.
    fn rare(&mut self, query: &Pairs) -> Result<(), ApiError> {
        for key in ["ip", "ip6", "tags", "tags-any", "reservation_id", "access_ip_v4", "access_ip_v6"] {
            self.is_empty |= query.one(key)?.is_some_and(|value| !value.is_empty());
        }
        for key in ["locked", "config_drive"] {
            self.is_empty |= query.one(key)?.is_some_and(|word| boolean(word) == Some(true));
        }
        for key in ["created_at", "launched_at", "terminated_at", "progress", "root_device_name", "launch_index", "description"] {
            if let Some(value) = query.one(key)? {
                return Err(ApiError::not_yet(key, value));
            }
        }
        let text = |key: &str| query.one(key).map(|value| value.map(str::to_owned));
        if let Some(zone) = text("availability_zone")? {
            self.keep(move |instance| super::view::zone(instance) == zone);
        }
        if let Some(key) = text("key_name")? {
            self.keep(move |instance| instance.key_name.as_ref() == Some(&key));
        }
        if let Some(word) = text("task_state")? {
            self.keep(move |instance| view(instance).task_state.unwrap_or("None") == word);
        }
        if let Some(number) = text("power_state")? {
            self.keep(move |instance| view(instance).power_state.to_string() == number);
        }
        Ok(())
    }

    async fn for_admins(&mut self, shared: &Shared, query: &Pairs) -> Result<(), ApiError> {
        for key in ["host", "node"] {
            let Some(name) = query.one(key)? else { continue };
            match hosts::by_id(shared).await?.into_values().find(|host| host.name.as_str() == name) {
                Some(host) => self.query.host = Some(host.id),
                None => self.is_empty = true,
            }
        }
        for key in ["project_id", "tenant_id"] {
            let Some(text) = query.one(key)? else { continue };
            match text.parse() {
                // As Nova does it: naming a project is nothing without all_tenants.
                Ok(id) if self.query.project.is_none() || self.query.project == Some(id) => self.query.project = Some(id),
                _ => self.is_empty = true,
            }
        }
        if query.one("deleted")?.and_then(boolean) == Some(true) {
            self.query.states = vec![StateName::Deleted];
        }
        let text = |key: &str| query.one(key).map(|value| value.map(str::to_owned));
        if let Some(user) = text("user_id")? {
            self.keep(move |instance| instance.user_id.to_string() == user);
        }
        if let Some(id) = text("uuid")? {
            self.keep(move |instance| instance.id.to_string() == id);
        }
        if let Some(name) = text("hostname")? {
            self.keep(move |instance| instance.hostname == name);
        }
        Ok(())
    }
}

fn view(instance: &Instance) -> cuttle_model::wire::NovaView {
    nova_view(&instance.state, instance.task, instance.power)
}

fn refuse_unknown(version: Microversion, query: &Pairs) -> Result<(), ApiError> {
    match version >= Microversion(75) {
        true => query.refuse_unknown(&[KEYS.as_slice(), ADMIN_KEYS.as_slice()].concat()),
        false => Ok(()),
    }
}
