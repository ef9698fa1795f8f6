//! `cuttle completions`: a script that completes commands and options.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::{Done, Error, output};

pub fn run(shell: Shell) -> Result<Done, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "cuttle", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Done::Well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
