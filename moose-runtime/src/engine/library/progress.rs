//! Shows the progress of a long step: a bar on a terminal, plain lines elsewhere. All on standard error.

use std::{
    io::{self, IsTerminal as _, Read, Write as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Prints a line on standard error. If that is closed, work goes on.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A long step.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A step with a known number of bytes; 0 if unknown.
    pub(super) fn bytes(what: &str, total: u64) -> Self {
        let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let template = if total == 0 { "{msg} {spinner} {bytes} {bytes_per_sec}" } else { template };
        Self::new(what, if total == 0 { None } else { Some(total) }, template)
    }

    /// A step of unknown length.
    pub(super) fn spinner(what: &str) -> Self {
        let progress = Self::new(what, None, "{msg} {spinner} {elapsed}");
        progress.bar.enable_steady_tick(Duration::from_millis(120));
        progress
    }

    fn new(what: &str, total: Option<u64>, template: &str) -> Self {
        let terminal = io::stderr().is_terminal();
        if !terminal {
            tell(what);
        }
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// Counts what is read through this reader.
    pub(super) fn wrap<R: Read>(&self, reader: R) -> impl Read {
        self.bar.wrap_read(reader)
    }

    /// Adds `bytes`.
    pub(super) fn add(&self, bytes: usize) {
        self.bar.inc(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Removes the bar.
    pub(super) fn done(self) {
        self.bar.finish_and_clear();
    }
}
