//! Configuration: every variable is listed, an invalid one prevents the start with one line, and a secret is never
//! shown.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use clap::CommandFactory;

const SECRET: &str = "Zq7-secret-0123456789-abcdefghijklmnop";

/// The `platform` binary with exactly these variables, in a folder without a `.env`.
fn platform(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_platform"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

/// What a start that must fail says, with its exit code.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = platform(arguments, variables);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    assert!(output.stdout.is_empty());
    format!("{}: {}", output.status.code().unwrap(), said.trim_end())
}

#[test]
fn a_missing_secret_is_named() {
    insta::assert_snapshot!(
        refusal(&["serve"], &[("DATABASE_URL", "postgres://u@h/d")]),
        @"2: platform: JWT_SECRET is not set; it must be a random text of at least 32 bytes, such as the output of: openssl rand -base64 48"
    );
}

#[test]
fn a_missing_database_is_named() {
    insta::assert_snapshot!(
        refusal(&["migrate"], &[]),
        @"2: platform: DATABASE_URL is not set; it must be postgres://USER:PASSWORD@HOST:PORT/NAME, or DB_HOST and the other DB_* settings must be set"
    );
    insta::assert_snapshot!(
        refusal(&["migrate"], &[("DB_HOST", "localhost"), ("DB_USER", "platform")]),
        @"2: platform: DB_NAME is not set; it must be the name of a database"
    );
}

#[test]
fn a_bad_number_is_shown_with_its_range() {
    insta::assert_snapshot!(
        refusal(&["serve"], &[("PORT", "eighty")]),
        @r#"2: platform: PORT was "eighty"; it must be a whole number from 0 to 65535"#
    );
    insta::assert_snapshot!(
        refusal(&["serve"], &[("BCRYPT_COST", "4")]),
        @r#"2: platform: BCRYPT_COST was "4"; it must be a whole number from 10 to 16"#
    );
    insta::assert_snapshot!(
        refusal(&["serve", "--db-pool-size", "0"], &[]),
        @r#"2: platform: DB_POOL_SIZE was "0"; it must be a whole number from 1 to 500"#
    );
    insta::assert_snapshot!(
        refusal(&["serve"], &[("SERVE_THREADS", "0")]),
        @r#"2: platform: SERVE_THREADS was "0"; it must be a whole number from 1 to 256"#
    );
}

#[test]
fn a_bad_word_is_shown_with_the_choices() {
    insta::assert_snapshot!(
        refusal(&["serve"], &[("EXECUTOR_MODE", "remote")]),
        @r#"2: platform: EXECUTOR_MODE was "remote"; it must be one of: scheduler, local"#
    );
    insta::assert_snapshot!(
        refusal(&["serve"], &[("PLAYGROUND", "maybe")]),
        @r#"2: platform: PLAYGROUND was "maybe"; it must be true or false (or on, off, yes, no, 1, 0)"#
    );
    insta::assert_snapshot!(
        refusal(&["serve"], &[("ALLOWED_ORIGINS", "example.com")]),
        @r#"2: platform: ALLOWED_ORIGINS was "example.com"; it must be a comma-separated list of origins such as https://app.example.com, or * for all"#
    );
    insta::assert_snapshot!(
        refusal(&["serve"], &[("JWT_SECRET", SECRET), ("COOKIE_SESSIONS", "true"), ("ALLOWED_ORIGINS", "*")]),
        @r#"2: platform: ALLOWED_ORIGINS was "*"; it must be empty or a list of origins when COOKIE_SESSIONS=true"#
    );
    insta::assert_snapshot!(
        refusal(&["serve"], &[("RUST_LOG", "a=b=c")]),
        @r#"2: platform: RUST_LOG was "a=b=c"; it must be a filter such as info or platform=debug,warn"#
    );
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let mode = [("JWT_SECRET", SECRET), ("DATABASE_URL", "postgres://u@h/d"), ("EXECUTOR_MODE", "scheduler")];
    insta::assert_snapshot!(
        refusal(&["serve"], &mode),
        @r#"2: platform: FLASH_SCHED_ENABLED was "false"; it must be true if EXECUTOR_MODE=scheduler"#
    );
}

