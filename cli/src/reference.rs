//! The command reference in `docs/cli.md`, made from the command line itself: a test compares the two.

use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::arguments::Arguments;

/// Every command with what it takes, as Markdown.
fn reference() -> String {
    let mut program = Arguments::command();
    program.build();
    let mut text = String::from("\n### Options of every command\n\n");
    let everywhere: Vec<&Arg> = program.get_arguments().filter(|argument| argument.is_global_set()).collect();
    text += &table(&everywhere);
    add(&mut text, &program, "cuttle");
    text + "\n"
}

fn add(text: &mut String, command: &Command, path: &str) {
    for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
        let path = format!("{path} {}", child.get_name());
        if child.has_subcommands() {
            *text += &format!("\n### {path}\n\n{}\n", about(child));
            add(text, child, &path);
            continue;
        }
        let taken: Vec<&Arg> =
            child.get_arguments().filter(|argument| !argument.is_global_set() && argument.get_id() != "help").collect();
        let values: String =
            taken.iter().filter(|argument| argument.is_positional()).map(|argument| positional(argument)).collect();
        *text += &format!("\n#### `{path}{values}`\n\n{}\n", about(child));
        if !taken.is_empty() {
            *text += &format!("\n{}", table(&taken));
        }
    }
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default() + "."
}

fn positional(argument: &Arg) -> String {
    let name = value_name(argument);
    if argument.is_required_set() { format!(" {name}") } else { format!(" [{name}]") }
}

fn value_name(argument: &Arg) -> String {
    argument.get_value_names().and_then(<[_]>::first).map_or_else(|| argument.get_id().to_string(), ToString::to_string)
}

fn table(arguments: &[&Arg]) -> String {
    let row = |argument: &&Arg| {
        let name = match argument.get_long() {
            None => value_name(argument),
            Some(long) if matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) => {
                format!("--{long} {}", value_name(argument))
            }
            Some(long) => format!("--{long}"),
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let default: Vec<String> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        let flag = argument.get_action().takes_values();
        let default = if default.is_empty() || !flag { String::new() } else { format!(" (default: {})", default.join(", ")) };
        format!("| `{name}` | {help}{default} |\n")
    };
    format!("| | |\n|---|---|\n{}", arguments.iter().map(row).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "<!-- generated: commands -->\n";
    const END: &str = "<!-- end of generated -->\n";

    #[test]
    fn documented_commands_are_those_that_exist() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once(BEGIN).expect("the mark where the reference begins");
        let (_, after) = rest.split_once(END).expect("the mark where it ends");
        let expected = format!("{before}{BEGIN}{}{END}{after}", reference());
        if std::env::var_os("CUTTLE_GENERATE").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected, "docs/cli.md is out of date: CUTTLE_GENERATE=1");
    }
}
