//! Syslog (RFC 5424): a datagram for each line.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime};

use super::rfc3339;

#[cfg(unix)]
const LOCAL: &str = "/dev/log";
/// A daemon that takes nothing must not keep lines waiting for ever.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(1);

/// What a log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Requests: facility `local0`, severity `info`.
    Access,
    /// What was decided about people and clients: facility `authpriv`, severity `notice`.
    Audit,
}

impl Topic {
    /// RFC 5424 §6.2.1: facility times eight, and severity.
    fn priority(self) -> u8 {
        match self {
            Self::Access => 16 * 8 + 6,
            Self::Audit => 10 * 8 + 5,
        }
    }

    /// RFC 5424 §6.2.7.
    fn message_id(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Audit => "audit",
        }
    }
}

enum Way {
    #[cfg(unix)]
    Local(Option<std::os::unix::net::UnixDatagram>),
    Udp(UdpSocket),
}

pub(super) struct Syslog {
    way: Way,
    topic: Topic,
    host: String,
}

impl Syslog {
    /// This machine's own daemon.
    #[cfg(unix)]
    pub(super) fn local(topic: Topic) -> io::Result<Self> {
        Ok(Self { way: Way::Local(Some(connect()?)), topic, host: host_name() })
    }

    /// There is none.
    #[cfg(not(unix))]
    pub(super) fn local(_: Topic) -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system has no /dev/log; name a server, as in syslog://10.0.0.9:514",
        ))
    }

    /// A server.
    pub(super) fn at(server: SocketAddr, topic: Topic) -> io::Result<Self> {
        let own: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(own)?;
        socket.connect(server)?;
        Ok(Self { way: Way::Udp(socket), topic, host: host_name() })
    }

    pub(super) fn send(&mut self, line: &str, now: SystemTime) -> io::Result<()> {
        let message = message(self.topic, &self.host, line, now);
        match &mut self.way {
            Way::Udp(socket) => socket.send(message.as_bytes()).map(drop),
            #[cfg(unix)]
            Way::Local(socket) => {
                // A daemon that was started anew has another socket.
                let there = match socket.take() {
                    Some(there) => there,
                    None => connect()?,
                };
                there.send(message.as_bytes())?;
                *socket = Some(there);
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
fn connect() -> io::Result<std::os::unix::net::UnixDatagram> {
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    socket.connect(LOCAL)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// RFC 5424 §6: version 1, no structured data. The line is JSON in ASCII or UTF-8 without control characters.
fn message(topic: Topic, host: &str, line: &str, now: SystemTime) -> String {
    let (priority, time, id) = (topic.priority(), rfc3339(now), topic.message_id());
    format!("<{priority}>1 {time} {host} hallpass {} {id} - {line}", std::process::id())
}

/// RFC 5424 §6.2.4: visible ASCII, 255 at most, or `-`.
fn host_name() -> String {
    let said = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = said.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message_of_rfc_5424() {
        let said =
            message(Topic::Access, "h", r#"{"a":1}"#, SystemTime::UNIX_EPOCH + Duration::from_millis(1));
        let pid = std::process::id();
        assert_eq!(said, format!(r#"<134>1 1970-01-01T00:00:00.001Z h hallpass {pid} access - {{"a":1}}"#));
        assert!(message(Topic::Audit, "-", "x", SystemTime::UNIX_EPOCH).starts_with("<85>1 "));
        assert!(!host_name().is_empty() && host_name().bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn a_server_gets_one_datagram_for_each_line() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut syslog = Syslog::at(server.local_addr().unwrap(), Topic::Access).unwrap();
        for line in ["one", "two"] {
            syslog.send(line, SystemTime::UNIX_EPOCH).unwrap();
            let mut got = [0; 1024];
            let length = server.recv(&mut got).unwrap();
            assert!(std::str::from_utf8(&got[..length]).unwrap().ends_with(&format!(" access - {line}")));
        }
    }
}
