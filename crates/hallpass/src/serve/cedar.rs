//! Policies in Cedar: read, where this program was built with them.

use hallpass_resource_server::policy;

use crate::config::{Cedar, Section};

/// A mistake in `server.cedar`, or in what it names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CedarFault {
    /// A file that is named can't be read.
    #[cfg(feature = "cedar")]
    #[error("{place}: can't read {file}: {source}")]
    File {
        /// File and line, or the setting's name.
        place: String,
        /// The file that is named there.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A policy can't be used.
    #[cfg(feature = "cedar")]
    #[error(transparent)]
    Policies(#[from] policy::cedar::CedarError),
    /// Without Cedar, what it would deny would be allowed.
    #[cfg(not(feature = "cedar"))]
    #[error(
        "{place}: this hallpass was built without Cedar, so it can't keep these policies; build it with --features cedar"
    )]
    NotBuilt {
        /// File and line, or the setting's name.
        place: String,
    },
}

/// What the file names, read and checked.
#[cfg(feature = "cedar")]
pub(super) fn read(said: &Cedar, section: Section<'_>) -> Result<policy::Cedar, CedarFault> {
    let read = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(policy::cedar::CedarFile { name, text }),
            Err(error) => {
                let place = section.place(&["cedar", "policies"]);
                Err(CedarFault::File { place, file: name, source: error })
            }
        }
    };
    let files = said.policies.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(policy::Cedar::new(&files, &said.groups)?)
}

/// Refused: nothing here could keep them.
#[cfg(not(feature = "cedar"))]
pub(super) fn read(_: &Cedar, section: Section<'_>) -> Result<policy::Cedar, CedarFault> {
    Err(CedarFault::NotBuilt { place: section.place(&["cedar"]) })
}