#[test]
fn a_read_replica_is_refused_as_long_as_nothing_reads_from_it() {
    let variables = [
        ("JWT_SECRET", SECRET),
        ("DATABASE_URL", "postgres://u@h/d"),
        ("EXECUTOR_MODE", "scheduler"),
        ("FLASH_SCHED_ENABLED", "true"),
        ("DATABASE_REPLICA_URL", "postgres://u:hunter2@replica/d"),
    ];
    for command in ["serve", "migrate"] {
        insta::allow_duplicates!(insta::assert_snapshot!(
            refusal(&[command], &variables),
            @"2: platform: DATABASE_REPLICA_URL is set, but read replicas are not supported; it must be left unset"
        ));
    }
}

#[test]
fn the_limits_of_a_role_are_refused_by_name_value_and_what_is_allowed() {
    let refusal_of = |text| refusal(&["serve"], &[("LIMITS_ADMIN", text)]);
    insta::assert_snapshot!(refusal_of("max_dept=3"), @r#"2: platform: LIMITS_ADMIN was "max_dept=3"; it must be a list of known limits; "max_dept" is not one of: max_depth, max_cost, max_nodes, max_fields, max_aliases, max_directives, max_tokens, max_root_fields, max_page_size, max_list_items, max_answer_bytes, operation_timeout_seconds, max_operations, max_subscriptions, max_sockets_per_user, rate_limit_points_per_second, rate_limit_burst_points"#);
    insta::assert_snapshot!(refusal_of("max_depth=0"), @r#"2: platform: LIMITS_ADMIN was "max_depth=0"; it must be a list in which max_depth is a whole number from 1 to 1000, not "0""#);
    insta::assert_snapshot!(refusal_of("max_depth"), @r#"2: platform: LIMITS_ADMIN was "max_depth"; it must be a comma-separated list of NAME=NUMBER, such as max_depth=8,max_cost=500; "max_depth" is not in this form"#);
    let burst = [
        ("JWT_SECRET", SECRET),
        ("DATABASE_URL", "postgres://u@h/d"),
        ("EXECUTOR_MODE", "scheduler"),
        ("FLASH_SCHED_ENABLED", "true"),
        ("LIMITS_USER", "rate_limit_burst_points=10"),
    ];
    insta::assert_snapshot!(refusal(&["serve"], &burst), @r#"2: platform: LIMITS_USER allows a burst of 10 points, but a cost of 100000 per operation; it must be limits in which rate_limit_burst_points is at least max_cost"#);
    insta::assert_snapshot!(refusal(&["serve"], &[("INTROSPECTION", "me")]), @r#"2: platform: INTROSPECTION was "me"; it must be everyone, users, admins or nobody (or true for everyone, false for nobody)"#);
}

#[test]
fn a_file_of_trusted_documents_that_cannot_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.json");
    std::fs::write(&file, r#"{"a": "query {"}"#).unwrap();
    let start = |file: &str| {
        let variables = [
            ("JWT_SECRET", SECRET),
            ("DATABASE_URL", "postgres://u@127.0.0.1:1/d"),
            ("EXECUTOR_MODE", "scheduler"),
            ("FLASH_SCHED_ENABLED", "true"),
            ("TRUSTED_DOCUMENTS", file),
            ("PORT", "0"),
            ("RUST_LOG", "off"),
        ];
        refusal(&["serve"], &variables).replace(folder.path().to_str().unwrap(), "FOLDER")
    };
    let said = start(file.to_str().unwrap());
    insta::assert_snapshot!(said, @r#"2: platform: TRUSTED_DOCUMENTS refers to FOLDER/documents.json, which contains a document "a" that is not valid GraphQL: expected a field, a fragment or "}", found the end of the document at line 1, column 8; it must be the path of a JSON file of GraphQL operations by their SHA-256"#);
    insta::assert_snapshot!(start("/nowhere/documents.json"), @"2: platform: TRUSTED_DOCUMENTS refers to /nowhere/documents.json, which cannot be read: No such file or directory (os error 2); it must be the path of a JSON file of GraphQL operations by their SHA-256");
    let mode = [
        ("JWT_SECRET", SECRET),
        ("DATABASE_URL", "postgres://u@h/d"),
        ("EXECUTOR_MODE", "scheduler"),
        ("FLASH_SCHED_ENABLED", "true"),
        ("TRUSTED_DOCUMENTS_MODE", "only"),
    ];
    insta::assert_snapshot!(refusal(&["serve"], &mode), @"2: platform: TRUSTED_DOCUMENTS is not set; it must be the path of a file of trusted operations if TRUSTED_DOCUMENTS_MODE=only");
}

#[test]
fn a_secret_is_never_repeated() {
    let weak = refusal(&["serve"], &[("JWT_SECRET", "hunter2")]);
    assert!(weak.starts_with("2: platform: JWT_SECRET has 7 bytes"), "{weak}");
    let url = refusal(&["migrate"], &[("DATABASE_URL", "postgres://u:hunter2@h:port/d")]);
    assert!(url.starts_with("2: platform: DATABASE_URL is not a valid") && !url.contains("hunter2"), "{url}");
    let help = platform(&["serve", "--help"], &[("JWT_SECRET", SECRET), ("DB_PASSWORD", SECRET), ("PORT", "1")]);
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("JWT_SECRET") && !help.contains(SECRET), "{help}");
}

#[test]
fn a_secret_is_not_taken_from_the_arguments() {
    insta::assert_snapshot!(
        refusal(&["serve", "--jwt-secret", SECRET], &[]),
        @"2: platform: JWT_SECRET was given as an argument, which every process on this machine can read; set it in the environment or in .env instead"
    );
}

#[test]
fn an_unknown_argument_takes_one_line_too() {
    insta::assert_snapshot!(
        refusal(&["serve", "--prot", "1"], &[]),
        @"2: platform: unexpected argument '--prot' found; see --help"
    );
    insta::assert_snapshot!(refusal(&["launch"], &[]), @"2: platform: unrecognized subcommand 'launch'; see --help");
}

#[test]
fn a_broken_dotenv_is_refused_without_quoting_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), format!("JWT_SECRET = ' {SECRET}\n")).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_platform")).arg("version").current_dir(folder.path()).output().unwrap();
    insta::assert_snapshot!(
        String::from_utf8(output.stderr).unwrap(),
        @"platform: .env contains a line that is not NAME=value; values with spaces must be quoted"
    );
}

#[test]
fn dotenv_is_read_and_the_environment_wins() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "PORT=one\nDB_PORT=two\n").unwrap();
    let said = |port: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_platform"));
        command.arg("serve").env_clear().current_dir(folder.path());
        let output = command.envs(port.map(|port| ("DB_PORT", port))).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(None).contains(r#"DB_PORT was "two""#), "{}", said(None));
    assert!(said(Some("5432")).contains(r#"PORT was "one""#), "{}", said(Some("5432")));
}

#[test]
fn the_example_lists_exactly_the_variables_that_serve_reads() {
    let command = platform::cli::Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    let documented = serve.get_arguments().filter(|argument| !argument.is_hide_set());
    let read: BTreeSet<String> =
        documented.filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned())).collect();
    let listed: BTreeSet<String> = include_str!("../.env.example")
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
        .collect();
    assert_eq!(listed, read);
}

#[test]
fn dev_takes_every_setting_of_serve_or_says_that_it_does_not() {
    let command = platform::cli::Cli::command();
    let variables = |name| {
        let arguments = command.find_subcommand(name).unwrap().get_arguments().cloned().collect::<Vec<_>>();
        let named = arguments.iter().filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()));
        named.collect::<BTreeSet<String>>()
    };
    let (serve, dev) = (variables("serve"), variables("dev"));
    let missing: Vec<&str> = serve.difference(&dev).map(String::as_str).collect();
    let help = command.find_subcommand("dev").unwrap().get_after_help().unwrap().to_string();
    let named = |variable: &str| help.contains(variable) || (variable.starts_with("DB_") && help.contains("DB_*"));
    assert!(missing.iter().copied().all(named), "{missing:?} in {help}");
    insta::assert_snapshot!(missing.join(" "), @"DATABASE_REPLICA_URL DATABASE_URL DB_HOST DB_NAME DB_PASSWORD DB_POOL_SIZE DB_PORT DB_SSLMODE DB_USER FLASH_SCHED_ENABLED KUBECONFIG MIGRATE_ON_START SCHEDULER_NAME");
}

