//! `cuttle reconcile`: what the database, Ceph and the hosts do not agree on.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use crate::output::{plain, table};
use crate::session::{Session, member, read};
use crate::{Done, Error};

#[derive(Debug, Args)]
pub struct ReconcileArguments {
    /// Only look. Without it, images whose owner is deleted go to the trash.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Deserialize)]
struct Report {
    looked_at: LookedAt,
    counts: BTreeMap<String, u64>,
    findings: Vec<Finding>,
    foreign: Foreign,
    unchecked: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct LookedAt {
    images: u64,
    trashed: u64,
    instances: u64,
    hosts: u64,
    guests: u64,
}

#[derive(Debug, Deserialize)]
struct Finding {
    kind: String,
    subject: String,
    place: Option<String>,
    message: String,
    action: Option<String>,
    advice: String,
}

#[derive(Debug, Deserialize)]
struct Foreign {
    count: u64,
}

pub async fn run(session: &Session, arguments: ReconcileArguments) -> Result<Done, Error> {
    let answer = session.client.post_patiently(&["reconcile"], &json!({ "dry_run": arguments.dry_run })).await?;
    let value = member(answer, "reconcile");
    let report: Report = read(value.clone())?;
    let clean = report.counts.is_empty() && report.unchecked.is_empty();
    session.show(value, |report, _| human(&report))?;
    Ok(if clean { Done::Well } else { Done::Finding })
}

fn human(report: &Report) -> String {
    let LookedAt { images, trashed, instances, hosts, guests } = report.looked_at;
    let mut text = String::new();
    if !report.findings.is_empty() {
        let row = |finding: &Finding| {
            let what = match &finding.action {
                Some(action) => format!("{} ({action})", finding.message),
                None => finding.message.clone(),
            };
            [finding.kind.clone(), finding.place.clone().unwrap_or_default(), finding.subject.clone(), what]
        };
        text += &table(["KIND", "WHERE", "SUBJECT", "WHAT"], report.findings.iter().map(row));
        text += "\n";
        let advice: BTreeMap<&str, &str> =
            report.findings.iter().map(|finding| (finding.kind.as_str(), finding.advice.as_str())).collect();
        for (kind, advice) in advice {
            text += &format!("{} ({}): {}\n", plain(kind), report.counts.get(kind).copied().unwrap_or_default(), plain(advice));
        }
        text += "\n";
    }
    for unchecked in &report.unchecked {
        text += &format!("Not looked at: {}\n", plain(unchecked));
    }
    if report.foreign.count > 0 {
        text += &format!("{} images are not Cuttle's and were left alone; --json names them.\n", report.foreign.count);
    }
    let found: u64 = report.counts.values().sum();
    let found = if found == 0 { "nothing does not fit".to_owned() } else { format!("{found} things do not fit") };
    text + &format!(
        "Looked at {images} images, {trashed} in the trash, {instances} instances, {guests} guests on {hosts} hosts: {found}.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: serde_json::Value, counts: serde_json::Value, unchecked: &[&str]) -> Report {
        let looked_at = json!({"images": 3, "trashed": 1, "instances": 2, "hosts": 1, "guests": 2});
        let foreign = json!({"count": 1, "images": []});
        let report =
            json!({"looked_at": looked_at, "counts": counts, "findings": findings, "foreign": foreign, "unchecked": unchecked});
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn findings_come_with_what_to_do_about_them() {
        let findings = json!([
            {"kind": "orphan", "subject": "a_disk", "place": "vms", "message": "nobody has it", "action": null, "advice": "trash it"},
        ]);
        let text = human(&report(findings, json!({"orphan": 1}), &["host host2: silent"]));
        let expected = "\
KIND    WHERE  SUBJECT  WHAT
orphan  vms    a_disk   nobody has it

orphan (1): trash it

Not looked at: host host2: silent
1 images are not Cuttle's and were left alone; --json names them.
Looked at 3 images, 1 in the trash, 2 instances, 2 guests on 1 hosts: 1 things do not fit.
";
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_is_said_plainly() {
        let text = human(&report(json!([]), json!({}), &[]));
        assert!(text.ends_with("nothing does not fit.\n"), "{text}");
    }
}
