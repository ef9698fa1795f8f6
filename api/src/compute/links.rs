//! Links to resources and to the next page.

use serde_json::{Value, json};

use crate::web::address::Address;
use crate::web::query::{Pairs, encoded};

/// A resource's links: with and without the version.
pub fn links(address: &Address, collection: &str, id: &str) -> Value {
    let id = encoded(id);
    json!([
        { "rel": "self", "href": address.url(&format!("/compute/v2.1/{collection}/{id}")) },
        { "rel": "bookmark", "href": address.url(&format!("/compute/{collection}/{id}")) },
    ])
}

/// The link without the version alone, as in embedded resources.
pub fn bookmark(address: &Address, collection: &str, id: &str) -> Value {
    json!([{ "rel": "bookmark", "href": address.url(&format!("/compute/{collection}/{}", encoded(id))) }])
}

/// The link to the page after `last`; `path` is `/servers/detail` and the like.
pub fn next(address: &Address, path: &str, query: &Pairs, last: &str) -> Value {
    json!([{ "rel": "next", "href": address.url(&format!("/compute/v2.1{path}?{}", query.with_marker(last))) }])
}

/// At most 64 characters of what a client sent, for messages.
pub fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}
