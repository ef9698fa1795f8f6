//! Which images a list shows. What is no filter of Glance's own asks for a property with that value.

use cuttle_database::{Comparison, ImageQuery, Shared};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::ImageId;
use cuttle_model::image::{ImageStatus, MemberStatus, Visibility};

use crate::error::ApiError;
use crate::image::images::sort::order;
use crate::web::caller::Caller;
use crate::web::query::{Pairs, boolean};

/// Keys that are no property's name.
const KEYS: [&str; 25] = [
    "limit",
    "marker",
    "sort",
    "sort_key",
    "sort_dir",
    "name",
    "status",
    "visibility",
    "owner",
    "tag",
    "id",
    "os_hidden",
    "member_status",
    "protected",
    "min_disk",
    "min_ram",
    "size_min",
    "size_max",
    "created_at",
    "updated_at",
    "disk_format",
    "container_format",
    "checksum",
    "os_hash_value",
    "os_hash_algo",
];
/// Statuses of Glance that images never have here.
const OTHER_STATUSES: [&str; 5] = ["uploading", "importing", "killed", "pending_delete", "deleted"];
/// The most values of one filter.
const MOST_VALUES: usize = 256;

/// The filters and the order; `None` if nothing can match.
pub fn wanted(caller: &Caller, query: &Pairs) -> Result<Option<ImageQuery>, ApiError> {
    let visibility = visibility(query)?;
    let everybody = caller.is_admin() || visibility == Some(Visibility::Community);
    let mut wanted = ImageQuery {
        visible_to: if everybody { None } else { Some(caller.project_id()?) },
        shared: shared(query)?,
        visibility,
        hidden: Some(flag(query, "os_hidden")?.unwrap_or(false)),
        protected: flag(query, "protected")?,
        names: texts(query, "name")?,
        disk_formats: texts(query, "disk_format")?,
        container_formats: texts(query, "container_format")?,
        checksum: query.last("checksum").map(str::to_owned),
        sha512: query.last("os_hash_value").map(str::to_owned),
        min_disk_gib: query.number("min_disk")?,
        min_ram_mib: query.number("min_ram")?,
        size_min: query.number("size_min")?,
        size_max: query.number("size_max")?,
        created: times(query, "created_at")?,
        updated: times(query, "updated_at")?,
        tags: query.all("tag").map(str::to_owned).collect(),
        sort: order(query)?,
        ..ImageQuery::default()
    };
    if let Some(list) = texts(query, "status")? {
        wanted.statuses = Some(statuses(&list)?);
    }
    if let Some(text) = query.last("owner") {
        let Ok(owner) = text.parse() else { return Ok(None) };
        wanted.owner = Some(owner);
    }
    if let Some(list) = texts(query, "id")? {
        let ids: Vec<ImageId> = list.iter().filter_map(|id| id.parse().ok()).collect();
        wanted.ids = Some(ids);
    }
    if query.last("os_hash_algo").is_some_and(|algorithm| algorithm != "sha512") {
        return Ok(None);
    }
    let others = query.keys().filter(|key| !KEYS.contains(key));
    wanted.properties = others.map(|key| (key.to_owned(), query.last(key).unwrap_or("").to_owned())).collect();
    if wanted.properties.len() + wanted.tags.len() > MOST_VALUES {
        return Err(too_many("tag"));
    }
    Ok(Some(wanted))
}

fn visibility(query: &Pairs) -> Result<Option<Visibility>, ApiError> {
    match query.last("visibility") {
        None | Some("all") => Ok(None),
        Some(word) => Visibility::from_word(word)
            .map(Some)
            .ok_or_else(|| invalid("visibility", word, "'public', 'private', 'shared', 'community' or 'all' is expected.")),
    }
}

/// Which of those that others shared with the project.
fn shared(query: &Pairs) -> Result<Shared, ApiError> {
    match query.last("member_status") {
        None => Ok(Shared::Accepted),
        Some("all") => Ok(Shared::Any),
        Some(word) => MemberStatus::from_word(word)
            .map(Shared::With)
            .ok_or_else(|| invalid("member_status", word, "'pending', 'accepted', 'rejected' or 'all' is expected.")),
    }
}

fn flag(query: &Pairs, key: &str) -> Result<Option<bool>, ApiError> {
    let Some(text) = query.last(key) else { return Ok(None) };
    boolean(text).map(Some).ok_or_else(|| invalid(key, text, "'true' or 'false' is expected."))
}

fn statuses(list: &[String]) -> Result<Vec<ImageStatus>, ApiError> {
    let known = list.iter().filter(|word| !OTHER_STATUSES.contains(&word.as_str()));
    known.map(|word| ImageStatus::from_word(word).ok_or_else(|| invalid("status", word, "No image has such a status."))).collect()
}

/// One text, or those of `in:a,"b,c"`.
fn texts(query: &Pairs, key: &str) -> Result<Option<Vec<String>>, ApiError> {
    let Some(text) = query.last(key) else { return Ok(None) };
    let Some(list) = text.strip_prefix("in:") else { return Ok(Some(vec![text.to_owned()])) };
    let mut values = vec![String::new()];
    let mut quoted = false;
    for character in list.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => values.push(String::new()),
            other => values.last_mut().into_iter().for_each(|value| value.push(other)),
        }
    }
    if quoted {
        return Err(invalid(key, text, "A quotation mark is not closed."));
    }
    match values.len() <= MOST_VALUES {
        true => Ok(Some(values)),
        false => Err(too_many(key)),
    }
}

/// `gt:2026-01-02T03:04:05Z`, or the time alone; several of them hold together.
fn times(query: &Pairs, key: &str) -> Result<Vec<(Comparison, Timestamp)>, ApiError> {
    let time = |text: &str| {
        let operators = [
            ("gt:", Comparison::Greater),
            ("gte:", Comparison::GreaterOrEqual),
            ("lt:", Comparison::Less),
            ("lte:", Comparison::LessOrEqual),
            ("eq:", Comparison::Equal),
            ("neq:", Comparison::NotEqual),
        ];
        let found = operators.iter().find_map(|(prefix, comparison)| Some((*comparison, text.strip_prefix(prefix)?)));
        let (comparison, moment) = found.unwrap_or((Comparison::Equal, text));
        // A `+` of a zone arrives as a blank where the client did not encode it.
        let moment = Timestamp::parse_iso(moment).or_else(|| Timestamp::parse_iso(&moment.replace(' ', "+")));
        moment
            .map(|moment| (comparison, moment))
            .ok_or_else(|| invalid(key, text, "A time such as gt:2026-01-02T03:04:05Z is expected."))
    };
    let times: Vec<_> = query.all(key).map(time).collect::<Result<_, _>>()?;
    match times.len() <= MOST_VALUES {
        true => Ok(times),
        false => Err(too_many(key)),
    }
}

fn invalid(key: &str, value: &str, why: &str) -> ApiError {
    let short: String = value.chars().filter(|character| !character.is_control()).take(64).collect();
    ApiError::invalid(key, short, why)
}

fn too_many(key: &str) -> ApiError {
    ApiError::invalid(key, "…", format_args!("At most {MOST_VALUES} values are taken."))
}
