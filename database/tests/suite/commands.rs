//! Commands and reports.

use cuttle_compute_protocol::{Action, Outcome, Report, ShutdownMode};
use cuttle_database::{Event, ReportStored};
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;

use crate::lab::Lab;
use crate::rows;

fn report(command: &cuttle_compute_protocol::Command, outcome: Outcome) -> Report {
    Report { command_id: command.id, instance_id: command.instance_id, epoch: command.epoch, outcome }
}

#[tokio::test]
async fn a_command_is_pending_until_it_is_reported_on_or_withdrawn() {
    let lab = Lab::new().await;
    let mut events = lab.database.events();
    let host = rows::insert_host(&lab.database, "host1").await;
    let other = rows::insert_host(&lab.database, "host2").await;
    let instance = InstanceId::from_uuid(rows::uuid());
    let create = rows::command(instance, 1, Action::ResumeGuest);
    let stop = rows::command(instance, 1, Action::StopGuest { mode: ShutdownMode::Clean { timeout_seconds: 60 } });
    let forget = rows::command(instance, 2, Action::ForgetGuest);
    for command in [&create, &stop, &forget, &create] {
        lab.database.insert_command(host.id, command).await.unwrap();
    }
    for _ in 0..3 {
        assert_eq!(rows::heard(&mut events).await, Event::Command(host.id));
    }
    assert_eq!(lab.database.pending_commands(host.id).await.unwrap(), [create.clone(), stop.clone(), forget.clone()]);
    assert!(lab.database.pending_commands(other.id).await.unwrap().is_empty());

    let first = report(&create, Outcome::Guest { power: PowerState::Running });
    let second = report(&create, Outcome::Gone);
    assert_eq!(lab.database.store_report(host.id, &first, rows::at(1)).await.unwrap(), ReportStored::Stored);
    assert_eq!(rows::heard(&mut events).await, Event::Report(create.id));
    assert_eq!(lab.database.store_report(host.id, &second, rows::at(2)).await.unwrap(), ReportStored::Known);
    assert_eq!(lab.database.get_report(create.id).await.unwrap(), Some(first));
    lab.database.withdraw_command(stop.id).await.unwrap();
    assert_eq!(lab.database.pending_commands(host.id).await.unwrap(), [forget]);
    assert_eq!(lab.database.get_report(stop.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_report_of_what_was_never_asked_is_refused() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let other = rows::insert_host(&lab.database, "host2").await;
    let command = rows::command(InstanceId::from_uuid(rows::uuid()), 3, Action::ResumeGuest);
    lab.database.insert_command(host.id, &command).await.unwrap();
    let good = report(&command, Outcome::Gone);
    let old = Report { epoch: Epoch(2), ..good.clone() };
    let mistaken = Report { instance_id: InstanceId::from_uuid(rows::uuid()), ..good.clone() };
    let unknown = Report { command_id: rows::command(good.instance_id, 3, Action::ResumeGuest).id, ..good.clone() };
    for (from, wrong) in [(other.id, &good), (host.id, &old), (host.id, &mistaken), (host.id, &unknown)] {
        assert_eq!(lab.database.store_report(from, wrong, rows::at(1)).await.unwrap(), ReportStored::NoSuchCommand);
    }
    assert_eq!(lab.database.get_report(command.id).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_settled_for_long_is_purged() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let instance = InstanceId::from_uuid(rows::uuid());
    let commands: Vec<_> = (0..3).map(|_| rows::command(instance, 1, Action::ResumeGuest)).collect();
    for command in &commands {
        lab.database.insert_command(host.id, command).await.unwrap();
    }
    lab.database.store_report(host.id, &report(&commands[0], Outcome::Gone), rows::at(5)).await.unwrap();
    // Its time is over at second 60.
    lab.database.withdraw_command(commands[1].id).await.unwrap();
    assert_eq!(lab.database.purge_commands(rows::at(5)).await.unwrap(), 0);
    assert_eq!(lab.database.purge_commands(rows::at(60)).await.unwrap(), 1);
    assert_eq!(lab.database.purge_commands(rows::at(61)).await.unwrap(), 1);
    assert_eq!(lab.database.pending_commands(host.id).await.unwrap(), [commands[2].clone()]);
}
