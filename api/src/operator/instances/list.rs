//! `GET /instances`: of all projects, the newest first, by page. Three queries, however many there are.

use axum::Json;
use axum::extract::State;
use cuttle_database::InstanceQuery;
use cuttle_model::host::HostName;
use cuttle_model::instance::StateName;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::instances::view::{self, Names};
use crate::operator::parsed;
use crate::shared::Shared;
use crate::web::query::Pairs;

const KNOWN: [&str; 7] = ["project_id", "host", "state", "name", "image_id", "limit", "marker"];
/// Of a page, where nothing else is asked for.
const LIMIT: u32 = 100;

pub async fn handle(State(shared): State<Shared>, query: Pairs) -> Result<Json<Value>, ApiError> {
    let asked = read(&shared, &query).await?;
    let (found, names) =
        tokio::try_join!(async { Ok::<_, ApiError>(shared.database.list_instances(&asked).await?) }, Names::read(&shared))?;
    let shown: Vec<Value> = found.iter().map(|instance| view::brief(instance, &names)).collect();
    Ok(Json(json!({ "instances": shown })))
}

async fn read(shared: &Shared, query: &Pairs) -> Result<InstanceQuery, ApiError> {
    query.refuse_unknown(&KNOWN)?;
    let mut states = Vec::new();
    for word in query.all("state") {
        let known = StateName::ALL.into_iter().find(|state| state.as_str() == word);
        states.push(known.ok_or_else(|| {
            let all: Vec<&str> = StateName::ALL.iter().map(|state| state.as_str()).collect();
            ApiError::invalid("state", word, format_args!("One of {} is expected.", all.join(", ")))
        })?);
    }
    let host = match parsed::<HostName>(query, "host")? {
        None => None,
        Some(name) => {
            let found = shared.database.find_host(&name).await?;
            Some(found.ok_or_else(|| ApiError::invalid("host", &name, "There is no such host."))?.id)
        }
    };
    Ok(InstanceQuery {
        project: parsed(query, "project_id")?,
        states,
        name_contains: query.one("name")?.map(str::to_owned),
        image: parsed(query, "image_id")?,
        host,
        marker: parsed(query, "marker")?,
        limit: Some(query.limit(LIMIT)?),
        ..InstanceQuery::default()
    })
}