#[test]
fn the_help_of_dev_is_short_unless_all_of_it_is_asked_for() {
    let help = |flag| String::from_utf8(platform(&["dev", flag], &[]).stdout).unwrap();
    insta::assert_snapshot!(help("-h"), @"
    Run everything locally: a private database, a cluster, demo data and the API

    Usage: platform dev [OPTIONS]

    Options:
          --data-dir <FOLDER>  Directory where data is kept between runs [default: .platform]
          --ephemeral          Discard all data on exit
          --speed <FACTOR>     Factor by which simulated pods run faster than real time [default: 1]
          --seed <WHAT>        Data to load on the first start [default: demo] [possible values: demo,
                               empty, bench]
          --ready-file <FILE>  File to write when everything is running: JSON with URLs, kubeconfig and
                               accounts
          --cluster <CLUSTER>  Cluster to use: embedded, real (etcd and kube-apiserver from
                               KUBEBUILDER_ASSETS) or the path of a kubeconfig file [default: embedded]
          --port <PORT>        Port to listen on; 0 selects a free port [env: PORT=] [default: 8080]
      -h, --help               Print help (see more with '--help')

    All other settings of `platform serve` apply too: --help lists them with their defaults here.
    Ignored are those of the parts that `platform dev` starts itself: DATABASE_URL,
    DATABASE_REPLICA_URL, DB_*, MIGRATE_ON_START, KUBECONFIG, FLASH_SCHED_ENABLED and SCHEDULER_NAME.
    Without JWT_SECRET, a generated key is kept with the data. Pages of localhost, 127.0.0.1 and [::1]
    may call the API from any port, in addition to those of ALLOWED_ORIGINS.
    ");
    assert!(help("--help").contains("ACCESS_TOKEN_MINUTES") && help("--help").contains("Without JWT_SECRET"));
}

#[test]
fn dev_refuses_a_setting_as_serve_does() {
    let refused = |name, value| refusal(&["dev", "--ephemeral"], &[(name, value), ("RUST_LOG", "off")]);
    insta::assert_snapshot!(
        refused("ACCESS_TOKEN_MINUTES", "never"),
        @r#"2: platform: ACCESS_TOKEN_MINUTES was "never"; it must be a whole number from 1 to 1440"#
    );
    insta::assert_snapshot!(
        refused("BCRYPT_COST", "3"),
        @r#"2: platform: BCRYPT_COST was "3"; it must be a whole number from 4 to 16"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_says_what_it_did() {
    use platform::dev::postgres::{EmbeddedPostgres, Options};
    let postgres = EmbeddedPostgres::start(Options::ephemeral()).await.unwrap();
    let url = postgres.url();
    let migrate = || {
        let output = platform(&["migrate"], &[("DATABASE_URL", &url)]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(migrate().starts_with("applied migrations: "));
    assert_eq!(migrate(), "the database is up to date\n");
    postgres.shutdown().await.unwrap();
}

#[test]
fn a_database_that_is_away_is_an_error_of_one_line() {
    let output = platform(&["migrate"], &[("DATABASE_URL", "postgres://u@127.0.0.1:1/d")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("platform: the database is not responding") && said.lines().count() == 1, "{said}");
}
