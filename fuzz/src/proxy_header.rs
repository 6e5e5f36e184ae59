//! The header of the PROXY protocol, versions 1 and 2, as a listed proxy begins a connection with it.
//!
//! What is taken was written to the letter, and of what follows it, which is the client's, not a byte is taken.

use std::net::{IpAddr, SocketAddr};

use futures_util::FutureExt;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Takes one input.
pub fn check(data: &[u8]) {
    let mut rest = data;
    let told = hallpass_gateway::fuzzing::told(&mut rest).now_or_never().expect("bytes are there at once");
    let Ok(from) = told else { return };
    let header = &data[..data.len() - rest.len()];
    match header.strip_prefix(SIGNATURE) {
        Some(binary) => is_binary(binary, from),
        None => is_line(header, from),
    }
    // Alone it says the same.
    let mut alone = header;
    let again = hallpass_gateway::fuzzing::told(&mut alone).now_or_never().expect("bytes are there at once");
    assert_eq!((again.expect("a header"), alone.len()), (from, 0));
}

fn is_line(header: &[u8], from: Option<SocketAddr>) {
    let line = std::str::from_utf8(header).expect("ASCII").strip_suffix("\r\n").expect("a line");
    assert!(header.len() <= 107 && !line.contains("\r\n"));
    let words: Vec<&str> = line.split(' ').collect();
    match from {
        None => assert_eq!(words[..2], ["PROXY", "UNKNOWN"]),
        Some(from) => {
            let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            assert_eq!((words.len(), words[0], words[1]), (6, "PROXY", family));
            assert_eq!(words[2].parse::<IpAddr>().expect("an address"), from.ip());
            assert_eq!(words[4], from.port().to_string());
        }
    }
}

fn is_binary(binary: &[u8], from: Option<SocketAddr>) {
    let [command, family, high, low, rest @ ..] = binary else { panic!("sixteen bytes") };
    assert_eq!(usize::from(u16::from_be_bytes([*high, *low])), rest.len());
    let Some(from) = from else {
        assert!(*command == 0x20 || matches!(family, 0x00 | 0x31));
        return;
    };
    let (octets, port) = match from.ip() {
        IpAddr::V4(address) => (address.octets().to_vec(), 8),
        IpAddr::V6(address) => (address.octets().to_vec(), 32),
    };
    assert_eq!((*command, *family), (0x21, if from.is_ipv4() { 0x11 } else { 0x21 }));
    assert_eq!(rest[..octets.len()], octets);
    assert_eq!(rest[port..port + 2], from.port().to_be_bytes());
}
