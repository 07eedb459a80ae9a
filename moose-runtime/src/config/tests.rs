//! Tests of loading: the order of the sources, and messages that name key, origin and remedy.

use std::{fs, path::Path};

use super::{keys::KEYS, *};

fn environment(pairs: &[(&str, &str)]) -> Sources {
    Sources {
        // A directory that holds no `moose.toml`.
        directory: PathBuf::from("/nonexistent"),
        environment: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Sources::default()
    }
}

fn file(text: &str) -> (tempfile::TempDir, Sources) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("moose.toml"), text).unwrap();
    let sources = Sources { directory: directory.path().to_owned(), ..Sources::default() };
    (directory, sources)
}

fn load(sources: &Sources) -> Result<Config, ConfigError> {
    Config::from_sources("shop", sources)
}

fn message(sources: &Sources) -> String {
    load(sources).unwrap_err().to_string()
}

#[test]
fn without_any_source_all_is_default_and_the_application_has_the_programs_name() {
    let config = load(&environment(&[])).unwrap();
    assert_eq!(config.app.name, "shop");
    assert_eq!(config.http.listen, "127.0.0.1:4000".parse().unwrap());
    assert_eq!(config.sync.max_rows, 100_000);
    assert_eq!(config.clickhouse.url, None);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let (_directory, mut sources) = file(
        "data_dir = 'from-file'\n[http]\nlisten = '127.0.0.1:1'\nmax_body = '2 MiB'\n[sync]\nmax_rows = 5\nmax_delay = '250ms'",
    );
    sources.environment = environment(&[
        ("MOOSE_HTTP__LISTEN", "127.0.0.1:2"),
        ("MOOSE_SYNC__MAX_ROWS", "6"),
        ("MOOSE_CLICKHOUSE__URL", "http://clickhouse:8123/"),
    ])
    .environment;
    sources.flags = vec![Flag { key: "http.listen", value: "127.0.0.1:3".to_owned() }];
    let config = load(&sources).unwrap();
    assert_eq!(config.data_dir, Path::new("from-file"));
    assert_eq!(config.http.listen.port(), 3);
    assert_eq!(config.http.max_body, ByteSize::mib(2));
    assert_eq!(config.sync.max_rows, 6);
    assert_eq!(config.sync.max_delay, Duration::from_millis(250));
    assert_eq!(config.clickhouse.url.as_deref(), Some("http://clickhouse:8123"));
}

