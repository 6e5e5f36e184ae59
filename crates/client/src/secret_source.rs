//! Secrets that someone else renews: a token in the environment, a file that a platform rewrites.

use std::{env, fmt, path::PathBuf};

use hallpass_protocol::secret::Secret;
use tokio::io::AsyncReadExt as _;

use crate::error::Rule;

/// No token is longer. A path that leads to something else must not fill the memory.
const MAX_LEN: u64 = 64 * 1024;

/// Where a secret comes from. It is read anew each time it is needed, so what a platform writes there
/// (a projected service account token, for one) is taken up without a restart.
#[derive(Clone)]
#[non_exhaustive]
pub enum SecretSource {
    /// The secret itself.
    Value(Secret),
    /// The environment variable of that name.
    Environment(String),
    /// The file at that path; white space around the secret does not count.
    File(PathBuf),
}

impl SecretSource {
    /// The secret as it is now.
    pub(crate) async fn read(&self) -> Result<Secret, Rule> {
        let unreadable = |detail: String| Rule::SecretUnreadable { place: self.to_string(), detail };
        let text = match self {
            Self::Value(secret) => return Ok(secret.clone()),
            Self::Environment(name) => {
                // Not the error itself: for text that is not Unicode it holds the value.
                env::var(name).map(Secret::new).map_err(|_| unreadable("it is not set, or no text".into()))?
            }
            Self::File(path) => {
                let mut text = String::new();
                let file =
                    tokio::fs::File::open(path).await.map_err(|error| unreadable(error.to_string()))?;
                let read = file.take(MAX_LEN).read_to_string(&mut text).await;
                let text = Secret::new(text);
                read.map_err(|error| unreadable(error.to_string()))?;
                text
            }
        };
        match text.expose().trim() {
            "" => Err(unreadable("it is empty".into())),
            secret => Ok(Secret::new(secret)),
        }
    }
}

/// The place, never the secret.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("the configured value"),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretSource({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = SecretSource::File(path.clone());
        assert!(matches!(source.read().await, Err(Rule::SecretUnreadable { .. })));
        for (written, read) in [("one\n", "one"), ("  two", "two")] {
            std::fs::write(&path, written).unwrap();
            assert_eq!(source.read().await.unwrap().expose(), read);
        }
        std::fs::write(&path, " \n").unwrap();
        assert!(matches!(source.read().await, Err(Rule::SecretUnreadable { .. })));
    }

    #[tokio::test]
    async fn the_environment_is_named_and_the_value_never_shown() {
        assert_eq!(
            SecretSource::Environment("PATH".into()).read().await.unwrap().expose(),
            env::var("PATH").unwrap().trim()
        );
        let missing = SecretSource::Environment("HALLPASS_NO_SUCH_VARIABLE".into()).read().await.unwrap_err();
        assert!(missing.to_string().contains("HALLPASS_NO_SUCH_VARIABLE"), "{missing}");
        let shown = format!("{:?}", SecretSource::Value(Secret::new("canary")));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
