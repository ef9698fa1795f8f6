//! `cuttle operation watch`: shows changes as the API tells them, and asks again where the connection
//! was lost. Each line from the API is a whole operation, so nothing is missed by that.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use crate::client::Lines;
use crate::operation::screen::Screen;
use crate::session::{Session, member};
use crate::{Done, Error};

/// The pause before the first try to connect again; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub async fn run(session: &Session, id: Option<&str>) -> Result<Done, Error> {
    let path: Vec<&str> = ["operations"].into_iter().chain(id).chain(["watch"]).collect();
    let mut screen = Screen::new(session.format);
    let mut watch = Watch { ends: id.is_some(), ended: BTreeSet::new() };
    // That it cannot be reached at all is no interruption.
    let mut lines = session.client.lines(&path).await?;
    if id.is_none() {
        screen.remark("watching all operations; end it with Ctrl-C");
    }
    let mut pause = PAUSE;
    loop {
        match watch.follow(&mut lines, &mut screen, session, &mut pause).await {
            Ok(Some(done)) => return Ok(done),
            // The control node is stopped in order.
            Ok(None) => screen.remark("the connection was closed; trying again"),
            Err(Error::Unreachable { .. } | Error::Silent { .. }) => screen.remark("the connection was lost; trying again"),
            Err(error) => return Err(error),
        }
        lines = loop {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match session.client.lines(&path).await {
                Ok(lines) => break lines,
                // A control node that starts or stops.
                Err(Error::Unreachable { .. } | Error::Silent { .. } | Error::Refused { status: 502..=504, .. }) => {}
                Err(error) => return Err(error),
            }
        };
    }
}

struct Watch {
    /// With the operation's end.
    ends: bool,
    /// Those whose end was shown: after a lost connection it may come again.
    ended: BTreeSet<String>,
}

impl Watch {
    /// Shows line after line. `None`: there are no more, but it is not over.
    async fn follow(
        &mut self,
        lines: &mut Lines,
        screen: &mut Screen,
        session: &Session,
        pause: &mut Duration,
    ) -> Result<Option<Done>, Error> {
        while let Some(line) = lines.next().await? {
            *pause = PAUSE;
            let value = member(line, "operation");
            if value["id"].as_str().is_some_and(|id| self.ended.contains(id)) {
                continue;
            }
            let operation = screen.show(value, session.now())?;
            if operation.is_open() {
                continue;
            }
            if self.ends {
                let well = operation.status == "succeeded";
                return Ok(Some(if well { Done::Well } else { Done::Finding }));
            }
            self.ended.insert(operation.id);
        }
        Ok(None)
    }
}
