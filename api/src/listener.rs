//! The public listener's connections: HTTP/1.1, and a client that does not come to the point is cut off.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum_server::Server;
use hyper_util::rt::TokioTimer;

/// A server on `listener`. The head of each request must be there within `patience` of the connection's, or
/// the last answer's, end; how long a body may take is its route's to say.
pub fn server(listener: TcpListener, patience: Duration) -> io::Result<Server<SocketAddr>> {
    // Not both protocols: the wait for the first bytes, that tell them apart, would have no end. The price is
    // that a connection cannot be upgraded; WebSockets need a listener of their own.
    let mut server = axum_server::from_tcp(listener)?.http1_only();
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(patience);
    Ok(server)
}
