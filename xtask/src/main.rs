//! `cargo xtask dist`: lays out the program, the shared library, the plugins and the licences in a folder that runs
//! without cargo, wherever it lies.

mod cargo;
mod dist;
mod files;
mod licences;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask dist [--out DIR]

Builds the program and lays it out in DIR (by default target/dist/haltbench-VERSION-TARGET), which must not exist. The
folder can be moved and needs neither cargo nor this repository; `bin/haltbench` is the program. To compile plugins
against it, the machine needs the compiler that it was built with.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let out = match words[..] {
        ["dist"] => None,
        ["dist", "--out", folder] => Some(PathBuf::from(folder)),
        ["--help" | "-h"] | ["dist", "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("error: expected `dist [--out DIR]`, found `{}`\n{USAGE}", words.join(" "));
            return ExitCode::from(2);
        }
    };
    match dist::lay_out(out) {
        Ok(folder) => {
            println!("{}", folder.display());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
