//! The command line: commands, flags and their help, and parsing them.

#[cfg(feature = "embedded")]
use std::net::SocketAddr;
use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command as Parser, FromArgMatches as _, Subcommand};

use crate::{
    app::Selection,
    config::{Flag, flags},
    migrate::InDoubt,
    sync::ResumeFrom,
};

/// Name of the argument that names the configuration file.
const FILE: &str = "config";

/// What every generated binary is for.
const ABOUT: &str = "Accepts events over HTTP, keeps them in durable streams, and syncs them into ClickHouse";

/// A command line that was understood.
#[derive(Debug)]
pub(super) struct Invocation {
    /// What to do.
    pub(super) command: Command,
    /// The configuration file to read.
    pub(super) file: Option<PathBuf>,
    /// Configuration given as flags.
    pub(super) flags: Vec<Flag>,
}

/// The commands.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum Command {
    /// Run the pipeline with everything embedded (the default)
    Dev {
        /// Where to go on for tables that were dropped or replaced, and for streams that lost records or offsets
        #[arg(long, value_name = "WHERE")]
        from: Option<From>,
    },
    /// Run the pipeline in earnest: what is not safe is refused
    Run {
        /// Where to go on for tables that were dropped or replaced, and for streams that lost records or offsets
        #[arg(long, value_name = "WHERE")]
        from: Option<From>,
        #[command(flatten)]
        allowed: Allowed,
    },
    /// Say what is promised for each table, or count its records
    Check {
        /// Count every record in the streams and in the tables; ends with 1 unless both agree
        #[arg(long)]
        counts: bool,
        /// One JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Run only the embedded ClickHouse
    #[cfg(feature = "embedded")]
    Engine {
        /// Directory of its data [default: `engine` in the data directory]
        #[arg(long, value_name = "DIRECTORY")]
        path: Option<PathBuf>,
        /// Address of its HTTP interface [default: that of the configuration]
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
        /// Ends with the process that started it.
        #[arg(long, hide = true)]
        supervised: bool,
    },
    /// List tables, streams and APIs
    Ls {
        /// One JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Look at records that could not be stored, replay them, or give them up
    #[command(alias = "dlq")]
    DeadLetters {
        /// What to do
        #[command(subcommand)]
        letters: Letters,
        /// One JSON document instead of text
        #[arg(long, global = true)]
        json: bool,
    },
    /// Look at who has read the streams, take a reader's place over, or give it up
    Readers {
        /// What to do
        #[command(subcommand)]
        what: Readers,
        /// One JSON document instead of text
        #[arg(long, global = true)]
        json: bool,
    },
    /// Apply migrations, and say what is applied and what differs
    Migrate {
        /// What to do
        #[command(subcommand)]
        what: Migrate,
        /// One JSON document instead of text
        #[arg(long, global = true)]
        json: bool,
    },
    /// Run a query and print its result
    Query {
        /// The statement; it may name a FORMAT of its own
        #[arg(value_name = "SQL")]
        sql: String,
        /// One JSON object per row instead of a table
        #[arg(long)]
        json: bool,
    },
}

/// What `run` refuses unless it is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Allowed {
    /// Accept events from anyone who reaches the front door
    #[arg(long = "allow-anonymous")]
    pub(super) anonymous: bool,
    /// Write into tables that can't have every record exactly once
    #[arg(long = "allow-unsafe-tables")]
    pub(super) unsafe_tables: bool,
    /// Apply migrations that are pending, and then start
    #[arg(long)]
    pub(super) migrate: bool,
}

/// Where a stream goes on into a table that is not the one its cursor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum From {
    /// From the oldest record still stored
    Earliest,
    /// From the next record that was not synced yet
    Next,
}

impl std::convert::From<From> for ResumeFrom {
    fn from(from: From) -> Self {
        match from {
            From::Earliest => Self::Earliest,
            From::Next => Self::Next,
        }
    }
}

