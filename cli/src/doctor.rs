//! `cuttle doctor`: how everything is that the cloud depends on, and what to do about what is wrong.

use jiff::Timestamp;
use serde::Deserialize;

use crate::output::table;
use crate::session::{Session, read};
use crate::time::span;
use crate::{Done, Error};

#[derive(Debug, Clone, Deserialize)]
struct Report {
    /// `ok`, `warning` or `broken`: the worst of all.
    status: String,
    checks: Vec<Check>,
}

#[derive(Debug, Clone, Deserialize)]
struct Check {
    name: String,
    status: String,
    detail: String,
    advice: Option<String>,
    milliseconds: f64,
}

pub async fn run(session: &Session) -> Result<Done, Error> {
    let answer = session.client.get(&["doctor"], &[]).await?;
    let report: Report = read(answer.clone())?;
    session.show(answer, human)?;
    Ok(if report.status == "broken" { Done::Finding } else { Done::Well })
}

fn human(report: Report, _: Timestamp) -> String {
    let row = |check: &Check| {
        let took = std::time::Duration::try_from_secs_f64(check.milliseconds / 1000.0).unwrap_or_default();
        [check.status.clone(), check.name.clone(), span(took), check.detail.clone()]
    };
    let mut text = table(["STATUS", "WHAT", "TOOK", "FOUND"], report.checks.iter().map(row));
    let mut advised = report.checks.iter().filter_map(|check| Some((check, check.advice.as_ref()?))).peekable();
    if advised.peek().is_some() {
        text += "\nWhat to do:\n";
    }
    for (check, advice) in advised {
        text += &format!("- {}: {}\n", check.name, crate::output::plain(advice));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn advice_follows_the_table() {
        let report = json!({"status": "broken", "checks": [
            {"name": "database", "status": "ok", "detail": "it answers", "advice": null, "milliseconds": 1.5},
            {"name": "ceph pool vms", "status": "broken", "detail": "full", "advice": "add OSDs", "milliseconds": 12.25},
        ]});
        let expected = "\
STATUS  WHAT           TOOK     FOUND
ok      database       1.5 ms   it answers
broken  ceph pool vms  12.2 ms  full

What to do:
- ceph pool vms: add OSDs
";
        assert_eq!(human(serde_json::from_value(report).unwrap(), Timestamp::UNIX_EPOCH), expected);
    }
}
