//! The program `cuttle`: reads the command line, runs it, and turns what came of it into an exit code.

use std::process::ExitCode;

use clap::Parser;
use cuttle_cli::arguments::Arguments;

fn main() -> ExitCode {
    match cuttle_cli::run(Arguments::parse()) {
        Ok(done) => ExitCode::from(done.code()),
        Err(error) => {
            eprintln!("cuttle: {}", error.explained());
            ExitCode::from(error.exit_code())
        }
    }
}