/// What to do with dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum Letters {
    /// List them, with the reason of each
    List {
        /// Only those of this table
        #[arg(long)]
        table: Option<String>,
        /// Go on after this key: the `next` of the page before
        #[arg(long, value_name = "KEY")]
        after: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one with its payload
    Show {
        /// Its key, as `list` shows it
        key: String,
    },
    /// Send them once more to the table that refused them; what is stored already is not stored twice
    Replay(Which),
    /// Give them up: their payloads are deleted
    Drop(Which),
}

/// Which dead letters are meant.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Their keys, as `list` shows them
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// All of this table
    #[arg(long)]
    table: Option<String>,
    /// All that there are
    #[arg(long)]
    all: bool,
}

impl std::convert::From<Which> for Selection {
    fn from(which: Which) -> Self {
        match which {
            Which { table: Some(table), .. } => Self::Table(table),
            Which { all: true, .. } => Self::All,
            Which { keys, .. } => Self::Keys(keys),
        }
    }
}

/// What to do with readers.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum Readers {
    /// List every reader of every stream: how far it is, and whether it is declared
    List,
    /// Go on where a reader was that is this application under another name
    Adopt {
        /// Its application, or application/table
        reader: String,
    },
    /// Give a reader's place up: records are no longer kept for it
    Forget {
        /// Its application, or application/table
        reader: String,
    },
}

/// What to do with migrations.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum Migrate {
    /// Say what is applied, what is pending, and how the tables differ; ends with 4 where something is
    Status,
    /// Print the statements of what is pending; ends with 4 where something is
    Plan,
    /// Save what the declarations ask for beyond the migrations, as a new one
    Save {
        /// Its name: letters, digits and `_`
        name: String,
    },
    /// Apply what is pending, once, however many processes are told to
    Apply {
        /// About a statement that was interrupted and whose outcome can't be found out
        #[arg(long, value_name = "OUTCOME")]
        in_doubt: Option<Outcome>,
    },
    /// Take all migrations as applied, in a database that has the tables already
    Baseline,
}

/// What became of an interrupted statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Outcome {
    /// It took effect
    Done,
    /// It did not: run it again
    Again,
}

impl std::convert::From<Outcome> for InDoubt {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Again => Self::Again,
        }
    }
}

