//! The command line: one binary with a subcommand for each role and task.
//!
//! Exit codes: 0 on success, 1 on failure, 2 if the arguments or settings are invalid.

#[cfg(feature = "embedded")]
mod dev;
mod log;
mod password;

use std::{path::PathBuf, process::ExitCode};

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, parser::ValueSource};

use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, App},
    config::{
        Config, ConfigError, DatabaseConfig, one_line,
        settings::{DatabaseSettings, LogSettings, PasswordSettings, ServeSettings},
    },
    db::{Db, migrations},
    tasks::Tasks,
    users::service::NewAdmin,
};

const UNUSABLE: u8 = 2;

/// A GraphQL API with live subscriptions for a Kubernetes compute platform.
#[derive(Debug, Parser)]
#[command(name = "platform", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API, configured by environment variables and .env
    Serve(Box<ServeSettings>),
    /// Run everything locally: a private database, a cluster, demo data and the API
    #[cfg(feature = "embedded")]
    Dev(Box<dev::DevArgs>),
    /// Run the database migrations
    Migrate(MigrateArgs),
    /// Print the GraphQL schema
    Schema,
    /// Print the custom resource definitions that the cluster needs
    Crds,
    /// Manage administrators
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Run only the embedded PostgreSQL, and print its URL
    #[cfg(feature = "embedded")]
    #[command(hide = true)]
    DevPostgres(DevPostgresArgs),
    /// Print the version
    Version,
}

#[cfg(feature = "embedded")]
#[derive(Debug, Args)]
struct DevPostgresArgs {
    /// Directory for the data; if omitted, the data is deleted when the server stops
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    log: LogSettings,
}

#[derive(Debug, Args)]
struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    log: LogSettings,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Create an administrator; prompts for the password, or reads it from a file or PLATFORM_ADMIN_PASSWORD
    Create(AdminCreateArgs),
}

