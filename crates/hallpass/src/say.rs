//! Standard output and standard error, whose readers may go away: `hallpass accounts | head`.

use std::fmt;
use std::io::{self, Write as _};

/// Prints a line on standard output; where nobody reads it any more, the command ends.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*))? };
}
pub(crate) use say;

/// The line, styled where a terminal shows it.
pub(crate) fn line(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")
}

/// Tells a person something beside what was asked for. Without standard error there is nobody to tell.
pub(crate) fn note(text: fmt::Arguments<'_>) {
    drop(writeln!(anstream::stderr(), "{text}"));
}
