//! What is printed: tables of words, blocks of fields, JSON.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::Error;

/// Writes to the standard output. Whoever reads only the first lines (`head`) is no failure.
pub fn print(text: &str) -> Result<(), Error> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Error::Output),
    }
}

/// Pretty JSON with a line's end.
pub fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Columns under their names, without lines between them, so that `grep` and `awk` work.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    lines(&table)
}

/// A name and a value on each line.
pub fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for (name, value) in pairs {
        table.add_row([name.to_owned(), plain(&value)]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    lines(&table)
}

fn lines(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Without what a terminal would obey: names and reasons come from users.
pub fn plain(text: &str) -> String {
    let shown: String = text.chars().filter(|character| !character.is_control()).collect();
    if shown.is_empty() { "-".to_owned() } else { shown }
}

/// `6144` MiB as `6.0 GiB`.
pub fn mebibytes(mib: u64) -> String {
    match mib {
        0..=1023 => format!("{mib} MiB"),
        // Exact enough to be read; what is compared is in the JSON.
        _ => format!("{}.{} GiB", mib / 1024, mib % 1024 * 10 / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_plain() {
        let rows = [["a".to_owned(), "x\u{1b}[31my".to_owned()], ["longer".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "VALUE"], rows), "NAME    VALUE\na       x[31my\nlonger  -\n");
        assert_eq!(fields([("name", "a".to_owned()), ("id", "5".to_owned())]), "name  a\nid    5\n");
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(mebibytes(512), "512 MiB");
        assert_eq!(mebibytes(6144), "6.0 GiB");
        assert_eq!(mebibytes(1536), "1.5 GiB");
    }
}
