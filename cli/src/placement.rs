//! `cuttle placement`, `cuttle instance why` and `cuttle host free`: where instances go, and why.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::instance::find;
use crate::output::{plain, table};
use crate::session::{Session, member, read};
use crate::{Done, Error};

#[derive(Debug, Subcommand)]
pub enum PlacementCommand {
    /// Say where an instance would go now, and why. Nothing is made.
    Try(Wanted),
}

#[derive(Debug, Clone, Args)]
pub struct Wanted {
    /// The flavor's id.
    pub flavor: String,
    /// With this image's properties and size.
    #[arg(long, value_name = "ID")]
    pub image: Option<String>,
    /// For this project instead of the token's.
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
    /// In this availability zone.
    #[arg(long, value_name = "NAME")]
    pub zone: Option<String>,
    /// On this host, if it passes.
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// As a member of this server group.
    #[arg(long, value_name = "ID")]
    pub group: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Reasons {
    hosts: u32,
    left: u32,
    chosen: Option<String>,
    filters: Vec<Removed>,
    nearest: Vec<String>,
    top: Vec<Weighed>,
}

#[derive(Debug, Deserialize)]
struct Removed {
    filter: String,
    hosts: u32,
    nearest_miss: Option<Shortfall>,
}

#[derive(Debug, Deserialize)]
struct Shortfall {
    amount: u64,
    unit: String,
}

#[derive(Debug, Deserialize)]
struct Weighed {
    host: String,
    weight: f64,
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    weigher: String,
    raw: f64,
    weight: f64,
}

#[derive(Debug, Deserialize)]
struct Tried {
    refusal: Option<String>,
    reasons: Option<Reasons>,
}

#[derive(Debug, Deserialize)]
struct Record {
    made_at: String,
    purpose: String,
    refusal: Option<String>,
    reasons: Reasons,
}

#[derive(Debug, Deserialize)]
struct Free {
    any_host_can_be_lost: bool,
    losses: Vec<Loss>,
}

#[derive(Debug, Deserialize)]
struct Loss {
    host: String,
    instances: usize,
    stuck: Vec<Stuck>,
}

#[derive(Debug, Deserialize)]
struct Stuck {
    instance_id: String,
    reason: String,
}

/// `cuttle placement …`.
pub async fn run(session: &Session, command: PlacementCommand) -> Result<Done, Error> {
    let PlacementCommand::Try(wanted) = command;
    let mut body = json!({ "flavor": wanted.flavor });
    let given = [
        ("image_id", wanted.image),
        ("project_id", wanted.project),
        ("zone", wanted.zone),
        ("host", wanted.host),
        ("group_id", wanted.group),
    ];
    for (key, value) in given {
        if let Some(value) = value {
            body[key] = Value::String(value);
        }
    }
    let answer = session.client.post(&["placement", "try"], &body).await?;
    session.show(member(answer, "placement"), |tried: Tried, _| {
        let head = tried.refusal.map(|text| format!("{}\n\n", plain(&text))).unwrap_or_default();
        format!("{head}{}", tried.reasons.as_ref().map(human).unwrap_or_default())
    })
}

/// `cuttle instance why`.
pub async fn why(session: &Session, typed: &str) -> Result<Done, Error> {
    let id = find::id(session, typed).await?;
    let answer = session.client.get(&["instances", &id, "placement"], &[]).await?;
    session.show(member(answer, "placements"), |records: Vec<Record>, _| match records.is_empty() {
        true => "Nothing is recorded of how its host was chosen.\n".to_owned(),
        false => records.iter().map(record).collect::<Vec<_>>().join("\n"),
    })
}

/// `cuttle host free`: ends with a finding where a host could not be lost.
pub async fn free(session: &Session) -> Result<Done, Error> {
    let value = member(session.client.get(&["placement", "free"], &[]).await?, "free");
    let can = read::<Free>(value.clone())?.any_host_can_be_lost;
    session.show(value, |free: Free, _| losses(&free))?;
    Ok(if can { Done::Well } else { Done::Finding })
}

fn losses(free: &Free) -> String {
    let rows = free.losses.iter().map(|loss| {
        let verdict = match loss.stuck.len() {
            0 => "all find room".to_owned(),
            stuck => format!("{stuck} find none"),
        };
        [loss.host.clone(), loss.instances.to_string(), verdict]
    });
    let mut text = table(["LOST HOST", "INSTANCES", "ELSEWHERE"], rows);
    for stuck in free.losses.iter().flat_map(|loss| &loss.stuck) {
        text.push_str(&format!("{}: {}\n", stuck.instance_id, plain(&stuck.reason)));
    }
    text
}

fn record(record: &Record) -> String {
    let refusal = record.refusal.as_ref().map(|text| format!("{}\n", plain(text))).unwrap_or_default();
    format!("{} {}\n{refusal}{}", record.made_at, record.purpose, human(&record.reasons))
}

fn human(reasons: &Reasons) -> String {
    let chosen = match &reasons.chosen {
        Some(host) => format!("chosen: {}", plain(host)),
        None => "chosen: none".to_owned(),
    };
    let mut text = format!("{chosen} ({} of {} hosts could take it)\n", reasons.left, reasons.hosts);
    let removed: Vec<&Removed> = reasons.filters.iter().filter(|removed| removed.hosts > 0).collect();
    if !removed.is_empty() {
        let rows = removed.iter().map(|removed| {
            let miss =
                removed.nearest_miss.as_ref().map_or_else(|| "-".to_owned(), |miss| format!("{} {}", miss.amount, miss.unit));
            [removed.filter.clone(), removed.hosts.to_string(), miss]
        });
        text.push_str(&table(["FILTER", "REMOVED", "NEAREST MISS"], rows));
    }
    if !reasons.nearest.is_empty() {
        text.push_str(&format!("nearest: {}\n", plain(&reasons.nearest.join("; "))));
    }
    if !reasons.top.is_empty() {
        let parts = |weighed: &Weighed| -> Vec<String> {
            let telling = weighed.parts.iter().filter(|part| part.weight != 0.0);
            telling.map(|part| format!("{} {:+.3} (of {})", part.weigher, part.weight, part.raw)).collect()
        };
        let rows = reasons.top.iter().map(|weighed| {
            let parts = parts(weighed);
            let shown = if parts.is_empty() { "-".to_owned() } else { parts.join(", ") };
            [weighed.host.clone(), format!("{:.3}", weighed.weight), shown]
        });
        text.push_str(&table(["HOST", "WEIGHT", "PARTS"], rows));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_a_choice_what_was_removed_and_weights() {
        let reasons: Reasons = serde_json::from_value(json!({
            "hosts": 3, "left": 1, "chosen": "h1", "nearest": [],
            "filters": [
                {"filter": "ComputeFilter", "hosts": 0},
                {"filter": "RamFilter", "hosts": 2, "nearest_miss": {"amount": 512, "unit": "MiB"}},
            ],
            "top": [{"host": "h1", "weight": 1.5, "parts": [
                {"weigher": "RAMWeigher", "raw": 4096.0, "weight": 1.5},
                {"weigher": "CPUWeigher", "raw": 3.0, "weight": 0.0},
            ]}],
        }))
        .unwrap();
        let expected = "\
chosen: h1 (1 of 3 hosts could take it)
FILTER     REMOVED  NEAREST MISS
RamFilter  2        512 MiB
HOST  WEIGHT  PARTS
h1    1.500   RAMWeigher +1.500 (of 4096)
";
        assert_eq!(human(&reasons), expected);
    }

    #[test]
    fn losses_name_who_finds_no_host() {
        let free: Free = serde_json::from_value(json!({
            "any_host_can_be_lost": false,
            "losses": [
                {"host": "h1", "instances": 2, "moved": 1, "stuck": [{"instance_id": "i1", "reason": "No valid host was found."}]},
                {"host": "h2", "instances": 0, "moved": 0, "stuck": []},
            ],
        }))
        .unwrap();
        let expected = "\
LOST HOST  INSTANCES  ELSEWHERE
h1         2          1 find none
h2         0          all find room
i1: No valid host was found.
";
        assert_eq!(losses(&free), expected);
    }
}
