//! Logs of lines: what a sink is, and how a line comes there without anybody waiting for it.
//!
//! | room | what is in it |
//! |---|---|
//! | [`access`] | what a line of the access log says |
//! | `lines` | from whoever has a line to whoever writes it |
//! | `file` | files that are rotated |
//! | `syslog` | RFC 5424, to this machine's own daemon or by UDP |
//! | `when` | times, as they stand in a line |

pub(crate) mod access;
mod file;
mod harmless;
mod lines;
mod syslog;
mod when;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use self::file::RotatingFile;
pub use self::file::Rotation;
pub use self::lines::Lines;
use self::syslog::Syslog;
pub use self::syslog::Topic;
pub use self::when::rfc3339;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// A file of mode 0600. One that was moved away is begun anew, so that other programs may rotate it, too.
    File {
        /// Its path.
        path: PathBuf,
        /// When it is put aside.
        rotation: Rotation,
    },
    /// This machine's own daemon, at `/dev/log`.
    Syslog(Topic),
    /// A syslog server, by UDP (RFC 5426).
    SyslogAt(SocketAddr, Topic),
}

/// A sink that is open.
enum Output {
    Stdout(io::BufWriter<io::Stdout>),
    File(RotatingFile),
    Syslog(Syslog),
}

impl Output {
    fn open(sink: Sink, now: SystemTime) -> io::Result<Self> {
        match sink {
            Sink::Stdout => Ok(Self::Stdout(io::BufWriter::new(io::stdout()))),
            Sink::File { path, rotation } => RotatingFile::open(path, rotation, now).map(Self::File),
            Sink::Syslog(topic) => Syslog::local(topic).map(Self::Syslog),
            Sink::SyslogAt(address, topic) => Syslog::at(address, topic).map(Self::Syslog),
        }
    }

    /// A line, without its end.
    fn write(&mut self, line: &str, now: SystemTime) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => writeln!(stdout, "{line}"),
            Self::File(file) => file.write(line, now),
            Self::Syslog(syslog) => syslog.send(line, now),
        }
    }

    /// Nothing more comes at this moment.
    fn rest(&mut self, now: SystemTime) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.rest(now),
            Self::Syslog(_) => Ok(()),
        }
    }
}
