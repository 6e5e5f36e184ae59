//! A client of Digest.

use hallpass_protocol::challenge::Challenge;
use sha2::Digest as _;

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A client of Digest, written from RFC 7616 with another library's hashes.
pub(crate) struct Client<'a> {
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) count: u32,
    pub(crate) realm: Option<&'a str>,
}

impl Default for Client<'_> {
    fn default() -> Self {
        Self { name: "ci", password: "correct horse", method: "POST", uri: "/mcp", count: 1, realm: None }
    }
}

impl Client<'_> {
    pub(crate) fn answer(&self, challenge: &Challenge) -> String {
        let algorithm = challenge.param("algorithm").unwrap();
        let h = |text: String| match algorithm {
            "SHA-256" => hex(sha2::Sha256::digest(text)),
            "SHA-512-256" => hex(sha2::Sha512_256::digest(text)),
            other => panic!("{other}"),
        };
        let realm = self.realm.unwrap_or(challenge.realm().unwrap());
        let (nonce, nc) = (challenge.param("nonce").unwrap(), format!("{:08x}", self.count));
        let ha1 = h(format!("{}:{realm}:{}", self.name, self.password));
        let ha2 = h(format!("{}:{}", self.method, self.uri));
        let response = h(format!("{ha1}:{nonce}:{nc}:0a4f113b:auth:{ha2}"));
        format!(
            "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{}\", algorithm={algorithm}, \
             qop=auth, nc={nc}, cnonce=\"0a4f113b\", response=\"{response}\"",
            self.name, self.uri
        )
    }
}
