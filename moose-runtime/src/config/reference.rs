//! `docs/configuration.md`, made from the table of keys.

use std::fmt::Write as _;

use super::{Config, keys::KEYS};

const HEAD: &str = "\
# Configuration

<!-- Generated from `moose-runtime/src/config/keys.rs` by the test `the_reference_is_up_to_date`. To write it anew:
     MOOSE_TEST_REWRITE=1 cargo test -p moose-runtime the_reference_is_up_to_date -->

Every key has a default; nothing needs to be configured. Values are taken from these places, and a later one wins:

1. `moose.toml` in the current directory, if it is there, or the file named with `--config <file>`;
2. environment variables: `MOOSE_`, then the key in capitals with `__` between its levels;
3. command-line flags, for the keys that have one.

Durations are written `1s`, `500ms`, `7d`; sizes `64 MiB`, `16 GiB`. Addresses are an IP address and a port; port 0 lets
the system choose, and the ready line and `<data_dir>/addresses.json` say what it chose. An unknown key, and a value that
does not fit, end the process with exit code 3 and a message that names the key, where it came from, and what would fit.

`MOOSE_ENGINE_LIBRARY` (the file of the embedded engine), `MOOSE_MIGRATIONS`, `MOOSE_SAVE_MIGRATION`, `MOOSE_SCHEMA` and
`MOOSE_TEST_*` are not configuration keys.
";

const EXAMPLE: &str = "\
## Example

```toml
# moose.toml
data_dir = \"/var/lib/shop\"

[http]
listen = \"0.0.0.0:4000\"
max_body = \"32 MiB\"

[sync]
max_delay = \"500ms\"
```

The same from the environment: `MOOSE_DATA_DIR=/var/lib/shop MOOSE_HTTP__LISTEN=0.0.0.0:4000 MOOSE_SYNC__MAX_DELAY=500ms`.
";

/// The whole document.
pub(super) fn markdown() -> String {
    let mut text = HEAD.to_owned();
    let mut config = Config::default();
    text.push_str("\n## Keys\n\n| key | environment | flag | default | meaning |\n|---|---|---|---|---|\n");
    for key in KEYS {
        let default = match key.default {
            Some(words) => words.to_owned(),
            None => format!("`{}`", (key.slot)(&mut config).show()),
        };
        let flag = key.flag.map_or_else(String::new, |flag| format!("`--{flag}`"));
        let (name, environment, meaning) = (key.name, key.environment(), key.meaning);
        writeln!(text, "| `{name}` | `{environment}` | {flag} | {default} | {meaning} |")
            .expect("BUG: writing to a string can't fail");
    }
    text.push_str("\n## What may stand there\n\n| key | expected |\n|---|---|\n");
    for key in KEYS {
        writeln!(text, "| `{}` | {} |", key.name, (key.slot)(&mut config).expected())
            .expect("BUG: writing to a string can't fail");
    }
    text.push('\n');
    text.push_str(EXAMPLE);
    text
}
