//! The arguments of `dufs`, as far as they matter here.

use std::ffi::OsString;
use std::path::Path;

/// The port without `--port`.
const DEFAULT_PORT: u16 = 5000;

/// Arguments that are not understood, or that would reach beyond the volume.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFlag {
    /// Not one of `dufs`, or one that names files of the image.
    #[error("the file server of a simulated cluster does not know {0}")]
    Unknown(String),
    /// A flag without what it needs.
    #[error("{0} needs a value")]
    Valueless(String),
    /// A port that is none.
    #[error("{0:?} is not a port")]
    Port(String),
}

/// What a server is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    /// The path in the container that is served.
    pub(crate) path: String,
    /// The port in the pod.
    pub(crate) port: u16,
    /// What the paths of its URLs begin with; empty, or `/` and names.
    pub(crate) prefix: String,
    /// Files may be written where none are.
    pub(crate) upload: bool,
    /// Files may be deleted and overwritten.
    pub(crate) delete: bool,
    search: bool,
    archive: bool,
    /// What is passed on as it is.
    rest: Vec<String>,
}

impl Flags {
    /// Reads the arguments of a container.
    pub(crate) fn read(arguments: &[String]) -> Result<Self, BadFlag> {
        let mut flags = Self {
            path: ".".to_owned(),
            port: DEFAULT_PORT,
            prefix: String::new(),
            upload: false,
            delete: false,
            search: false,
            archive: false,
            rest: Vec::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let (name, glued) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            let mut value = || glued.clone().or_else(|| arguments.next().cloned());
            let mut needed = || value().ok_or_else(|| BadFlag::Valueless(name.to_owned()));
            match name {
                // It is reached by its socket only.
                "-b" | "--bind" => drop(needed()?),
                "-p" | "--port" => {
                    let port = needed()?;
                    flags.port = port.parse().ok().filter(|port| *port > 0).ok_or(BadFlag::Port(port))?;
                }
                "--path-prefix" => {
                    let prefix = needed()?;
                    let names = prefix.trim_matches('/');
                    flags.prefix = if names.is_empty() { String::new() } else { format!("/{names}") };
                }
                // All but to follow symbolic links out of the volume: here they would lead to the files of this machine.
                "-A" | "--allow-all" => {
                    (flags.upload, flags.delete, flags.search, flags.archive) = (true, true, true, true);
                }
                "--allow-upload" => flags.upload = true,
                "--allow-delete" => flags.delete = true,
                "--allow-search" => flags.search = true,
                "--allow-archive" => flags.archive = true,
                "--allow-hash" | "--enable-cors" | "--render-index" | "--render-try-index" | "--render-spa" => {
                    flags.rest.push(name.to_owned());
                }
                "--hidden" | "--compress" | "--log-format" => {
                    let value = needed()?;
                    flags.rest.extend([name.to_owned(), value]);
                }
                _ if argument.starts_with('-') => return Err(BadFlag::Unknown(name.to_owned())),
                _ => flags.path.clone_from(argument),
            }
        }
        Ok(flags)
    }

    /// The same on a volume that cannot be written.
    pub(crate) fn read_only(self) -> Self {
        Self { upload: false, delete: false, ..self }
    }

    /// The arguments with which `dufs` does this on `folder` and answers on `socket`.
    pub(super) fn arguments(&self, folder: &Path, socket: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![folder.into(), "--bind".into(), socket.into()];
        if !self.prefix.is_empty() {
            arguments.extend(["--path-prefix".into(), self.prefix.clone().into()]);
        }
        let allowed = [
            (self.upload, "--allow-upload"),
            (self.delete, "--allow-delete"),
            (self.search, "--allow-search"),
            (self.archive, "--allow-archive"),
        ];
        arguments.extend(allowed.into_iter().filter(|(allowed, _)| *allowed).map(|(_, flag)| flag.into()));
        arguments.extend(self.rest.iter().map(Into::into));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Flags, BadFlag> {
        Flags::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn passed_on(line: &str) -> String {
        let arguments = read(line).unwrap().arguments(Path::new("/volume"), Path::new("/socket"));
        arguments.join(OsStr::new(" ")).into_string().unwrap()
    }

    use std::ffi::OsStr;

    #[test]
    fn the_folder_and_the_socket_take_the_place_of_path_and_port() {
        let line = "/data --bind 127.0.0.1 --port 5001 --path-prefix /files/abc --allow-upload --compress low";
        let flags = read(line).unwrap();
        assert_eq!((flags.path.as_str(), flags.port, flags.prefix.as_str()), ("/data", 5001, "/files/abc"));
        insta::assert_snapshot!(passed_on(line), @"/volume --bind /socket --path-prefix /files/abc --allow-upload --compress low");
    }

    #[test]
    fn a_volume_that_cannot_be_written_is_served_without_writing() {
        let flags = read("/data --allow-all").unwrap().read_only();
        let arguments = flags.arguments(Path::new("/volume"), Path::new("/socket"));
        assert_eq!(arguments.join(OsStr::new(" ")), "/volume --bind /socket --allow-search --allow-archive");
    }

    #[test]
    fn links_out_of_the_volume_are_never_followed() {
        insta::assert_snapshot!(passed_on("/data -A"), @"/volume --bind /socket --allow-upload --allow-delete --allow-search --allow-archive");
        insta::assert_snapshot!(read("/data --allow-symlink").unwrap_err(), @"the file server of a simulated cluster does not know --allow-symlink");
    }

    #[test]
    fn what_is_no_flag_is_refused() {
        insta::assert_snapshot!(read("/data --log-file=/tmp/log").unwrap_err(), @"the file server of a simulated cluster does not know --log-file");
        insta::assert_snapshot!(read("/data --port").unwrap_err(), @"--port needs a value");
        insta::assert_snapshot!(read("/data --port 0").unwrap_err(), @r#""0" is not a port"#);
    }
}
