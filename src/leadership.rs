//! Leader election on a Lease: of several operators one works, and no other begins while it may still write.
//!
//! A leader measures for itself how long it leads. It counts from the moment it *sent* the last renewal that succeeded,
//! and [`DEADLINE`] later it takes no further step and sends no further request, whatever it has read since: nothing,
//! where the API server is out of reach. Others wait for the whole [`LEASE`] after the last renewal they saw. What lies
//! between covers the longest request in flight.

mod authority;
mod clock;
mod election;
mod lease;
mod selection;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::readiness::Readiness;
use election::{Election, LeaseState};
use lease::{Error, LeaseObject};

pub use authority::{Authority, NotLeading};
pub use selection::{Selection, lease_name};

/// The time that others wait for a silent leader.
pub const LEASE: Duration = Duration::from_secs(30);

/// The time for which a leader acts without a successful renewal.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// The longest that one request, to AWS or to the API server, is waited for.
pub const LONGEST_CALL: Duration = Duration::from_secs(10);

/// The time between two renewals, and between two reads by a candidate.
const PERIOD: Duration = Duration::from_secs(3);

const _: () = assert!(LEASE.as_secs() > DEADLINE.as_secs() + LONGEST_CALL.as_secs());
const _: () = assert!(DEADLINE.as_secs() > 2 * (PERIOD.as_secs() + lease::ANSWER.as_secs()));

/// The part of `/readyz` about the election.
const PART: &str = "leader election";

/// The time in which this process leads.
pub struct Tenure {
    lease: Arc<LeaseObject>,
    authority: Authority,
    /// Ends the renewals.
    enough: CancellationToken,
    renewing: JoinHandle<Option<Lease>>,
}

impl Tenure {
    /// Gives the Lease back, so that another leads at once. For a process whose last request has been answered.
    pub async fn give_back(self) {
        self.enough.cancel();
        let Ok(Some(lease)) = self.renewing.await else { return };
        // Others believe what they read, so nothing of ours may follow.
        self.authority.resign();
        if let Err(error) = self.lease.give_back(&lease).await {
            info!("the lease is not given back and runs out by itself: {error}");
        }
    }

    /// True when the Lease was lost rather than given back.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.authority.check().is_err()
    }
}

/// Waits until this process leads, or ends. From then on losing the Lease, or not being able to renew it, ends the
/// operator. `place` is the namespace of the Lease, and its name.
pub async fn lead(
    client: Client,
    place: (String, String),
    authority: &Authority,
    readiness: &Readiness,
) -> Option<Tenure> {
    let (namespace, name) = place;
    let lease = Arc::new(LeaseObject::new(client, &namespace, name.clone(), identity()));
    let mut election = Election::new(lease.identity.clone(), LEASE);
    info!(identity = lease.identity, namespace, name, "waiting for the lease");
    let mut is_logged = false;
    loop {
        let wait = match try_acquire(&lease, &mut election, authority).await {
            Ok(Attempt::Acquired(ours, until)) => {
                readiness.set(PART, None);
                info!("leading");
                return Some(Tenure::begin(lease, *ours, until, authority));
            }
            Ok(Attempt::Held(by, left)) => {
                readiness.set(PART, None);
                if !std::mem::replace(&mut is_logged, true) {
                    info!(by, "the lease is held: waiting until it is free");
                }
                left.min(PERIOD)
            }
            Err(Error::Overtaken) => PERIOD,
            Err(error) => {
                readiness.set(PART, Some(error.to_string()));
                PERIOD
            }
        };
        tokio::select! {
            () = authority.stop().cancelled() => return None,
            () = tokio::time::sleep(wait.mul_f64(1.0 + 0.2 * fastrand::f64())) => {}
        }
    }
}

/// The result of one attempt.
enum Attempt {
    /// The Lease, and until when it is ours by our own clock.
    Acquired(Box<Lease>, Duration),
    Held(String, Duration),
}

