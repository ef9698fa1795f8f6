//! What moves in either direction share: ending the guest here, changing the row, running the guest there.

use cuttle_compute_protocol::{Action, ShutdownMode};
use cuttle_model::capacity::Claim;
use cuttle_model::fault::FaultKind;
use cuttle_model::flavor::Flavor;
use cuttle_model::ids::{Epoch, HostId, InstanceId};
use cuttle_model::instance::PowerState;
use serde::{Deserialize, Serialize};

use crate::agent::{Answer, ask_in_step};
use crate::engine::{Context, StepError};
use crate::guest::{self, GuestRun};

/// Where an instance is, and as what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Place {
    pub host_id: HostId,
    pub flavor: Flavor,
}

/// An instance on its way from one place to another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Relocation {
    pub instance_id: InstanceId,
    pub from: Place,
    pub to: Place,
    /// The epoch in which it was in the old place.
    pub epoch: Epoch,
    /// Its guest runs in the old place, and is run again there if this is undone.
    pub ran_before: bool,
    /// Its guest is to run in the new place.
    pub runs_after: bool,
    /// The row says that it is in the new place.
    pub moved: bool,
    /// The guest's run in the new place.
    run: Option<GuestRun>,
}

impl Relocation {
    pub fn new(instance_id: InstanceId, epoch: Epoch, from: Place, to: Place, ran_before: bool, runs_after: bool) -> Self {
        Self { instance_id, from, to, epoch, ran_before, runs_after, moved: false, run: None }
    }

    /// Ends the guest in the old place.
    pub async fn shut_down(&self, context: &Context) -> Result<(), StepError> {
        if !self.ran_before {
            return Ok(());
        }
        let mode = ShutdownMode::Clean { timeout_seconds: context.control.settings().shutdown_timeout_seconds };
        context.or_cancelled(guest::stop_for_certain(context, self.instance_id, self.from.host_id, self.epoch, mode)).await?
    }

    /// The guest runs in the old place as before: it never ended there, or it is run again.
    pub async fn run_again(&self, context: &Context) -> Result<(), StepError> {
        if !self.ran_before || self.never_ended(context).await? {
            return Ok(());
        }
        guest::prove_gone(context, self.instance_id).await?;
        let run = guest::begin_run(context).await?;
        guest::create_paused(context, &run).await?;
        guest::record_clients(context, &run).await?;
        guest::resume(context, &run).await
    }

    /// Whether the guest of the old epoch runs still. An agent that was told to end it promised that it never will again.
    async fn never_ended(&self, context: &Context) -> Result<bool, StepError> {
        if context.instance().await?.epoch != self.epoch {
            return Ok(false);
        }
        let patience = context.control.settings().command_timeout();
        let asked = ask_in_step(context, self.from.host_id, self.instance_id, self.epoch, Action::ResumeGuest, patience);
        Ok(asked.await? == Answer::Guest(PowerState::Running))
    }

    /// No client of the old place can write any more.
    pub async fn prove_gone(&self, context: &Context) -> Result<(), StepError> {
        match self.ran_before {
            true => guest::prove_clients_gone(context, self.instance_id, self.epoch).await,
            false => guest::prove_gone(context, self.instance_id).await,
        }
    }

    /// The row says that the instance is in the new place; the claim on the old one is kept for the way back.
    pub async fn go(&mut self, context: &Context) -> Result<(), StepError> {
        write(context, self.instance_id, &self.to, &self.from).await?;
        self.moved = true;
        Ok(())
    }

    /// The row says that the instance is in the old place.
    pub async fn go_back(&mut self, context: &Context) -> Result<(), StepError> {
        write(context, self.instance_id, &self.from, &self.to).await?;
        self.moved = false;
        Ok(())
    }

    pub async fn begin_epoch(&mut self, context: &Context) -> Result<(), StepError> {
        if self.runs_after {
            self.run = Some(guest::begin_run(context).await?);
        }
        Ok(())
    }

    pub async fn create_guest(&self, context: &Context) -> Result<(), StepError> {
        match &self.run {
            Some(run) => guest::create_paused(context, run).await,
            None => self.unless_it_runs(),
        }
    }

    pub async fn destroy_guest(&self, context: &Context) -> Result<(), StepError> {
        match &self.run {
            Some(run) => guest::make_void(context, run.instance_id, run.host_id, run.epoch).await,
            None => Ok(()),
        }
    }

    pub async fn record_clients(&self, context: &Context) -> Result<(), StepError> {
        match &self.run {
            Some(run) => guest::record_clients(context, run).await,
            None => self.unless_it_runs(),
        }
    }

    pub async fn run_guest(&self, context: &Context) -> Result<(), StepError> {
        match &self.run {
            Some(run) => guest::resume(context, run).await,
            None => self.unless_it_runs(),
        }
    }

    /// The host that it has left keeps nothing of it. Nobody waits for that: the host may be away.
    pub async fn leave(&self, context: &Context) -> Result<(), StepError> {
        if self.from.host_id == self.to.host_id {
            return Ok(());
        }
        guest::forget_there(context, self.instance_id, self.from.host_id, self.epoch).await
    }

    /// What the guest is when all has gone well.
    pub fn power_after(&self) -> PowerState {
        if self.runs_after { PowerState::Running } else { PowerState::Shutdown }
    }

    /// What the guest is when all was undone.
    pub fn power_before(&self) -> PowerState {
        if self.ran_before { PowerState::Running } else { PowerState::Shutdown }
    }

    fn unless_it_runs(&self) -> Result<(), StepError> {
        match self.runs_after {
            true => Err(StepError::failed(FaultKind::Internal, "the instance has no new epoch")),
            false => Ok(()),
        }
    }
}

/// Writes where the instance is, and which of its two claims that is.
async fn write(context: &Context, instance_id: InstanceId, here: &Place, there: &Place) -> Result<(), StepError> {
    let claim = |place: &Place| Claim::of(instance_id, place.host_id, &place.flavor);
    context
        .move_instance(&claim(here), &claim(there), |instance| {
            instance.host_id = Some(here.host_id);
            instance.flavor = here.flavor.clone();
        })
        .await
}
