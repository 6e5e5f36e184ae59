//! `[log]`: logs of lines, in JSON.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Size, Span};

/// Logs of lines, in JSON. No line holds a token, a password, a code or a query.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// Where a line for each request goes: `stdout`, `syslog` (this machine's own, `/dev/log`), `syslog://10.0.0.9:514`
    /// (a server, by UDP; RFC 5424), or the path of a file, with a slash in it. Default: nowhere.
    pub(crate) access: Option<LogSink>,
    /// Where the events of the audit log go beside the database: the same choice. What the command line does stands in the
    /// database alone. Default: nowhere.
    pub(crate) audit: Option<LogSink>,
    /// A file is put aside before it is larger, as in `"100MB"`. Default: 100 MB.
    pub(crate) rotate_size: Size,
    /// A file is put aside when it is older, as in `"1d"`. Default: never.
    pub(crate) rotate_after: Option<Span>,
    /// So many files that were put aside are kept (`.1` is the newest). Default: 7.
    pub(crate) keep: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { access: None, audit: None, rotate_size: Size(100_000_000), rotate_after: None, keep: 7 }
    }
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub(crate) enum LogSink {
    /// Standard output.
    Stdout,
    /// `/dev/log`.
    Syslog,
    /// A syslog server.
    SyslogAt(SocketAddr),
    /// A file.
    File(PathBuf),
}

impl FromStr for LogSink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is nowhere to write a log; write stdout, syslog, syslog://10.0.0.9:514 (an IP address and a port), or the \
                 path of a file, as in /var/log/hallpass/access.log or ./access.log"
            )
        };
        match text {
            "stdout" => Ok(Self::Stdout),
            "syslog" => Ok(Self::Syslog),
            _ => match text.split_once("://") {
                Some(("syslog", server)) => server.parse().map(Self::SyslogAt).map_err(|_| wrong()),
                None if text.contains(['/', '\\']) && !text.ends_with(['/', '\\']) => {
                    Ok(Self::File(text.into()))
                }
                _ => Err(wrong()),
            },
        }
    }
}

impl TryFrom<String> for LogSink {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::fmt::Display for LogSink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdout => formatter.write_str("stdout"),
            Self::Syslog => formatter.write_str("syslog"),
            Self::SyslogAt(server) => write!(formatter, "syslog://{server}"),
            Self::File(path) => write!(formatter, "{}", path.display()),
        }
    }
}

impl From<LogSink> for String {
    fn from(sink: LogSink) -> Self {
        sink.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks() {
        for text in
            ["stdout", "syslog", "syslog://10.0.0.9:514", "syslog://[::1]:514", "/var/log/a.log", "./a.log"]
        {
            assert_eq!(text.parse::<LogSink>().unwrap().to_string(), text);
        }
    }

    /// A word that is mistyped must not become a file of that name.
    #[test]
    fn what_is_nowhere_is_refused() {
        for text in [
            "",
            "sdtout",
            "access.log",
            "syslog://localhost:514",
            "syslog://10.0.0.9",
            "http://h/x",
            "/var/log/",
        ] {
            assert!(text.parse::<LogSink>().unwrap_err().contains("./access.log"), "{text}");
        }
    }
}
