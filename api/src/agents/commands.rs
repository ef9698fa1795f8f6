//! `GET /agent/v1/commands`: an endless answer, one command a line. Empty lines show both sides that
//! the connection lives.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use cuttle_compute_protocol::Command;
use cuttle_operations::hosts;
use futures::{Stream, StreamExt, stream};

use crate::agents::host::FromHost;
use crate::shared::Controlled;

/// How long the line may be silent.
const KEEPALIVE: Duration = Duration::from_secs(5);

pub async fn stream(State(state): State<Controlled>, FromHost { host, certificate_sha256 }: FromHost) -> Response {
    let commands = hosts::commands(&state.control, host.id, certificate_sha256).map(|command| line(&command));
    let body = Body::from_stream(with_keepalive(commands, KEEPALIVE));
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

fn line(command: &Command) -> Result<Bytes, serde_json::Error> {
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    Ok(line.into())
}

/// The lines, with an empty one first and whenever none came for `period`.
fn with_keepalive<E: Send + 'static>(
    lines: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    period: Duration,
) -> impl Stream<Item = Result<Bytes, E>> + Send + 'static {
    let blank = || Ok(Bytes::from_static(b"\n"));
    let silence = stream::unfold(Box::pin(lines), move |mut lines| async move {
        match tokio::time::timeout(period, lines.next()).await {
            Err(_) => Some((Ok(Bytes::from_static(b"\n")), lines)),
            Ok(line) => line.map(|line| (line, lines)),
        }
    });
    stream::once(async move { blank() }).chain(silence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_is_filled_with_empty_lines() {
        let slow = stream::once(async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"x\n"))
        });
        let lines: Vec<Bytes> = with_keepalive(slow, Duration::from_millis(20)).map(|line| line.unwrap()).collect().await;
        assert!(lines.len() > 2, "{lines:?}");
        assert_eq!(lines.last().unwrap().as_ref(), b"x\n");
        assert!(lines[..lines.len() - 1].iter().all(|line| line.as_ref() == b"\n"), "{lines:?}");
    }
}
