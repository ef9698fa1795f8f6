//! Compares our declarations (`src/sys/raw.rs`) with the installed headers, by having the C compiler do it.
//!
//! Each function is declared again, in C, as Rust declares it: a differing signature does not compile. Sizes, offsets and
//! constants become static assertions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write;
use std::process::Command;

const RAW: &str = include_str!("../src/sys/raw.rs");

/// `*const *mut T` in Rust is `T * const *` in C, read from the inside.
fn c_type(rust: &str) -> String {
    let rust = rust.trim();
    if let Some(inner) = rust.strip_prefix("*mut ") {
        return format!("{} *", c_type(inner));
    }
    if let Some(inner) = rust.strip_prefix("*const ") {
        return format!("{} const *", c_type(inner));
    }
    let name = rust.strip_prefix("::core::ffi::").unwrap_or(rust);
    match name {
        "c_void" => "void",
        "c_char" => "char",
        "c_uchar" => "unsigned char",
        "c_int" => "int",
        "c_uint" => "unsigned int",
        "c_long" => "long",
        "c_ulong" => "unsigned long",
        "f32" => "float",
        "f64" => "double",
        "u8" => "uint8_t",
        "u16" => "uint16_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "i32" => "int32_t",
        "i64" => "int64_t",
        "usize" => "size_t",
        "isize" => "ssize_t",
        "iovec" | "timespec" | "timeval" | "notify_ack_t" | "notify_timeout_t" | "rados_pool_stat_t" => {
            return format!("struct {name}");
        }
        other => other,
    }
    .to_owned()
}

/// The statements of raw.rs, one per line whatever its formatting.
fn statements() -> Vec<String> {
    let joined = RAW.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.split(';').map(|statement| statement.trim().to_owned()).collect()
}

