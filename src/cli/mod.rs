//! The command line: one binary, each role and chore a subcommand.
//!
//! Exit codes: 0 when all went well, 1 when the work failed, 2 when what was asked for cannot be understood.

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
    /// Serve the API; reads its settings from the environment and .env
    Serve(Box<ServeSettings>),
    /// Run all of it here: a private database, a cluster, demo data and the API
    #[cfg(feature = "embedded")]
    Dev(dev::DevArgs),
    /// Bring the database's schema up to date
    Migrate(MigrateArgs),
    /// Print the GraphQL schema
    Schema,
    /// Print the custom resource definitions that the cluster needs
    Crds,
    /// Look after administrators
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Run the embedded PostgreSQL alone and print its URL, until told to stop
    #[cfg(feature = "embedded")]
    #[command(hide = true)]
    DevPostgres(DevPostgresArgs),
    /// Print the version
    Version,
}

#[cfg(feature = "embedded")]
#[derive(Debug, Args)]
struct DevPostgresArgs {
    /// Folder that keeps the data; without one the data goes when the server stops
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
    /// Create an administrator; the password is asked for, or read from a file or PLATFORM_ADMIN_PASSWORD
    Create(AdminCreateArgs),
}

#[derive(Debug, Args)]
struct AdminCreateArgs {
    /// Name to log in with
    #[arg(long)]
    username: String,
    /// E-mail address
    #[arg(long)]
    email: Option<String>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The password, where there is neither a file nor a terminal
    #[arg(long, env = "PLATFORM_ADMIN_PASSWORD", hide_env_values = true, value_name = "SECRET")]
    password: Option<SecretString>,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    passwords: PasswordSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// Runs the process: `.env`, command line, settings, then the work.
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

/// Why the process stops before it has begun.
#[derive(Debug)]
enum Stop {
    Shown(String),
    Unusable(String),
}

/// Reads `.env` of the current folder, if there is one. What the environment already has stays.
fn read_dotenv() -> Result<(), Stop> {
    match dotenvy::from_path(".env") {
        Ok(()) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The error quotes the line, which may hold a secret.
        Err(dotenvy::Error::LineParse(..)) => {
            Err(Stop::Unusable(".env has a line that is not NAME=value; values with spaces need quotes".to_owned()))
        }
        Err(error) => Err(Stop::Unusable(format!(".env cannot be read: {error}"))),
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

/// Everyone on the machine can read a process's arguments, so secrets come by the environment only.
fn refuse_secrets_in_arguments(command: &clap::Command, matches: &ArgMatches) -> Result<(), Stop> {
    let given = |argument: &&clap::Arg| {
        argument.is_hide_env_values_set()
            && matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    if let Some(argument) = command.get_arguments().find(given) {
        let variable = argument.get_env().unwrap_or_default().to_string_lossy().into_owned();
        return Err(Stop::Unusable(format!(
            "{variable} was given as an argument, which every process on this machine can read; it may be set in the environment or in .env"
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
                block_on(async { dev::run(arguments, stop_on_signals()?).await })
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

/// Stops when the process is asked to stop: Ctrl-C, or SIGTERM as Kubernetes and systemd send it.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = stop.clone();
    // It lives as long as the process: there is nothing to hand it back to.
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
        [] => println!("the schema is up to date"),
        applied => println!("applied: {}", applied.join(", ")),
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
