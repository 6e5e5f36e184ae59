//! What systemd is told about a service of `Type=notify`. Without it (no `NOTIFY_SOCKET`) nothing happens.

/// Requests are taken from now on.
pub(super) fn ready() {
    tell(true);
}

/// No new requests are taken; those under way end.
pub(super) fn stopping() {
    tell(false);
}

#[cfg(unix)]
fn tell(ready: bool) {
    use sd_notify::NotifyState;

    let state = if ready { NotifyState::Ready } else { NotifyState::Stopping };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told; it may end this program after its start-up time");
    }
}

#[cfg(not(unix))]
fn tell(_: bool) {}
