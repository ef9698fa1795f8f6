//! `POST /servers/{id}/action`: one key names what is to be done.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::Instance;
use cuttle_model::machine::Request;
use cuttle_operations::{console, power};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::servers::{self, change, lock, moves, schema};
use crate::error::ApiError;
use crate::shared::Controlled;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::validation::shown;

/// The most of a console that is sent, in bytes.
const CONSOLE_BYTES: u64 = 1 << 20;

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Start,
    Stop,
    Reboot,
    RebootHard,
    Pause,
    Unpause,
    Resize,
    Migrate,
    ConfirmResize,
    RevertResize,
    Lock,
    Unlock,
    Console { lines: Option<usize> },
}

pub async fn handle(
    State(state): State<Controlled>,
    caller: Caller,
    version: Microversion,
    PathId(id): PathId<InstanceId>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let action = parse(version, &body)?;
    let instance = servers::get(&state.shared, &caller, id).await?;
    if !matches!(action, Action::Lock | Action::Unlock | Action::Console { .. }) {
        change::unless_locked(&caller, &instance)?;
    }
    match action {
        Action::Lock => Ok(lock::lock(&state.shared, &caller, version, id, &body).await?.into_response()),
        Action::Unlock => Ok(lock::unlock(&state.shared, &caller, id).await?.into_response()),
        Action::Start => change(&state, &caller, &instance, Request::Start).await,
        Action::Stop => change(&state, &caller, &instance, Request::Stop).await,
        Action::Reboot => change(&state, &caller, &instance, Request::Reboot).await,
        Action::RebootHard => change(&state, &caller, &instance, Request::RebootHard).await,
        Action::Pause => change(&state, &caller, &instance, Request::Pause).await,
        Action::Unpause => change(&state, &caller, &instance, Request::Unpause).await,
        Action::Resize => moves::resize(&state, &caller, &instance, &body["resize"]).await,
        Action::Migrate => moves::migrate(&state, &caller, &instance, &body["migrate"]).await,
        Action::ConfirmResize => {
            change(&state, &caller, &instance, Request::ConfirmResize).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Action::RevertResize => change(&state, &caller, &instance, Request::RevertResize).await,
        Action::Console { lines } => {
            let text = console::read(&state.control, &instance, CONSOLE_BYTES).await?;
            Ok(Json(json!({ "output": last_lines(&text, lines) })).into_response())
        }
    }
}

async fn change(state: &Controlled, caller: &Caller, instance: &Instance, request: Request) -> Result<Response, ApiError> {
    power::request(&state.control, &caller.requester()?, instance.id, request).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn parse(version: Microversion, body: &Value) -> Result<Action, ApiError> {
    let mut keys = body.as_object().into_iter().flat_map(|map| map.keys());
    let (Some(name), None) = (keys.next(), keys.next()) else {
        return Err(ApiError::BadRequest("Malformed request body: one action is expected.".into()));
    };
    match name.as_str() {
        "os-start" => Ok(Action::Start),
        "os-stop" => Ok(Action::Stop),
        "reboot" => {
            schema::REBOOT.check(version, body)?;
            match body["reboot"]["type"].as_str().unwrap_or("").eq_ignore_ascii_case("hard") {
                true => Ok(Action::RebootHard),
                false => Ok(Action::Reboot),
            }
        }
        "pause" => Ok(Action::Pause),
        "unpause" => Ok(Action::Unpause),
        "resize" => {
            schema::RESIZE.check(version, body)?;
            Ok(Action::Resize)
        }
        "migrate" => {
            schema::MIGRATE.check(version, body)?;
            Ok(Action::Migrate)
        }
        "confirmResize" => {
            schema::CONFIRM_RESIZE.check(version, body)?;
            Ok(Action::ConfirmResize)
        }
        "revertResize" => {
            schema::REVERT_RESIZE.check(version, body)?;
            Ok(Action::RevertResize)
        }
        "lock" => Ok(Action::Lock),
        "unlock" => Ok(Action::Unlock),
        "os-getConsoleOutput" => {
            schema::CONSOLE.check(version, body)?;
            Ok(Action::Console { lines: lines(&body[name.as_str()]["length"])? })
        }
        _ => Err(ApiError::BadRequest(format!("There is no such action: {}", shown(&Value::String(name.clone()))))),
    }
}

/// How many lines; `None` for all.
fn lines(length: &Value) -> Result<Option<usize>, ApiError> {
    let number = match length {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64(),
    };
    match number {
        Some(-1) => Ok(None),
        Some(number) if number >= 0 => Ok(Some(usize::try_from(number).unwrap_or(usize::MAX))),
        _ => Err(ApiError::invalid("length", shown(length), "A number of lines, or -1 for all, is expected.")),
    }
}

fn last_lines(text: &str, lines: Option<usize>) -> &str {
    let Some(wanted) = lines else { return text };
    let body = text.strip_suffix('\n').unwrap_or(text);
    match body.rmatch_indices('\n').nth(wanted.saturating_sub(1)) {
        _ if wanted == 0 => "",
        Some((at, _)) => &text[at + 1..],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_told_by_their_one_key() {
        let parse = |body: Value| parse(Microversion::MIN, &body);
        assert_eq!(parse(json!({"os-start": null})).unwrap(), Action::Start);
        assert_eq!(parse(json!({"os-stop": {}})).unwrap(), Action::Stop);
        assert_eq!(parse(json!({"reboot": {"type": "SOFT"}})).unwrap(), Action::Reboot);
        for hard in ["HARD", "hard", "Hard"] {
            assert_eq!(parse(json!({"reboot": {"type": hard}})).unwrap(), Action::RebootHard);
        }
        for (length, lines) in
            [(json!(null), None), (json!(-1), None), (json!(""), None), (json!(7), Some(7)), (json!("7"), Some(7))]
        {
            assert_eq!(parse(json!({"os-getConsoleOutput": {"length": length}})).unwrap(), Action::Console { lines });
        }
        for bad in [
            json!({}),
            json!({"os-start": null, "os-stop": null}),
            json!({"resize": {}}),
            json!({"resize": null}),
            json!({"resize": {"flavorRef": ""}}),
            json!({"resize": {"flavorRef": "1", "x": 1}}),
            json!({"migrate": {}}),
            json!({"confirmResize": {}}),
            json!({"shelve": null}),
            json!({"reboot": {}}),
            json!({"reboot": null}),
            json!({"reboot": {"type": "MEDIUM"}}),
            json!({"reboot": {"type": null}}),
            json!({"reboot": {"type": "SOFT", "x": 1}}),
            json!({"os-getConsoleOutput": {"length": -2}}),
            json!({"os-getConsoleOutput": {"length": "x"}}),
            json!({"os-getConsoleOutput": {"x": 1}}),
            json!({"os-getConsoleOutput": []}),
        ] {
            assert!(matches!(parse(bad.clone()), Err(ApiError::BadRequest(_))), "{bad}");
        }
    }

    #[test]
    fn the_last_lines() {
        assert_eq!(last_lines("a\nb\nc\n", None), "a\nb\nc\n");
        assert_eq!(last_lines("a\nb\nc\n", Some(2)), "b\nc\n");
        assert_eq!(last_lines("a\nb\nc", Some(1)), "c");
        assert_eq!(last_lines("a\n", Some(9)), "a\n");
        assert_eq!(last_lines("a\n", Some(0)), "");
        assert_eq!(last_lines("", Some(3)), "");
    }
}
