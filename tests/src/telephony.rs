//! The telephone side with real programs: Kamailio with its stock configuration, baresip phones, sipp, and the media
//! relay under test behind them. Everything runs in a network namespace of the test's own.

pub mod baresip;
pub mod card;
mod certificate;
pub mod exchange;
pub mod kamailio;
pub mod lab;
pub mod ng;
pub mod program;
pub mod relay;
pub mod sipp;
pub mod socket;
pub mod wav;

pub use baresip::{Phone, Style};
pub use exchange::Exchange;
pub use kamailio::Kamailio;
pub use lab::{Lab, within};
pub use relay::{Relay, RelayNode};
pub use sipp::Load;
pub use socket::Socket;

/// Looks again and again, twenty times a second, until `look` finds something; hung after [`crate::HUNG`].
///
/// For what other programs leave in files and tables, where nobody tells us of a change.
pub async fn until<T>(
    what: &'static str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> Result<T, crate::Error> {
    let mut clock = tokio::time::interval(std::time::Duration::from_millis(50));
    crate::must(what, async {
        loop {
            clock.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    })
    .await
}
