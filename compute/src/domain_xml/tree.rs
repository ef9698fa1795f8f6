//! A small XML tree to write: what is put in is what a parser gets out, whatever the text contains.
//!
//! Characters that XML cannot carry at all, and control characters, which no field of a domain may
//! contain, become U+FFFD.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// An element.
#[derive(Debug, Clone)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    text: Option<String>,
    children: Vec<Element>,
}

impl Element {
    /// An element without content.
    pub fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), text: None, children: Vec::new() }
    }

    /// With an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, carried(&value.into())));
        self
    }

    /// With this text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(carried(&text.into()));
        self
    }

    /// With a child.
    #[must_use]
    pub fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// With a child that has nothing but a text.
    #[must_use]
    pub fn leaf(self, name: &'static str, text: impl Into<String>) -> Self {
        self.child(Element::new(name).text(text))
    }

    /// With these children.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The document.
    pub fn render(&self) -> String {
        let mut writer = Writer::new(Vec::new());
        // Writing to memory cannot fail, and everything that was put in is UTF-8.
        let _ = self.write(&mut writer);
        String::from_utf8_lossy(&writer.into_inner()).into_owned()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            // Escapes the value.
            start.push_attribute((*name, value.as_str()));
        }
        if self.text.is_none() && self.children.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        if let Some(text) = &self.text {
            writer.write_event(Event::Text(BytesText::new(text)))?;
        }
        for child in &self.children {
            child.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(self.name)))
    }
}

/// Whether a field of a domain can contain this character.
pub fn can_carry(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

/// The text as XML can carry it.
fn carried(text: &str) -> String {
    text.chars().map(|c| if can_carry(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(text in any::<String>(), value in any::<String>()) {
            let xml = Element::new("a").attribute("b", &value).child(Element::new("c").text(&text)).render();
            let document = roxmltree::Document::parse(&xml).unwrap();
            let root = document.root_element();
            prop_assert_eq!(root.attribute("b").map(str::to_owned), Some(carried(&value)));
            prop_assert_eq!(root.first_element_child().unwrap().text().unwrap_or(""), carried(&text));
            prop_assert_eq!(root.descendants().filter(|node| node.is_element()).count(), 2);
        }
    }

    #[test]
    fn what_looks_like_xml_is_text() {
        let hostile = "]]></name><disk file='/etc/shadow'/>&amp;\"'<!-- \0";
        let xml = Element::new("name").text(hostile).render();
        let document = roxmltree::Document::parse(&xml).unwrap();
        assert_eq!(document.root_element().text(), Some(hostile.replace('\0', "\u{FFFD}").as_str()));
    }
}
