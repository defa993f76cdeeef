//! The services of a footing as processes of their own.

use testkit::{
    process::{Process, Scratch},
    services,
};

use crate::footing::Footing;

/// Starts a service of a footing and waits until it is ready.
pub async fn start(footing: &Footing, service: &str, scratch: &Scratch) -> anyhow::Result<Process> {
    start_with(footing, service, scratch, &[]).await
}

/// Starts a service with more in its environment, without waiting for it.
pub async fn launch(
    footing: &Footing,
    service: &str,
    scratch: &Scratch,
    more: &[(&str, String)],
) -> anyhow::Result<Process> {
    let of_footing = footing.environment.iter();
    let of_footing = of_footing.map(|(key, value)| (key.as_str(), value.as_str()));
    let more = more.iter().map(|(key, value)| (*key, value.as_str()));
    services::launch(service, of_footing.chain(more), scratch).await
}

/// Starts a service with more in its environment and waits until it is ready.
pub async fn start_with(
    footing: &Footing,
    service: &str,
    scratch: &Scratch,
    more: &[(&str, String)],
) -> anyhow::Result<Process> {
    let process = launch(footing, service, scratch, more).await?;
    services::until_ready(&process, &footing.addresses.admin(service)).await?;
    Ok(process)
}
