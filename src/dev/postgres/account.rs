//! The account that PostgreSQL runs under if the current user is root, under which it refuses to run.

use std::{
    io,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

use super::PostgresError;

const PASSWD: &str = "/etc/passwd";
/// In order of preference: PostgreSQL's own account, then the one that owns nothing.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The account to run the server under: `None` for the current one, unless it is root.
pub(super) fn unprivileged() -> Result<Option<Account>, PostgresError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string(PASSWD).map_err(PostgresError::io(Path::new(PASSWD)))?;
    pick(&passwd).map(Some).ok_or(PostgresError::NoAccount)
}

fn pick(passwd: &str) -> Option<Account> {
    let account = |wanted: &str| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            let account = Account { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
            (name == wanted && account.uid != 0).then_some(account)
        })
    };
    CANDIDATES.iter().find_map(|name| account(name))
}

impl Account {
    /// Makes `command` run under this account, without any of our groups.
    pub(super) fn run(self, command: &mut Command) {
        // If the caller is root, the standard library clears the supplementary groups before it sets the uid.
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives `path` to this account.
    pub(super) fn own(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_is_preferred_to_nobody() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n\
                      nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
                      postgres:x:101:104::/var/lib/postgresql:/bin/bash\n";
        assert_eq!(pick(passwd), Some(Account { uid: 101, gid: 104 }));
    }

    #[test]
    fn nobody_will_do() {
        assert_eq!(pick("nobody:x:65534:65534::/:/bin/false"), Some(Account { uid: 65534, gid: 65534 }));
    }

    #[test]
    fn an_account_that_is_root_by_another_name_is_not_taken() {
        assert_eq!(pick("postgres:x:0:0::/:/bin/sh\nbroken line\n"), None);
    }
}
