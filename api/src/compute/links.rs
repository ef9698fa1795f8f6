//! Links to resources and to the next page.
//!
//! A list has several for each of its items, so they are written as they are sent, without texts in between.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::web::address::Address;
use crate::web::query::{Pairs, encoded};

/// A resource's links: with and without the version.
pub fn links<'l>(address: &'l Address, collection: &'l str, id: &'l str) -> impl Serialize + 'l {
    let id = encoded(id);
    let versioned = Link { rel: "self", href: Href { address, root: "/compute/v2.1", collection, id: id.clone() } };
    [versioned, Link { rel: "bookmark", href: Href { address, root: "/compute", collection, id } }]
}

/// The link without the version alone, as in embedded resources.
pub fn bookmark<'l>(address: &'l Address, collection: &'l str, id: &'l str) -> impl Serialize + 'l {
    [Link { rel: "bookmark", href: Href { address, root: "/compute", collection, id: encoded(id) } }]
}

/// The link to the page after `last`; `path` is `/servers/detail` and the like.
pub fn next(address: &Address, path: &str, query: &Pairs, last: &str) -> Value {
    json!([{ "rel": "next", "href": address.url(&format!("/compute/v2.1{path}?{}", query.with_marker(last))) }])
}

/// At most 64 characters of what a client sent, for messages.
pub fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

#[derive(Serialize)]
struct Link<'l> {
    rel: &'static str,
    href: Href<'l>,
}

struct Href<'l> {
    address: &'l Address,
    root: &'static str,
    collection: &'l str,
    id: Cow<'l, str>,
}

impl fmt::Display for Href<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.address.as_str(), self.root, "/", self.collection, "/", &self.id] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

impl Serialize for Href<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
