//! Where a watch is shown: lines of JSON, lines of words, or, on a terminal, those lines with a moving
//! line below them for each operation that goes on.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::Value;

use crate::operation::changes::{changes, progress};
use crate::operation::wire::{Operation, Step};
use crate::output::{self, plain};
use crate::session::{Format, read};
use crate::{Error, time};

/// How often a moving line moves.
const TICK: Duration = Duration::from_millis(100);

/// Where a watch is shown.
pub struct Screen {
    format: Format,
    /// Of a terminal.
    bars: Option<MultiProgress>,
    shown: HashMap<String, (Operation, Option<ProgressBar>)>,
}

impl Screen {
    /// For the standard output as it is.
    pub fn new(format: Format) -> Self {
        let moves = format == Format::Human && io::stdout().is_terminal();
        Self { format, bars: moves.then(MultiProgress::new), shown: HashMap::new() }
    }

    /// Shows an operation as it is now, and answers it.
    pub fn show(&mut self, value: Value, now: Timestamp) -> Result<Operation, Error> {
        if self.format == Format::Json {
            output::print(&format!("{value}\n"))?;
            return read(value);
        }
        let operation: Operation = read(value)?;
        let before = self.shown.remove(&operation.id);
        let earlier = before.as_ref().map(|(before, _)| before);
        let (lines, progress) = (changes(earlier, &operation, now), progress(earlier, &operation, now));
        let bar = before.and_then(|(_, bar)| bar);
        match &self.bars {
            None => lines.iter().chain(&progress).try_for_each(|line| output::print(&format!("{line}\n")))?,
            // Progress is what the moving lines are for.
            Some(bars) => {
                for line in &lines {
                    bars.println(line).map_err(Error::Output)?;
                }
            }
        }
        if operation.is_open() {
            let bar = self.bars.as_ref().map(|bars| bar.unwrap_or_else(|| bars.add(spinner())));
            if let Some(bar) = &bar {
                draw(bar, &operation);
            }
            self.shown.insert(operation.id.clone(), (operation.clone(), bar));
        } else if let (Some(bars), Some(bar)) = (&self.bars, bar) {
            bar.finish_and_clear();
            bars.remove(&bar);
        }
        Ok(operation)
    }

    /// A word beside the results.
    pub fn remark(&self, text: &str) {
        match &self.bars {
            // What cannot be drawn is only a remark.
            Some(bars) => drop(bars.println(text)),
            None => eprintln!("cuttle: {text}"),
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(TICK);
    bar
}

fn draw(bar: &ProgressBar, operation: &Operation) {
    let step = operation.steps.last();
    let title = step.map_or_else(|| operation.status.clone(), Step::title);
    let template = match step.and_then(|step| step.progress) {
        Some(progress) => {
            bar.set_length(progress.total.unwrap_or(0));
            bar.set_position(progress.done);
            match progress.total {
                Some(_) => "{spinner} {msg} [{bar:30}] {percent} % {elapsed}",
                None => "{spinner} {msg} {pos} {elapsed}",
            }
        }
        None => "{spinner} {msg} {elapsed}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    let since = time::between(operation.started_at, None, Timestamp::now());
    bar.set_message(format!("{} {}: {}", operation.kind, operation.subject, plain(&title)));
    let _ = bar.clone().with_elapsed(since);
}
