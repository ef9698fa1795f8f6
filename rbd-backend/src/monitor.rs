//! Monitor commands and what they answer: addresses now; pools, capacity and users in their own files.

use crate::cluster::Inner;
use crate::error::{Attempt, Error, Reason};
use crate::rights::MissingRight;
use crate::sys::errno::Errno;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Where one monitor listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorAddress {
    /// An IP address, without brackets.
    pub host: String,
    pub port: u16,
    /// `v2` or `v1`.
    pub protocol: String,
}

/// Whether a command's answer may hold a key, which keeps it out of every error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Plain,
    Secret,
}

/// Runs a JSON command on the monitors and returns its output.
pub(crate) fn command(inner: &Inner, attempt: &Attempt, command: &Value, answer: Answer) -> Result<Vec<u8>, Error> {
    let result = inner.connection().monitor_command(&command.to_string(), &[]).map_err(|errno| attempt.ceph(errno))?;
    match result.code {
        Ok(_) => Ok(result.output),
        Err(errno) => {
            if errno == Errno::ACCESS {
                let command = command.get("prefix").and_then(Value::as_str).unwrap_or_default();
                let right = MissingRight::Command { client: inner.client_name().to_owned(), command: command.to_owned() };
                return Err(attempt.error(Reason::Denied { right: Box::new(right), errno }));
            }
            let status = if answer == Answer::Secret { String::new() } else { result.status };
            Err(attempt.error(Reason::Ceph { errno, status }))
        }
    }
}

/// As `command`, with JSON output read as `T`.
pub(crate) fn query<T: DeserializeOwned>(inner: &Inner, attempt: &Attempt, request: &Value, answer: Answer) -> Result<T, Error> {
    let output = command(inner, attempt, request, answer)?;
    parse(&output, attempt)
}

pub(crate) fn parse<T: DeserializeOwned>(output: &[u8], attempt: &Attempt) -> Result<T, Error> {
    // serde's message is left out: it quotes the value that it stumbled over.
    serde_json::from_slice(output).map_err(|error| {
        attempt.broken(format!("the monitors' answer is not understood (line {}, column {})", error.line(), error.column()))
    })
}

#[derive(Deserialize)]
struct MonitorMap {
    mons: Vec<Monitor>,
}

#[derive(Deserialize)]
struct Monitor {
    public_addrs: Addresses,
}

#[derive(Deserialize)]
struct Addresses {
    addrvec: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    r#type: String,
    addr: String,
}

pub(crate) fn list(inner: &Inner, attempt: &Attempt) -> Result<Vec<MonitorAddress>, Error> {
    let map: MonitorMap = query(inner, attempt, &serde_json::json!({"prefix": "mon dump", "format": "json"}), Answer::Plain)?;
    addresses_of(map).ok_or_else(|| attempt.broken("a monitor's address is not understood"))
}

fn addresses_of(map: MonitorMap) -> Option<Vec<MonitorAddress>> {
    let mut found = Vec::new();
    for address in map.mons.into_iter().flat_map(|monitor| monitor.public_addrs.addrvec) {
        let (host, port) = address.addr.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        found.push(MonitorAddress { host, port: port.parse().ok()?, protocol: address.r#type });
    }
    // Clients that speak both should meet v2 first.
    found.sort_by(|one, other| other.protocol.cmp(&one.protocol));
    Some(found)
}

/// Splits librados' list of addresses, `v2:ip:port/nonce` in brackets or bare, into `ip:port/nonce`.
pub(crate) fn split_addresses(addresses: &str) -> Vec<String> {
    let is_vector = addresses.starts_with("[v") || addresses.starts_with("[any:");
    let inside = addresses.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|_| is_vector);
    let inside = inside.unwrap_or(addresses);
    let mut found: Vec<String> = Vec::new();
    for address in inside.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        let bare = ["v2:", "v1:", "any:"].iter().find_map(|prefix| address.strip_prefix(prefix)).unwrap_or(address);
        if !found.iter().any(|known| known == bare) {
            found.push(bare.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_in_each_form() {
        assert_eq!(split_addresses("10.0.0.1:0/42"), ["10.0.0.1:0/42"]);
        assert_eq!(split_addresses("v2:10.0.0.1:0/42"), ["10.0.0.1:0/42"]);
        assert_eq!(split_addresses("[v2:10.0.0.1:0/42,v1:10.0.0.1:0/42]"), ["10.0.0.1:0/42"]);
        assert_eq!(split_addresses("[fd00::1]:0/42"), ["[fd00::1]:0/42"]);
        assert_eq!(split_addresses("[v2:[fd00::1]:0/42]"), ["[fd00::1]:0/42"]);
    }

    #[test]
    fn monitors_of_both_protocols_and_families() {
        let map = r#"{"mons":[{"public_addrs":{"addrvec":[
            {"type":"v1","addr":"[fd00::1]:6789","nonce":0},{"type":"v2","addr":"10.0.0.1:3300","nonce":0}]}}]}"#;
        let found = addresses_of(serde_json::from_str(map).unwrap()).unwrap();
        let address = |host: &str, port, protocol: &str| MonitorAddress { host: host.into(), port, protocol: protocol.into() };
        assert_eq!(found, [address("10.0.0.1", 3300, "v2"), address("fd00::1", 6789, "v1")]);
    }

    #[test]
    fn an_answer_that_is_not_understood_is_not_quoted() {
        let attempt = Attempt::on_cluster("test", crate::error::Effect::Read);
        let error = parse::<MonitorMap>(br#"{"mons":"AQsecret=="}"#, &attempt).err().unwrap();
        assert!(!error.to_string().contains("AQsecret"), "{error}");
    }
}
