//! Which operations this control node works on: takes them up, and keeps their leases.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cuttle_database::Event;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Lease, Operation};
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::registry::dispatch;
use crate::Control;
use crate::events::wait_for;
use crate::membership;

/// The operations that this node works on.
pub struct Engine {
    running: Arc<Mutex<HashMap<OperationId, Running>>>,
    /// Permits for operations that are worked on at once; a further one waits, with its lease.
    slots: Arc<Semaphore>,
    capacity: usize,
    /// A step found this node fenced.
    fenced: Notify,
}

struct Running {
    cancelled: CancellationToken,
    task: AbortHandle,
    lease_until: Timestamp,
}

impl Engine {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { running: Arc::default(), slots: Arc::new(Semaphore::new(capacity)), capacity, fenced: Notify::new() }
    }

    /// A lease for an operation that this node is about to insert.
    pub(crate) fn first_lease(control: &Control) -> Lease {
        Lease { owner: control.node(), epoch: 1, until: control.now().plus(control.settings().lease()) }
    }

    /// Works on an operation whose lease this node holds.
    pub(crate) fn start(&self, control: &Control, operation: Operation) {
        let Some(lease) = operation.lease.clone() else { return };
        let id = operation.id;
        let cancelled = CancellationToken::new();
        if operation.cancel_requested {
            cancelled.cancel();
        }
        let mut running = self.running();
        if running.contains_key(&id) {
            return;
        }
        let (table, slots) = (Arc::clone(&self.running), Arc::clone(&self.slots));
        let (control, token) = (control.clone(), cancelled.clone());
        let task = tokio::spawn(async move {
            let _slot = slots.acquire_owned().await;
            dispatch(control, operation, lease.epoch, token).await;
            lock(&table).remove(&id);
        });
        running.insert(id, Running { cancelled, task: task.abort_handle(), lease_until: lease.until });
    }

    /// A step was told by Ceph that this node is fenced.
    pub(super) fn note_fenced(&self) {
        self.fenced.notify_one();
    }

    /// Whether no task of an operation is left, those that were told to end included.
    pub(crate) fn is_idle(&self) -> bool {
        self.slots.available_permits() == self.capacity
    }

    /// Takes operations up and keeps leases until `shutdown`; then waits for none: another node, or the
    /// next start of this one, goes on from the journal.
    pub(crate) async fn run(&self, control: &Control, shutdown: &CancellationToken) {
        let mut events = control.database().events();
        let third = (control.settings().lease() / 3).max(Duration::from_millis(100));
        let mut tick = tokio::time::interval(third);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = tick.tick() => {
                    if membership::is_member(control).await {
                        self.renew(control).await;
                    } else if !self.rejoin(control).await {
                        continue;
                    }
                    membership::fence_lapsed(control).await;
                    self.take(control).await;
                }
                () = self.fenced.notified() => {
                    // Ceph knows it, whoever did it; so what this node worked on may go on at once.
                    let old = control.node();
                    if !self.rejoin(control).await {
                        continue;
                    }
                    if let Err(error) = control.database().node_fenced(old, control.now()).await {
                        tracing::warn!(%error, "others find out by themselves that this node was fenced");
                    }
                    self.take(control).await;
                }
                event = events.recv() => match event {
                    Ok(Event::Ready(_)) => self.take(control).await,
                    Ok(Event::Cancelled(id)) => self.cancel(id),
                    Ok(Event::Resync) | Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.look_for_cancellations(control).await;
                        self.take(control).await;
                    }
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Closed) => break,
                },
            }
        }
        self.drop_all();
    }

    /// Ends the work on everything that is under way here.
    fn drop_all(&self) {
        for (_, running) in self.running().drain() {
            running.task.abort();
        }
    }

    /// Goes on as another node. False: it must be tried again, and until then nothing is taken up.
    async fn rejoin(&self, control: &Control) -> bool {
        self.drop_all();
        membership::rejoin(control).await
    }

    fn cancel(&self, id: OperationId) {
        if let Some(running) = self.running().get(&id) {
            running.cancelled.cancel();
        }
    }

    async fn look_for_cancellations(&self, control: &Control) {
        let ids: Vec<_> = self.running().keys().copied().collect();
        for id in ids {
            match control.database().is_cancelled(id).await {
                Ok(true) => self.cancel(id),
                Ok(false) => {}
                Err(error) => return tracing::warn!(%error, "cancellations could not be read"),
            }
        }
    }

    /// Prolongs the leases. Whoever has lost one, or may have, stops at once: its writes would be
    /// refused, but what it does to Ceph would not.
    async fn renew(&self, control: &Control) {
        let ids: Vec<_> = self.running().keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let until = control.now().plus(control.settings().lease());
        let kept = control.database().renew_leases(control.node(), &ids, until).await;
        let now = control.now();
        let mut running = self.running();
        match kept {
            Ok(kept) => {
                for id in &kept {
                    if let Some(running) = running.get_mut(id) {
                        running.lease_until = until;
                    }
                }
                running.retain(|id, entry| !ids.contains(id) || kept.contains(id) || stop(id, entry));
            }
            Err(error) => {
                tracing::warn!(%error, "leases could not be prolonged");
                running.retain(|id, entry| entry.lease_until > now || stop(id, entry));
            }
        }
    }

    async fn take(&self, control: &Control) {
        let free = self.capacity.saturating_sub(self.running().len());
        let Ok(limit) = u32::try_from(free) else { return };
        if limit == 0 {
            return;
        }
        let now = control.now();
        let until = now.plus(control.settings().lease());
        match control.database().take_operations(control.node(), now, until, limit).await {
            Ok(operations) => operations.into_iter().for_each(|operation| self.start(control, operation)),
            Err(error) => tracing::warn!(%error, "operations could not be taken up"),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<OperationId, Running>> {
        lock(&self.running)
    }
}

/// Works on an operation that was just begun, and waits for its end.
pub(crate) async fn finish(control: &Control, operation: Operation) -> cuttle_database::Result<Operation> {
    let (id, database) = (operation.id, control.database());
    control.engine().start(control, operation);
    wait_for(
        database,
        |event| event == Event::Ended(id),
        || async { Ok(database.get_operation(id).await?.filter(|operation| !operation.status.is_active())) },
    )
    .await
}

/// Ends the work on an operation; always false, for `retain`.
fn stop(id: &OperationId, running: &Running) -> bool {
    // A finished task is still in the table for a moment; its lease went with its end.
    if !running.task.is_finished() {
        tracing::warn!(operation = %id, "the lease is lost; another node goes on");
        running.task.abort();
    }
    false
}

fn lock(table: &Mutex<HashMap<OperationId, Running>>) -> MutexGuard<'_, HashMap<OperationId, Running>> {
    table.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
