//! What extra specs ask of a value: Nova's operators.
//!
//! A word at the beginning says how the rest is compared: `=` (a number at least as great), `==`, `!=`,
//! `>=`, `<=` as numbers; `s==`, `s!=`, `s>=`, `s>`, `s<=`, `s<` as texts; `<in>` (the value contains
//! the text), `<all-in>` (it has all of these words), `<or>` (it is one of these). Without one, the
//! texts are equal.

/// Does `value` satisfy `wanted`?
pub(crate) fn satisfies(value: &str, wanted: &str) -> bool {
    let mut words = wanted.split_whitespace();
    let Some(first) = words.next() else { return value.is_empty() };
    let rest = words.next();
    let number = |compare: fn(f64, f64) -> bool| match (value.trim().parse(), rest.and_then(|text| text.parse().ok())) {
        (Ok(value), Some(wanted)) => compare(value, wanted),
        _ => false,
    };
    let text = |compare: fn(&str, &str) -> bool| rest.is_some_and(|wanted| compare(value, wanted));
    match first {
        "=" | ">=" => number(|value, wanted| value >= wanted),
        "==" => number(|value, wanted| value == wanted),
        "!=" => number(|value, wanted| value != wanted),
        "<=" => number(|value, wanted| value <= wanted),
        "s==" => text(|value, wanted| value == wanted),
        "s!=" => text(|value, wanted| value != wanted),
        "s>=" => text(|value, wanted| value >= wanted),
        "s>" => text(|value, wanted| value > wanted),
        "s<=" => text(|value, wanted| value <= wanted),
        "s<" => text(|value, wanted| value < wanted),
        "<in>" => text(|value, wanted| value.contains(wanted)),
        "<all-in>" => rest.into_iter().chain(words).all(|wanted| value.contains(wanted)),
        "<or>" => wanted.split("<or>").map(str::trim).any(|wanted| !wanted.is_empty() && wanted == value),
        _ => value == wanted.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::satisfies;

    #[test]
    fn operators_mean_what_nova_means() {
        for (value, wanted) in [
            ("1", "1"),
            ("", ""),
            ("123", "= 123"),
            ("124", "= 123"),
            ("123", "== 123"),
            ("12.0", "== 12"),
            ("124", "!= 123"),
            ("124", ">= 123"),
            ("122", "<= 123"),
            ("2", "s== 2"),
            ("3", "s!= 2"),
            ("b", "s> a"),
            ("a", "s>= a"),
            ("a", "s< b"),
            ("12311321", "<in> 11"),
            ("aes mmx aux", "<all-in> aes mmx"),
            ("12", "<or> 11 <or> 12"),
            ("ssd disk", "ssd disk"),
        ] {
            assert!(satisfies(value, wanted), "{value} {wanted}");
        }
        for (value, wanted) in [
            ("", "1"),
            ("3", "1"),
            ("122", "= 123"),
            ("124", "== 123"),
            ("123", "!= 123"),
            ("x", ">= 1"),
            ("1", ">="),
            ("234", "s!= 234"),
            ("aes mmx", "<all-in> aes txt"),
            ("13", "<or> 11 <or> 12"),
            ("1", "<or> 11 <or> 12"),
            ("12310321", "<in> 11"),
        ] {
            assert!(!satisfies(value, wanted), "{value} {wanted}");
        }
    }
}
