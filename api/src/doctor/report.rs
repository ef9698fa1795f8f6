//! What `cuttle-api doctor` prints, and what the route answers.

use serde_json::{Value, json};

use super::check::{Check, Status};

/// The worst of all.
pub fn worst(checks: &[Check]) -> Status {
    checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok)
}

/// As JSON.
pub fn view(checks: &[Check]) -> Value {
    json!({ "status": worst(checks).as_str(), "checks": checks.iter().map(Check::view).collect::<Vec<_>>() })
}

/// As text: a line for each, and what to do below those that need it.
pub fn text(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let line = |check: &Check| {
        let advice = check.advice.as_ref().map(|advice| format!("{:10}→ {advice}\n", "")).unwrap_or_default();
        let took = check.took.as_secs_f64() * 1e3;
        format!("{:8}  {:width$}  {} ({took:.1} ms)\n{advice}", check.status.as_str(), check.name, check.detail)
    };
    checks.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_advice_follows() {
        let checks = [Check::ok("database", "it answers"), Check::broken("ceph pool vms", "full", "add OSDs")];
        assert_eq!(worst(&checks), Status::Broken);
        assert_eq!(worst(&[]), Status::Ok);
        assert_eq!(
            text(&checks),
            "ok        database       it answers (0.0 ms)\nbroken    ceph pool vms  full (0.0 ms)\n          → add OSDs\n"
        );
        assert_eq!(view(&checks)["checks"][1]["advice"], "add OSDs");
    }
}
