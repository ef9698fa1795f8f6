//! An instance by what an operator types: its id, or its name.

use crate::Error;
use crate::instance::wire::Brief;
use crate::session::{Session, member, read};

/// The id of the instance that is meant.
pub async fn id(session: &Session, typed: &str) -> Result<String, Error> {
    if is_uuid(typed) {
        return Ok(typed.to_owned());
    }
    let query = [("name", typed.to_owned()), ("limit", "1000".into())];
    let listed = member(session.client.get(&["instances"], &query).await?, "instances");
    let listed: Vec<Brief> = read(listed)?;
    let same: Vec<&Brief> = listed.iter().filter(|instance| instance.name == typed).collect();
    match same.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(Error::NotFound(format!("no instance is called '{typed}'"))),
        several => {
            let ids: Vec<&str> = several.iter().map(|instance| instance.id.as_str()).collect();
            Err(Error::Usage(format!("{} instances are called '{typed}': give an id, one of {}", ids.len(), ids.join(", "))))
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = text.bytes().filter(|byte| *byte == b'-').count();
    digits == 32 && digits + dashes == text.len() && matches!(dashes, 0 | 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_uuid("8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b") && is_uuid("8c1f0d0e29e94c7b9f390d8f9c1d2a3b"));
        for name in ["", "web-1", "deadbeef", "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3bx", "ä8c1f0d0e29e94c7b9f390d8f9c1d2a3"] {
            assert!(!is_uuid(name), "{name}");
        }
    }
}
