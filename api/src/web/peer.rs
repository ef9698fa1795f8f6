//! Where a request comes from: the other end of the connection or, where that is a proxy that is
//! trusted, whom the proxy names.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::shared::Shared;

/// The client's address; `None` where there is no connection, as in tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub Option<IpAddr>);

impl FromRequestParts<Shared> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical());
        Ok(Self(address.map(|address| behind(address, &shared.limits.trusted_proxies, &parts.headers))))
    }
}

/// The last address that no trusted proxy has: what stands before it, anybody may have written.
fn behind(peer: IpAddr, trusted: &[IpAddr], headers: &HeaderMap) -> IpAddr {
    let mut client = peer;
    let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = named.flat_map(|text| text.split(',')).map(str::trim).collect();
    for text in named.into_iter().rev() {
        if !trusted.contains(&client) {
            break;
        }
        let Ok(next) = text.parse::<IpAddr>() else { break };
        client = next.to_canonical();
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "192.0.2.9, 192.0.2.7".parse().unwrap());
        assert_eq!(behind(ip(1), &[], &headers), ip(1));
        assert_eq!(behind(ip(1), &[ip(1)], &headers), ip(7));
        assert_eq!(behind(ip(1), &[ip(1), ip(7)], &headers), ip(9));
        assert_eq!(behind(ip(1), &[ip(1)], &HeaderMap::new()), ip(1));
        headers.insert("x-forwarded-for", "rubbish".parse().unwrap());
        assert_eq!(behind(ip(1), &[ip(1)], &headers), ip(1));
    }
}
