//! Leader election on a Lease: of several operators one works, and one that loses the lease ends.

use kube::Client;
use kube_lease_manager::LeaseManagerBuilder;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// The Lease's name.
const LEASE: &str = "aiplatform";

/// Leadership could not be had.
#[derive(Debug, thiserror::Error)]
#[error("the lease {LEASE} could not be taken: {0}")]
pub struct Error(#[from] kube_lease_manager::LeaseManagerError);

/// Waits until this process leads. From then on, losing the lease cancels `stop`, so that two operators never work
/// side by side; the task that keeps the lease gives it back when `stop` is cancelled for another reason.
///
/// # Errors
/// When the Lease cannot be read or written.
pub async fn lead(client: Client, namespace: &str, stop: &CancellationToken) -> Result<(), Error> {
    let manager = LeaseManagerBuilder::new(client, LEASE).with_namespace(namespace).build().await?;
    let (mut leads, task) = manager.watch().await;
    info!("waiting for the lease");
    loop {
        if *leads.borrow_and_update() {
            break;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = leads.changed() => if changed.is_err() { break },
        }
    }
    info!("leading");
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                changed = leads.changed() => {
                    if changed.is_err() || !*leads.borrow_and_update() {
                        error!("the lease is lost: ending");
                        stop.cancel();
                        break;
                    }
                }
            }
        }
        drop(leads);
        if let Ok(Ok(manager)) = task.await {
            // The lease runs out by itself when it cannot be given back.
            let _ = manager.release().await;
        }
    });
    Ok(())
}