/// The arguments of a signature, at commas outside of brackets. Arrows were replaced, so `>` is always a bracket.
fn arguments(list: &str) -> Vec<String> {
    let (mut depth, mut found, mut current) = (0, Vec::new(), String::new());
    for character in list.chars() {
        match character {
            '(' | '<' => depth += 1,
            ')' | '>' => depth -= 1,
            ',' if depth == 0 => {
                found.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        current.push(character);
    }
    found.push(current);
    found.iter().filter_map(|argument| argument.split_once(": ")).map(|(_, rust)| argument_type(rust)).collect()
}

fn argument_type(rust: &str) -> String {
    let function = rust.trim().replace("< ", "<");
    let function = function.strip_prefix("::core::option::Option<unsafe extern \"C\" fn");
    let Some(function) = function else { return c_type(rust) };
    let (list, result) = function.trim_end_matches(['>', ',', ' ']).rsplit_once(')').expect("a function pointer has arguments");
    let result = result.trim().strip_prefix('→').map_or_else(|| "void".to_owned(), c_type);
    format!("{result} (*)({})", arguments(list.trim_start_matches('(')).join(", "))
}

fn declaration(statement: &str) -> Option<String> {
    let (_, function) = statement.split_once("pub fn ")?;
    let function = function.replace("->", "→");
    let (name, rest) = function.split_once('(')?;
    let (list, result) = rest.rsplit_once(')').filter(|(_, result)| !result.contains('>'))?;
    let list = arguments(list);
    let list = if list.is_empty() { "void".to_owned() } else { list.join(", ") };
    let result = result.trim().strip_prefix('→').map_or_else(|| "void".to_owned(), c_type);
    Some(format!("{result} {name}({list});"))
}

/// `["Size of x"][::core::mem::size_of::<x>() - 24usize]` and its like for offsets, as bindgen writes them.
fn layout(statement: &str) -> Option<String> {
    let (_, assertion) = statement.split_once("::core::mem::")?;
    let (expression, number) = assertion.rsplit_once(" - ")?;
    let number = number.trim_end_matches("usize]");
    let is_struct = |name: &str| ["notify_ack_t", "notify_timeout_t", "rados_pool_stat_t"].contains(&name);
    let tag = |name: &str| if is_struct(name) { format!("struct {name}") } else { name.to_owned() };
    let expression = if let Some(name) = expression.strip_prefix("size_of::<") {
        format!("sizeof({})", tag(name.trim_end_matches(">()")))
    } else if let Some(name) = expression.strip_prefix("align_of::<") {
        format!("_Alignof({})", tag(name.trim_end_matches(">()")))
    } else {
        let (name, field) = expression.strip_prefix("offset_of!(")?.trim_end_matches(')').split_once(", ")?;
        format!("offsetof({}, {field})", tag(name))
    };
    Some(format!("_Static_assert({expression} == {number}, \"layout\");"))
}

fn constant(statement: &str) -> Option<String> {
    let (_, rest) = statement.split_once("pub const ")?;
    let (name, rest) = rest.split_once(':')?;
    let (_, value) = rest.split_once('=')?;
    let value: i64 = value.trim().parse().ok()?;
    Some(format!("_Static_assert({name} == {value}, \"constant\");"))
}

fn compile(source: &str) -> Result<(), String> {
    let thread = std::thread::current().id();
    let directory = std::env::temp_dir().join(format!("cuttle-header-check-{}-{thread:?}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("check.c");
    std::fs::write(&file, source).unwrap();
    let compiled = Command::new("cc")
        .args(["-std=c11", "-D_GNU_SOURCE", "-Wno-deprecated-declarations", "-fsyntax-only"])
        .arg(&file)
        .output();
    std::fs::remove_dir_all(&directory).unwrap();
    let compiled = compiled.expect("a C compiler (cc) is needed to compare with the headers");
    if compiled.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&compiled.stderr).into_owned()) }
}

fn program() -> (String, [usize; 3]) {
    let mut source =
        String::from("#include <stddef.h>\n#include <sys/types.h>\n#include <rados/librados.h>\n#include <rbd/librbd.h>\n");
    let mut counts = [0; 3];
    for statement in statements() {
        for (kind, line) in [declaration(&statement), layout(&statement), constant(&statement)].into_iter().enumerate() {
            if let Some(line) = line {
                writeln!(source, "{line}").unwrap();
                counts[kind] += 1;
            }
        }
    }
    (source, counts)
}

#[test]
fn declarations_match_the_installed_headers() {
    let (source, [functions, layouts, constants]) = program();
    // What is not understood here would not be compared.
    let declared = |word: &str| RAW.matches(word).count();
    assert_eq!(
        (functions, layouts, constants),
        // Constants of texts are not used.
        (declared("pub fn "), declared("::core::mem::"), declared("pub const ") - declared(": &[u8; ")),
        "functions, layouts and constants that were read, and those that raw.rs has"
    );
    assert!(functions > 150 && layouts > 50 && constants > 50, "only {functions}, {layouts}, {constants} were read");
    if let Err(errors) = compile(&source) {
        panic!("raw.rs does not match the installed headers:\n{errors}");
    }
}

#[test]
fn a_difference_is_noticed() {
    let (source, _) = program();
    for (right, wrong) in [
        ("int rbd_get_size(rbd_image_t, uint64_t *);", "int rbd_get_size(rbd_image_t, uint32_t *);"),
        ("int (*)(uint64_t, size_t, int, void *)", "int (*)(uint64_t, int, int, void *)"),
        ("_Static_assert(sizeof(rbd_image_watcher_t) == 24", "_Static_assert(sizeof(rbd_image_watcher_t) == 16"),
        ("_Static_assert(RBD_IMAGE_OPTION_CLONE_FORMAT == 12", "_Static_assert(RBD_IMAGE_OPTION_CLONE_FORMAT == 11"),
    ] {
        let changed = source.replace(right, wrong);
        assert_ne!(changed, source, "{right} is not in the program");
        assert!(compile(&changed).is_err(), "{wrong} was not noticed");
    }
}
