//! What a development environment prints when everything is running: a banner for people, a file for programs.

use std::{fmt, io::Write, net::SocketAddr, path::Path};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::dev::seed::SeededUser;

/// Everything that is running, and how to reach it: the content of `--ready-file`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ready {
    /// GraphQL over HTTP.
    pub(super) graphql_url: String,
    /// GraphQL over WebSocket.
    pub(super) ws_url: String,
    /// The page to open.
    pub(super) playground_url: String,
    /// The private database.
    pub(super) database_url: String,
    /// For `kubectl`.
    pub(super) kubeconfig: String,
    /// The accounts to log in with.
    pub(super) users: Vec<SeededUser>,
}

impl Ready {
    /// What is running when the server listens on `address`.
    pub(super) fn new(address: SocketAddr, database_url: String, kubeconfig: &Path, users: Vec<SeededUser>) -> Self {
        let port = address.port();
        Self {
            graphql_url: format!("http://localhost:{port}/graphql"),
            ws_url: format!("ws://localhost:{port}/graphql"),
            playground_url: format!("http://localhost:{port}/"),
            database_url,
            kubeconfig: kubeconfig.display().to_string(),
            users,
        }
    }

    /// Writes the file atomically, so that readers never see half of it. It contains passwords, so only this user can
    /// read it.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.persist(path)?;
        Ok(())
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  Platform is up. Open {}\n", self.playground_url)?;
        for SeededUser { username, password, role } in &self.users {
            writeln!(f, "  log in as   {username:<12} {password:<20} {role}")?;
        }
        writeln!(f, "  GraphQL     {}  (WebSocket {})", self.graphql_url, self.ws_url)?;
        writeln!(f, "  cluster     export KUBECONFIG={}", self.kubeconfig)?;
        writeln!(f, "  database    psql '{}'", self.database_url)?;
        write!(f, "\n  Press Ctrl-C to stop.\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Ready {
        let admin = SeededUser { username: "admin", password: "admin-password", role: "platform admin" };
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        Ready::new(address, "postgres://p:x@127.0.0.1:1/platform".to_owned(), Path::new("/d/kubeconfig"), vec![admin])
    }

    #[test]
    fn the_file_is_json_that_tests_and_scripts_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        ready().write(&path).unwrap();
        insta::assert_snapshot!(std::fs::read_to_string(path).unwrap(), @r#"
        {
          "graphqlUrl": "http://localhost:8080/graphql",
          "wsUrl": "ws://localhost:8080/graphql",
          "playgroundUrl": "http://localhost:8080/",
          "databaseUrl": "postgres://p:x@127.0.0.1:1/platform",
          "kubeconfig": "/d/kubeconfig",
          "users": [
            {
              "username": "admin",
              "password": "admin-password",
              "role": "platform admin"
            }
          ]
        }
        "#);
    }

    #[test]
    fn the_banner_says_what_to_open_and_who_to_be() {
        insta::assert_snapshot!(ready().to_string(), @r"
          Platform is up. Open http://localhost:8080/

          log in as   admin        admin-password       platform admin
          GraphQL     http://localhost:8080/graphql  (WebSocket ws://localhost:8080/graphql)
          cluster     export KUBECONFIG=/d/kubeconfig
          database    psql 'postgres://p:x@127.0.0.1:1/platform'

          Press Ctrl-C to stop.
        ");
    }
}
