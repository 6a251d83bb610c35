//! Where the password of a new administrator comes from: a file, the environment or the terminal. Never from an
//! argument, which every process on the machine can read.

use std::{
    fs::File,
    io::{BufRead, BufReader, IsTerminal, Stdin, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use secrecy::SecretString;

/// No valid password is longer, so a longer file was probably given by mistake.
const LONGEST_LINE: u64 = 4096;

/// The password: from `file`, otherwise from the environment, otherwise from a prompt.
pub(super) fn read(file: Option<PathBuf>, environment: Option<SecretString>) -> anyhow::Result<SecretString> {
    match (file, environment) {
        (Some(path), _) => from_file(&path).with_context(|| format!("--password-file {}", path.display())),
        (None, Some(password)) => Ok(password),
        (None, None) => from_stdin(&std::io::stdin()),
    }
}

fn from_file(path: &Path) -> anyhow::Result<SecretString> {
    first_line(BufReader::new(File::open(path)?))
}

/// Prompts on a terminal, without echoing the input; otherwise reads the first line of stdin.
fn from_stdin(stdin: &Stdin) -> anyhow::Result<SecretString> {
    if !stdin.is_terminal() {
        return first_line(stdin.lock());
    }
    eprint!("Password: ");
    std::io::stderr().flush()?;
    let shown = tcgetattr(stdin)?;
    let mut hidden = shown.clone();
    hidden.local_modes -= LocalModes::ECHO;
    tcsetattr(stdin, OptionalActions::Flush, &hidden)?;
    let password = first_line(stdin.lock());
    tcsetattr(stdin, OptionalActions::Flush, &shown)?;
    eprintln!();
    password
}

fn first_line(source: impl BufRead) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    source.take(LONGEST_LINE).read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!password.is_empty(), "no password was given");
    Ok(SecretString::from(password))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_password_is_the_first_line_with_its_spaces() {
        let read = |text: &str| first_line(text.as_bytes()).map(|password| password.expose_secret().to_owned());
        assert_eq!(read("  correct horse \r\nnot this\n").unwrap(), "  correct horse ");
        assert_eq!(read("\n").unwrap_err().to_string(), "no password was given");
    }

    #[test]
    fn the_file_wins_over_the_environment() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from the file\n").unwrap();
        let password = read(Some(file.path().to_owned()), Some("from the environment".into())).unwrap();
        assert_eq!(password.expose_secret(), "from the file");
    }
}