#[test]
fn variables_of_the_build_the_engine_and_the_tests_are_left_alone() {
    let sources = environment(&[
        ("MOOSE_ENGINE_LIBRARY", "/lib/libchdb.so"),
        ("MOOSE_MIGRATIONS", "locked"),
        ("MOOSE_SAVE_MIGRATION", "first"),
        ("MOOSE_SCHEMA", "x"),
        ("MOOSE_TEST_REQUIRE", "kafka"),
        ("MOOSELESS", "1"),
        ("PATH", "/bin"),
    ]);
    load(&sources).unwrap();
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_and_where_it_came_from() {
    let from_environment = message(&environment(&[("MOOSE_HTTP__LISTN", "127.0.0.1:1")]));
    assert_eq!(
        from_environment,
        "unknown configuration key `http.listn` (from MOOSE_HTTP__LISTN): did you mean `http.listen`?"
    );
    let (directory, sources) = file("[sync]\nmax_row = 5");
    let path = directory.path().join("moose.toml");
    assert_eq!(
        message(&sources),
        format!("unknown configuration key `sync.max_row` (from {}): did you mean `sync.max_rows`?", path.display())
    );
    assert!(message(&environment(&[("MOOSE_HTTP", "1")])).contains("it is a section with the keys `http.listen`"));
    assert!(
        message(&environment(&[("MOOSE_ENGINE__XYZUV", "1")]))
            .contains("of this section are `engine.listen`, `engine.password`, `engine.log`")
    );
    assert!(message(&environment(&[("MOOSE_QQ", "1")])).contains("the known keys are `data_dir`"));
}

#[test]
fn a_wrong_value_is_named_with_its_key_and_what_would_fit() {
    assert_eq!(
        message(&environment(&[("MOOSE_SYNC__MAX_ROWS", "0")])),
        "configuration key `sync.max_rows` can't be `0` (from MOOSE_SYNC__MAX_ROWS): \
         expected a whole number from 1 to 1000000"
    );
    let mut sources = environment(&[]);
    sources.flags = vec![Flag { key: "http.listen", value: "localhost".to_owned() }];
    assert_eq!(
        message(&sources),
        "configuration key `http.listen` can't be `localhost` (from --http-listen): \
         expected an IP address and port such as `127.0.0.1:4000` (port 0: any free one)"
    );
    let (_directory, sources) = file("[sync]\nmax_delay = 1");
    assert!(message(&sources).contains("`sync.max_delay` can't be `1`"), "{}", message(&sources));
    let (_directory, sources) = file("data_dir = ['a', 'b']");
    assert!(message(&sources).contains("can't be `a table or a list`"));
    for (name, value) in [
        ("MOOSE_HTTP__MAX_BODY", "many"),
        ("MOOSE_HTTP__MAX_BODY", "1 B"),
        ("MOOSE_SYNC__MAX_DELAY", "0ms"),
        ("MOOSE_CLICKHOUSE__URL", "https://clickhouse:8443"),
        ("MOOSE_CLICKHOUSE__URL", "http://user:secret@clickhouse:8123"),
        ("MOOSE_CLICKHOUSE__URL", "clickhouse:8123"),
        ("MOOSE_CLICKHOUSE__DATABASE", "a`b"),
        ("MOOSE_APP__NAME", ""),
        ("MOOSE_DATA_DIR", ""),
        ("MOOSE_MANAGEMENT__LISTEN", "127.0.0.1:65536"),
    ] {
        assert!(matches!(load(&environment(&[(name, value)])), Err(ConfigError::WrongValue { .. })), "{name}={value}");
    }
}

#[test]
fn two_listeners_can_not_share_an_address_unless_the_system_chooses() {
    let same = environment(&[("MOOSE_MANAGEMENT__LISTEN", "127.0.0.1:4000")]);
    assert_eq!(
        message(&same),
        "configuration keys `http.listen` and `management.listen` don't go together: both listen on 127.0.0.1:4000"
    );
    load(&environment(&[("MOOSE_MANAGEMENT__LISTEN", "127.0.0.1:0"), ("MOOSE_HTTP__LISTEN", "127.0.0.1:0")])).unwrap();
}

#[test]
fn a_body_must_be_allowed_its_own_size_once_decompressed() {
    assert!(matches!(
        load(&environment(&[("MOOSE_HTTP__MAX_BODY", "100 MiB")])),
        Err(ConfigError::Conflict { first: "http.max_body", .. })
    ));
}

#[test]
fn the_largest_request_must_be_possible() {
    let Err(ConfigError::Conflict { first: "http.max_decompressed", second: "memory.budget", reason }) =
        load(&environment(&[("MOOSE_MEMORY__BUDGET", "400 MiB")]))
    else {
        panic!("64 MiB unpacked take 192 MiB, and 10 MiB before")
    };
    assert!(reason.contains("202.0 MiB"), "{reason}");
    assert!(load(&environment(&[("MOOSE_MEMORY__BUDGET", "404 MiB")])).is_ok());
}

#[test]
fn a_named_file_must_be_there_and_be_toml() {
    let mut sources = environment(&[]);
    sources.file = Some(PathBuf::from("/nonexistent/other.toml"));
    assert!(message(&sources).starts_with("failed to read the configuration file /nonexistent/other.toml: "));
    let (directory, sources) = file("listen = = 1");
    let text = message(&sources);
    assert!(text.contains(&directory.path().join("moose.toml").display().to_string()), "{text}");
    assert!(text.contains("line 1"), "{text}");
}

#[test]
fn every_default_reads_back_as_itself() {
    for key in KEYS {
        let mut config = Config::default();
        let shown = (key.slot)(&mut config).show();
        if !shown.is_empty() {
            assert!((key.slot)(&mut config).read(&shown), "{} = {shown}", key.name);
            assert_eq!((key.slot)(&mut config).show(), shown, "{}", key.name);
        }
    }
}

#[test]
fn the_engines_password_is_not_shown_and_not_said_when_it_does_not_fit() {
    let config = load(&environment(&[("MOOSE_ENGINE__PASSWORD", "hunter2"), ("MOOSE_ENGINE__LOG", "true")])).unwrap();
    assert_eq!((config.engine.password.as_str(), config.engine.log), ("hunter2", true));
    assert!(!format!("{config:?}").contains("hunter2"));
    for wrong in ["hunter 2", "hünter2", "hunter2\n"] {
        let said = message(&environment(&[("MOOSE_ENGINE__PASSWORD", wrong)]));
        assert!(said.contains("printable ASCII") && !said.contains("nter"), "{said}");
    }
    assert!(load(&environment(&[("MOOSE_ENGINE__PASSWORD", "")])).unwrap().engine.password.is_empty());
}

#[test]
fn a_password_is_not_shown() {
    let config = load(&environment(&[("MOOSE_CLICKHOUSE__PASSWORD", "hunter2")])).unwrap();
    assert_eq!(config.clickhouse.password, "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let expected = reference::markdown();
    if std::env::var_os("MOOSE_TEST_REWRITE").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/configuration.md is not what the keys say: run this test with MOOSE_TEST_REWRITE=1"
    );
}
