//! An operation as the API shows it.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Operation {
    pub id: String,
    /// Such as `create_instance`.
    pub kind: String,
    /// `waiting`, `running`, `undoing`, `succeeded`, `undone` or `parked`.
    pub status: String,
    pub subject: Subject,
    /// The step that it is at.
    pub step: Option<String>,
    pub project_id: String,
    pub user_id: String,
    pub request_id: String,
    pub fault: Option<Fault>,
    pub cancel_requested: bool,
    pub control_node: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Left out in lists.
    #[serde(default)]
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Subject {
    /// `instance` or `image`.
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Fault {
    pub kind: String,
    pub message: String,
}

/// An attempt at a step, or at its undo.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Step {
    pub sequence: u64,
    pub name: String,
    /// `do` or `undo`.
    pub direction: String,
    /// `done`, `retry` or `failed`, once it has ended.
    pub result: Option<String>,
    pub message: Option<String>,
    pub progress: Option<Progress>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Progress {
    pub done: u64,
    pub total: Option<u64>,
}

impl Operation {
    /// It goes on, or will.
    pub fn is_open(&self) -> bool {
        self.finished_at.is_none()
    }
}

impl Step {
    /// The name, and whether it is being undone.
    pub fn title(&self) -> String {
        if self.direction == "undo" { format!("undo: {}", self.name) } else { self.name.clone() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) if total > 0 => write!(f, "{} %", u128::from(self.done) * 100 / u128::from(total)),
            _ => write!(f, "{}", self.done),
        }
    }
}
