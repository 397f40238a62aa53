//! `haltbench plugin new`: writes a crate with a working example.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::template::{File, Kind};
use crate::failure::Failure;
use crate::output;
use crate::{catalogue, sources};

/// Longest name of a plugin, in letters.
const LONGEST: usize = 40;

/// Write a crate with a working policy, task or backbone
///
/// The crate has a Cargo.toml, one source file with a documented example and its test, a README, and a suite file that
/// runs it. It is called haltbench_KIND_NAME and also fits into the suite's workspace.
#[derive(Debug, clap::Args)]
pub struct NewArguments {
    /// Name in suite files: lower-case words of letters and digits, joined by hyphens
    name: String,
    /// What to write
    #[arg(long)]
    kind: Kind,
    /// Folder to write, which must not exist; by default NAME in the present folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Writes the crate.
///
/// # Errors
/// If the name is not allowed or taken, or the folder exists or cannot be written.
pub fn run(arguments: &NewArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let NewArguments { name, kind, dir } = arguments;
    admit(name)?;
    let catalogue = catalogue::load(&sources::prepare(plugins)?)?;
    if let Ok(taken) = catalogue.find(kind.family(), name) {
        let message = format!("{name}: expected a new name, found a {} of {}", kind.family(), taken.provider);
        return Err(Failure::usage(message));
    }
    let folder = dir.clone().unwrap_or_else(|| PathBuf::from(name));
    create(&folder)?;
    let mut lines = String::new();
    for File { path, text } in kind.files(name) {
        let file = folder.join(path);
        let write = || {
            fs::create_dir_all(file.parent().unwrap_or(&folder))?;
            fs::write(&file, text)
        };
        write().map_err(|error| Failure::usage(format!("{}: cannot be written: {error}", file.display())))?;
        lines += &format!("{}\n", file.display());
    }
    output::print(&format!("{lines}next: haltbench plugin check {}\n", folder.display()))?;
    Ok(0)
}

/// Creates the folder, which must be new.
fn create(folder: &Path) -> Result<(), Failure> {
    let above = folder.parent().filter(|above| *above != Path::new("")).unwrap_or(Path::new("."));
    if !above.is_dir() {
        let message =
            format!("{}: expected a new folder, but there is no folder {}", folder.display(), above.display());
        return Err(Failure::usage(message));
    }
    fs::create_dir(folder).map_err(|error| {
        let place = folder.display();
        match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::usage(format!("{place}: expected a new folder, found one that exists; --dir names another"))
            }
            _ => Failure::usage(format!("{place}: cannot be created: {error}")),
        }
    })
}

/// Refuses a name that is not in kebab-case, and offers one that is.
fn admit(name: &str) -> Result<(), Failure> {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let is_word = |word: &str| !word.is_empty() && word.chars().all(is_letter);
    if name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(is_word)
        && name.len() <= LONGEST
    {
        return Ok(());
    }
    let words: Vec<String> = name
        .to_lowercase()
        .split(|letter: char| !is_letter(letter))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let near = words.join("-");
    let is_usable = near != name && near.len() <= LONGEST && near.starts_with(|first: char| first.is_ascii_lowercase());
    let near = if is_usable { format!("; did you mean `{near}`?") } else { String::new() };
    Err(Failure::usage(format!(
        "name of the plugin: expected at most {LONGEST} lower-case letters and digits in words joined by hyphens, such as \
         my-policy, found `{}`{near}",
        name.escape_default()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_kebab_case() {
        for name in ["still", "my-policy", "exit-2"] {
            assert!(admit(name).is_ok(), "{name}");
        }
        for name in ["", "My-Policy", "my_policy", "2nd", "a--b", "-a", "a/b", "../a", "é", &"a".repeat(41)] {
            assert!(admit(name).is_err(), "{name}");
        }
    }
}
