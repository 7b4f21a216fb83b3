//! What systemd hears of a server: that it is ready, reloads or stops. Where nobody listens (NOTIFY_SOCKET), nothing.

use std::time::Duration;

use fernwire::model::Visible;
use fernwire::transport::endpoint::Endpoint;
use sd_notify::NotifyState;
use tracing::warn;

/// What a drain may take beyond its time, until the process is gone.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// Everything listens, or everything has been reloaded.
pub(crate) fn ready(listeners: &[Endpoint]) {
    let places: Vec<_> = listeners.iter().map(ToString::to_string).collect();
    // A line break in it would begin a notification of its own.
    let status = format!("Listening at {}", Visible(&places.join(", ")));
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// A reload begins; [`ready`] ends it.
pub(crate) fn reloading() {
    // The time tells this reload from one before it. Without a clock, systemd up to 252 is content with the rest.
    let now = NotifyState::monotonic_usec_now().ok();
    let states: Vec<_> = [NotifyState::Reloading].into_iter().chain(now).collect();
    tell(&states);
}

/// No new connections from now on; `drain` is what the others have.
pub(crate) fn stopping(drain: Duration) {
    let status = format!("Stopping; what is being answered has {drain:?}");
    // A drain may be configured to take longer than the unit lets a stop take.
    let patience = u32::try_from((drain + STOP_MARGIN).as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(patience), NotifyState::Status(&status)]);
}

/// Serving does not depend on whether anybody hears of it.
fn tell(states: &[NotifyState]) {
    if std::env::var_os("NOTIFY_SOCKET").is_none_or(|socket| socket.is_empty()) {
        return;
    }
    if let (Err(error), Some(first)) = (sd_notify::notify(states), states.first()) {
        warn!(state = %first, reason = %error, "systemd could not be told");
    }
}
