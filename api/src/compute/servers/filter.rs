//! Which servers a list is of: Nova's query words.
//!
//! What the database can tell apart is asked of it; the rest (regular expressions, rare fields) is a
//! predicate over what it answers.

use cuttle_database::{InstanceField, InstanceQuery, TagQuery};
use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::FlavorId;
use cuttle_model::instance::{Instance, PowerState, StateName};
use cuttle_model::wire::{nova_view, states_of_status};
use regex::Regex;

use crate::compute::availability_zones::Zones;
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

/// Keys whose values are looked for as they are.
const WORDS: [(&str, InstanceField); 5] = [
    ("reservation_id", InstanceField::Reservation),
    ("access_ip_v4", InstanceField::AccessIpv4),
    ("access_ip_v6", InstanceField::AccessIpv6),
    ("key_name", InstanceField::KeyName),
    ("description", InstanceField::Description),
];
/// The most tags in one filter.
const MOST_TAGS: usize = 50;

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
        filter.times(version, query)?;
        filter.references(query)?;
        filter.rare(version, query)?;
        filter.zone(shared, query).await?;
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
        // Of what is being done, such as REBOOT: an instance shows it in the place of its state's word.
        let mut passing = Vec::new();
        for word in &words {
            match states_of_status(word) {
                Some(found) if found.is_empty() => passing.push(word.to_ascii_uppercase()),
                Some(found) => states.extend(found),
                None if version >= Microversion(38) => return Err(ApiError::invalid("status", word, "Invalid status value")),
                None => {}
            }
        }
        if states.contains(&StateName::Deleted) && !caller.is_admin() {
            return Err(ApiError::Forbidden("Only administrators may list deleted instances".into()));
        }
        self.is_empty |= !words.is_empty() && states.is_empty() && passing.is_empty();
        if passing.is_empty() {
            self.query.states = states;
        } else {
            let searched = StateName::ALL.into_iter().filter(|state| *state != StateName::Deleted || states.contains(state));
            self.query.states = searched.collect();
            self.keep(move |instance| {
                states.contains(&instance.state.name()) || passing.iter().any(|word| word == view(instance).status)
            });
        }
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

    fn times(&mut self, version: Microversion, query: &Pairs) -> Result<(), ApiError> {
        self.query.changed_since = query.time("changes-since")?;
        if version >= Microversion(66) {
            self.query.changed_before = query.time("changes-before")?;
        }
        match (self.query.changed_since, self.query.changed_before) {
            (Some(since), Some(before)) if since > before => {
                Err(ApiError::BadRequest("The value of changes-since must be less than or equal to changes-before.".into()))
            }
            _ => Ok(()),
        }
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

    /// The zones of hosts are their aggregates'.
    async fn zone(&mut self, shared: &Shared, query: &Pairs) -> Result<(), ApiError> {
        if let Some(zone) = query.one("availability_zone")? {
            let (zone, zones) = (zone.to_owned(), Zones::read(shared).await?);
            self.keep(move |instance| zones.shown(instance) == zone);
        }
        Ok(())
    }

    /// What is found word for word. Servers have no addresses yet, and made none of what was asked for.
    fn rare(&mut self, version: Microversion, query: &Pairs) -> Result<(), ApiError> {
        for key in ["ip", "ip6"] {
            self.is_empty |= query.one(key)?.is_some_and(|value| !value.is_empty());
        }
        for (key, field) in WORDS {
            if let Some(value) = query.one(key)? {
                self.query.equal.push((field, value.to_owned()));
            }
        }
        if let Some(word) = query.one("task_state")? {
            let word = word.to_owned();
            self.keep(move |instance| view(instance).task_state.unwrap_or("None") == word);
        }
        if let Some(number) = query.one("power_state")? {
            let found = PowerState::ALL.into_iter().find(|power| power.nova_number().to_string() == number);
            match found {
                Some(power) => self.query.equal.push((InstanceField::Power, power.as_str().to_owned())),
                None => self.is_empty = true,
            }
        }
        if let Some(index) = query.number("launch_index")? {
            self.query.launch_index = Some(u32::try_from(index).unwrap_or(u32::MAX));
        }
        if version >= Microversion(73)
            && let Some(word) = query.one("locked")?
        {
            let locked = boolean(word).ok_or_else(|| ApiError::invalid("locked", word, "A boolean is expected."))?;
            self.query.is_locked = Some(locked);
        }
        if let Some(word) = query.one("config_drive")? {
            let wanted = boolean(word).ok_or_else(|| ApiError::invalid("config_drive", word, "A boolean is expected."))?;
            self.keep(move |instance| instance.config_drive == wanted);
        }
        self.moments(query)?;
        self.tags(version, query)
    }

    /// Times that are asked for to the second; servers' other numbers are the same for all.
    fn moments(&mut self, query: &Pairs) -> Result<(), ApiError> {
        let mut moment = |key: &str, of: fn(&Instance) -> Option<Timestamp>| {
            let asked = query.time(key)?;
            if let Some(asked) = asked {
                self.keep(move |instance| of(instance).is_some_and(|time| time.to_seconds_z() == asked.to_seconds_z()));
            }
            Ok::<_, ApiError>(())
        };
        moment("created_at", |instance| Some(instance.created_at))?;
        moment("launched_at", |instance| instance.launched_at)?;
        moment("terminated_at", |instance| instance.deleted_at)?;
        if let Some(number) = query.number("progress")? {
            self.is_empty |= number != 0;
        }
        if let Some(name) = query.one("root_device_name")? {
            let name = name.to_owned();
            self.keep(move |instance| instance.root_disk.is_some() && name == "/dev/vda");
        }
        Ok(())
    }

    /// Lists of tags with commas between.
    fn tags(&mut self, version: Microversion, query: &Pairs) -> Result<(), ApiError> {
        if version < Microversion(26) {
            return Ok(());
        }
        let list = |key: &str| -> Vec<String> {
            let words = query.all(key).flat_map(|text| text.split(','));
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let tags =
            TagQuery { all: list("tags"), any: list("tags-any"), not_all: list("not-tags"), not_any: list("not-tags-any") };
        if [&tags.all, &tags.any, &tags.not_all, &tags.not_any].into_iter().any(|list| list.len() > MOST_TAGS) {
            return Err(ApiError::BadRequest(format!("At most {MOST_TAGS} tags are looked for at once.")));
        }
        self.query.tags = tags;
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
        for (key, field) in [("user_id", InstanceField::User), ("uuid", InstanceField::Id), ("hostname", InstanceField::Hostname)]
        {
            if let Some(value) = query.one(key)? {
                self.query.equal.push((field, value.to_owned()));
            }
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