async fn try_acquire(lease: &LeaseObject, election: &mut Election, authority: &Authority) -> Result<Attempt, Error> {
    let found = lease.read().await?;
    let record = found.as_ref().and_then(|lease| lease.spec.as_ref());
    match election.observe(record, clock::now()) {
        LeaseState::Held(left) => {
            let holder = record.and_then(|record| record.holder_identity.clone()).unwrap_or_default();
            Ok(Attempt::Held(if holder.is_empty() { "nobody known".into() } else { holder }, left))
        }
        LeaseState::Ours | LeaseState::Free => {
            let sent = clock::now();
            let taken = lease.take(found.as_ref()).await?;
            authority.extend(sent + DEADLINE);
            Ok(Attempt::Acquired(Box::new(taken), sent + DEADLINE))
        }
    }
}

impl Tenure {
    fn begin(lease: Arc<LeaseObject>, ours: Lease, until: Duration, authority: &Authority) -> Self {
        let enough = CancellationToken::new();
        let renewal = renew_until_stopped(Arc::clone(&lease), ours, until, authority.clone(), enough.clone());
        Self { lease, authority: authority.clone(), enough, renewing: tokio::spawn(renewal) }
    }
}

/// Renews the Lease until there is enough of it, and returns it as it is then; or until it is lost, which ends the
/// operator.
async fn renew_until_stopped(
    lease: Arc<LeaseObject>,
    mut ours: Lease,
    mut until: Duration,
    authority: Authority,
    enough: CancellationToken,
) -> Option<Lease> {
    loop {
        tokio::select! {
            () = enough.cancelled() => return Some(ours),
            () = tokio::time::sleep(PERIOD) => {}
        }
        let sent = clock::now();
        let left = until.saturating_sub(sent);
        let lost = if left.is_zero() {
            Some(format!("it could not be renewed for {} seconds", DEADLINE.as_secs()))
        } else {
            let renewal = tokio::time::timeout(left, renew(&lease, &ours));
            let renewal = tokio::select! {
                // Whether it was renewed or not, it is given back.
                () = enough.cancelled() => return Some(ours),
                renewal = renewal => renewal,
            };
            match renewal {
                Ok(Ok(Renewal::Renewed(renewed))) => {
                    ours = renewed;
                    until = sent + DEADLINE;
                    authority.extend(until);
                    None
                }
                Ok(Ok(Renewal::Changed(changed))) => {
                    ours = changed;
                    None
                }
                Ok(Ok(Renewal::Lost(holder))) => Some(format!("{holder} has taken it")),
                Ok(Err(error)) => {
                    warn!("the lease is not renewed: {error}");
                    None
                }
                Err(_) => None,
            }
        };
        if let Some(why) = lost {
            error!("the lease is lost: {why}; ending");
            authority.resign();
            authority.stop().cancel();
            return None;
        }
    }
}

/// The result of a renewal.
enum Renewal {
    Renewed(Lease),
    /// It is still ours, and somebody wrote to it: the next renewal names this version.
    Changed(Lease),
    Lost(String),
}

async fn renew(lease: &LeaseObject, ours: &Lease) -> Result<Renewal, Error> {
    match lease.renew(ours).await {
        Ok(renewed) => return Ok(Renewal::Renewed(renewed)),
        Err(Error::Overtaken) => {}
        Err(error) => return Err(error),
    }
    let Some(found) = lease.read().await? else {
        // Somebody deleted it. Whoever waits for it waits long enough for this.
        return lease.take(None).await.map(Renewal::Renewed);
    };
    let holder = found.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
    match holder {
        holder if holder == lease.identity => Ok(Renewal::Changed(found)),
        holder if holder.is_empty() => Ok(Renewal::Lost("nobody (it was emptied)".into())),
        holder => Ok(Renewal::Lost(holder)),
    }
}

/// A name that no other process has, and that says which pod it is.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "aiplatform".into());
    format!("{host}_{:016x}", fastrand::u64(..))
}