#[derive(Debug, Args)]
struct AdminCreateArgs {
    /// Username
    #[arg(long)]
    username: String,
    /// Email address
    #[arg(long)]
    email: Option<String>,
    /// File that contains the password in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Password, if there is neither a file nor a terminal
    #[arg(long, env = "PLATFORM_ADMIN_PASSWORD", hide_env_values = true, value_name = "SECRET")]
    password: Option<SecretString>,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    passwords: PasswordSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// Runs the process: reads `.env`, the command line and the settings, then does the work.
#[must_use]
pub fn run() -> ExitCode {
    match read_dotenv().and_then(|()| parse(std::env::args_os())) {
        Ok(cli) => match cli.command.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("platform: {error:#}");
                let unusable = error.downcast_ref::<ConfigError>().is_some();
                if unusable { ExitCode::from(UNUSABLE) } else { ExitCode::FAILURE }
            }
        },
        Err(Stop::Shown(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(Stop::Unusable(line)) => {
            eprintln!("platform: {line}");
            ExitCode::from(UNUSABLE)
        }
    }
}

/// Why the process stops before it has started.
#[derive(Debug)]
enum Stop {
    Shown(String),
    Unusable(String),
}

/// Reads `.env` from the current directory, if it exists. Variables that are already set keep their value.
fn read_dotenv() -> Result<(), Stop> {
    match dotenvy::from_path(".env") {
        Ok(()) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The error quotes the line, which may contain a secret.
        Err(dotenvy::Error::LineParse(..)) => Err(Stop::Unusable(
            ".env contains a line that is not NAME=value; values with spaces must be quoted".to_owned(),
        )),
        Err(error) => Err(Stop::Unusable(format!("cannot read .env: {error}"))),
    }
}

fn parse(arguments: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>) -> Result<Cli, Stop> {
    let mut command = Cli::command();
    command.build();
    let stop = |error: clap::Error| match one_line(&command, &error) {
        Some(line) => Stop::Unusable(line),
        None => Stop::Shown(error.to_string()),
    };
    let mut matches = command.clone().try_get_matches_from(arguments).map_err(stop)?;
    refuse_secrets_in_arguments(&command, &matches)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(stop)
}

/// All users of the machine can read the arguments of a process, so secrets are only accepted from the environment.
fn refuse_secrets_in_arguments(command: &clap::Command, matches: &ArgMatches) -> Result<(), Stop> {
    let given = |argument: &&clap::Arg| {
        argument.is_hide_env_values_set()
            && matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    if let Some(argument) = command.get_arguments().find(given) {
        let variable = argument.get_env().unwrap_or_default().to_string_lossy().into_owned();
        return Err(Stop::Unusable(format!(
            "{variable} was given as an argument, which every process on this machine can read; set it in the environment or in .env instead"
        )));
    }
    match matches.subcommand() {
        Some((name, below)) => match command.find_subcommand(name) {
            Some(command) => refuse_secrets_in_arguments(command, below),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

impl Command {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Serve(settings) => {
                let config = Config::try_from(*settings)?;
                log::start(&config.log);
                block_on(serve(config))
            }
            #[cfg(feature = "embedded")]
            Self::Dev(arguments) => {
                log::start(&arguments.log());
                block_on(async { dev::run(*arguments, stop_on_signals()?).await })
            }
            Self::Migrate(arguments) => {
                log::start(&arguments.log.config());
                block_on(migrate(arguments.database.config()?))
            }
            Self::Schema => {
                print!("{}", crate::schema::sdl());
                Ok(())
            }
            Self::Crds => {
                print!("{}", crate::cluster::crd::all_as_yaml()?);
                Ok(())
            }
            Self::Admin(AdminCommand::Create(arguments)) => {
                log::start(&arguments.log.config());
                block_on(admin_create(arguments))
            }
            #[cfg(feature = "embedded")]
            Self::DevPostgres(arguments) => {
                log::start(&arguments.log.config());
                block_on(dev_postgres(arguments.data_dir))
            }
            Self::Version => {
                println!("platform {}", env!("CARGO_PKG_VERSION"));
                Ok(())
            }
        }
    }
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Cancelled when the process is asked to stop: by Ctrl-C, or by SIGTERM, which Kubernetes and systemd send.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = stop.clone();
    // It lives as long as the process, so nothing needs to own it.
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
    });
    Ok(stop)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let tasks = Tasks::default();
    let listener = tokio::net::TcpListener::bind(config.http.listen).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let starting = App::builder(config, &tasks).build();
    let app = tokio::select! {
        app = starting => app?,
        () = stop.cancelled() => return Ok(()),
    };
    app.serve(listener, stop).await
}

async fn admin_create(arguments: AdminCreateArgs) -> anyhow::Result<()> {
    let config = arguments.database.config()?;
    let password = password::read(arguments.password_file, arguments.password)?;
    let admin = NewAdmin { username: arguments.username, display_name: None, email: arguments.email, password };
    let id = app::admin_create(&config, arguments.passwords.bcrypt_cost, admin).await?;
    println!("{id}");
    Ok(())
}

async fn migrate(config: DatabaseConfig) -> anyhow::Result<()> {
    let db = Db::new(&config, &Tasks::default())?;
    let applied = migrations::run(&db).await?;
    match applied.as_slice() {
        [] => println!("the database is up to date"),
        applied => println!("applied migrations: {}", applied.join(", ")),
    }
    Ok(())
}

#[cfg(feature = "embedded")]
async fn dev_postgres(data_dir: Option<PathBuf>) -> anyhow::Result<()> {
    use crate::dev::postgres::{EmbeddedPostgres, Options};
    let stop = stop_on_signals()?;
    let postgres = EmbeddedPostgres::start(data_dir.map_or_else(Options::ephemeral, Options::kept)).await?;
    println!("{}", postgres.url());
    stop.cancelled().await;
    Ok(postgres.shutdown().await?)
}