/// Reads a command line, the program's own name first. The error prints itself, as help does.
pub(super) fn parse(
    name: &'static str,
    version: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Invocation, clap::Error> {
    let matches = parser(name, version).try_get_matches_from(arguments)?;
    let command = match matches.subcommand_name() {
        Some(_) => Command::from_arg_matches(&matches)?,
        None => Command::Dev { from: None },
    };
    Ok(Invocation { command, file: matches.get_one(FILE).cloned(), flags: given(&matches) })
}

fn parser(name: &'static str, version: &'static str) -> Parser {
    let parser = Parser::new(name)
        .version(version)
        .disable_help_subcommand(true)
        .arg(
            Arg::new(FILE)
                .long(FILE)
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .global(true)
                .help_heading("Configuration")
                .help("The configuration file [default: moose.toml, if it is there]"),
        )
        .args(flags().into_iter().map(|flag| {
            Arg::new(flag.key)
                .long(flag.flag)
                .value_name("VALUE")
                .global(true)
                .help_heading("Configuration")
                .help(flag.help)
        }));
    // After the subcommands, which bring their own idea of what the program is about.
    Command::augment_subcommands(parser).about(ABOUT)
}

/// The configuration that was given as flags. What it says is checked with the rest of the configuration.
fn given(matches: &ArgMatches) -> Vec<Flag> {
    flags()
        .into_iter()
        .filter_map(|flag| Some(Flag { key: flag.key, value: matches.get_one::<String>(flag.key)?.clone() }))
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    fn parse_line(line: &[&str]) -> Result<Invocation, clap::Error> {
        parse("shop", "1.2.3", std::iter::once("shop").chain(line.iter().copied()).map(OsString::from))
    }

    #[test]
    fn the_parser_is_sound() {
        parser("shop", "1.2.3").debug_assert();
    }

    #[test]
    fn dev_is_the_default() {
        assert_eq!(parse_line(&[]).unwrap().command, Command::Dev { from: None });
        assert_eq!(parse_line(&["--http-listen", "127.0.0.1:0"]).unwrap().command, Command::Dev { from: None });
    }

    #[test]
    fn dev_can_be_told_where_to_go_on() {
        let command = parse_line(&["dev", "--from", "earliest"]).unwrap().command;
        assert_eq!(command, Command::Dev { from: Some(From::Earliest) });
        assert!(parse_line(&["dev", "--from", "yesterday"]).is_err());
    }

    #[test]
    fn run_allows_nothing_that_is_not_named() {
        let allowed = |line: &[&str]| match parse_line(line).unwrap().command {
            Command::Run { allowed, .. } => allowed,
            other => panic!("{other:?}"),
        };
        assert_eq!(allowed(&["run"]), Allowed::default());
        assert_eq!(allowed(&["run", "--allow-anonymous"]), Allowed { anonymous: true, ..Allowed::default() });
        assert_eq!(allowed(&["run", "--allow-unsafe-tables"]), Allowed { unsafe_tables: true, ..Allowed::default() });
        assert_eq!(allowed(&["run", "--migrate"]), Allowed { migrate: true, ..Allowed::default() });
        assert!(parse_line(&["dev", "--allow-anonymous"]).is_err());
    }

    #[test]
    fn configuration_may_stand_before_and_after_the_command() {
        for line in [["--data-dir", "/d", "query", "SELECT 1"], ["query", "SELECT 1", "--data-dir", "/d"]] {
            let invocation = parse_line(&line).unwrap();
            assert_eq!(invocation.flags, [Flag { key: "data_dir", value: "/d".to_owned() }]);
            assert_eq!(invocation.command, Command::Query { sql: "SELECT 1".to_owned(), json: false });
        }
        let invocation = parse_line(&["ls", "--json", "--config", "other.toml"]).unwrap();
        assert_eq!(invocation.file, Some(PathBuf::from("other.toml")));
        assert_eq!(invocation.command, Command::Ls { json: true });
    }

    #[test]
    fn dead_letters_are_chosen_in_exactly_one_way() {
        for line in [&["dead-letters", "replay", "--all"][..], &["dlq", "drop", "a/b/1/0/0", "--json"]] {
            assert!(matches!(parse_line(line).unwrap().command, Command::DeadLetters { .. }), "{line:?}");
        }
        for line in [&["dlq"][..], &["dlq", "drop"], &["dlq", "drop", "--all", "--table", "t"]] {
            assert_eq!(parse_line(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }

    #[test]
    fn readers_are_adopted_and_forgotten_by_name() {
        let what = |line: &[&str]| match parse_line(line).unwrap().command {
            Command::Readers { what, json: false } => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(what(&["readers", "list"]), Readers::List);
        assert_eq!(what(&["readers", "adopt", "old"]), Readers::Adopt { reader: "old".to_owned() });
        assert_eq!(what(&["readers", "forget", "old/events"]), Readers::Forget { reader: "old/events".to_owned() });
        assert_eq!(parse_line(&["readers", "adopt"]).unwrap_err().exit_code(), 2);
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn a_supervised_engine_gets_its_place_and_its_address() {
        let line = ["engine", "--supervised", "--path", "/d/engine", "--listen", "127.0.0.1:0"];
        let expected = Command::Engine {
            path: Some(PathBuf::from("/d/engine")),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            supervised: true,
        };
        assert_eq!(parse_line(&line).unwrap().command, expected);
    }

    #[test]
    fn mistakes_are_usage_errors_and_help_is_not() {
        for (line, kind) in [
            (&["qery", "SELECT 1"][..], ErrorKind::InvalidSubcommand),
            (&["query"], ErrorKind::MissingRequiredArgument),
            (&["--htp-listen", "x"], ErrorKind::UnknownArgument),
        ] {
            let error = parse_line(line).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line:?}");
        }
        let help = parse_line(&["--help"]).unwrap_err();
        assert_eq!(help.exit_code(), 0);
        assert!(help.to_string().starts_with(ABOUT), "{help}");
        assert_eq!(parse_line(&["--version"]).unwrap_err().exit_code(), 0);
    }
}
