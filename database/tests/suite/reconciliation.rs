//! What a reconciler asks.

use cuttle_compute_protocol::Action;
use cuttle_database::{OddClaim, WhenBusy, Written};
use cuttle_model::client::ClientProof;
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::{Instance, InstanceState, StateName, Task};

use crate::lab::Lab;
use crate::rows;

async fn write(lab: &Lab, instance: &Instance) {
    assert_eq!(lab.database.update_instance(instance, None).await.unwrap(), Written::Done);
}

#[tokio::test]
async fn rows_are_found_by_their_ids_deleted_ones_too() {
    let lab = Lab::new().await;
    let (one, two) = (rows::insert_instance(&lab.database).await, rows::insert_instance(&lab.database).await);
    write(&lab, &Instance { state: InstanceState::Deleted, ..two.clone() }).await;
    let unknown = InstanceId::from_uuid(rows::uuid());
    let mut found = lab.database.instances_by_id(&[one.id, two.id, unknown]).await.unwrap();
    found.sort_by_key(|instance| instance.id != one.id);
    assert_eq!(found.iter().map(|instance| instance.id).collect::<Vec<_>>(), [one.id, two.id]);
    assert_eq!(found[1].state, InstanceState::Deleted);
    assert!(lab.database.instances_by_id(&[]).await.unwrap().is_empty());

    let image = rows::image(rows::project());
    lab.database.insert_image(&image).await.unwrap();
    let deleted = Image { status: ImageStatus::Deleted, ..image.clone() };
    assert_eq!(lab.database.update_image(&deleted, None).await.unwrap(), Written::Done);
    let found = lab.database.images_by_id(&[image.id]).await.unwrap();
    assert_eq!(found.iter().map(|image| image.status).collect::<Vec<_>>(), [ImageStatus::Deleted]);
}

#[tokio::test]
async fn what_is_worked_on_and_what_is_not() {
    let lab = Lab::new().await;
    let busy = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&busy, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&begin).await.unwrap();
    let idle = rows::insert_instance(&lab.database).await;
    let subjects = [busy.id, idle.id].map(cuttle_model::operation::Subject::Instance);
    assert_eq!(lab.database.at_work_on(&subjects).await.unwrap(), [subjects[0]]);
    assert!(lab.database.idle_tasks(10).await.unwrap().is_empty());
    write(&lab, &Instance { task: Some(Task::Stopping), ..idle.clone() }).await;
    assert_eq!(lab.database.idle_tasks(10).await.unwrap(), [(idle.id, Task::Stopping)]);
    assert!(lab.database.idle_tasks(0).await.unwrap().is_empty());
}

#[tokio::test]
async fn claims_and_instances_that_do_not_fit_are_found() {
    let lab = Lab::new().await;
    let (host, other) = (rows::insert_host(&lab.database, "host1").await, rows::insert_host(&lab.database, "host2").await);
    let place = async || {
        let new = rows::placed(host.id, 100);
        lab.database.insert_instance(&new).await.unwrap();
        new.instance
    };
    let (good, deleted, moved) = (place().await, place().await, place().await);
    assert!(lab.database.odd_claims(10).await.unwrap().is_empty());
    write(&lab, &Instance { state: InstanceState::Deleted, ..deleted.clone() }).await;
    write(&lab, &Instance { host_id: Some(other.id), ..moved.clone() }).await;
    let bare = rows::insert_instance(&lab.database).await;
    write(&lab, &Instance { host_id: Some(host.id), task: None, ..bare.clone() }).await;
    let odd = |instance: &Instance, state, host_id, claimed_on| OddClaim { instance_id: instance.id, state, host_id, claimed_on };
    let mut expected = [
        odd(&deleted, StateName::Deleted, Some(host.id), Some(host.id)),
        odd(&moved, moved.state.name(), Some(other.id), Some(host.id)),
        odd(&bare, bare.state.name(), Some(host.id), None),
    ];
    expected.sort_by_key(|odd| odd.instance_id);
    assert_eq!(lab.database.odd_claims(10).await.unwrap(), expected);
    assert!(!expected.iter().any(|odd| odd.instance_id == good.id));
    // Whoever works on an instance is not done with its claim.
    let moved = rows::get(&lab.database, &moved).await;
    write(&lab, &Instance { task: Some(Task::Stopping), ..moved }).await;
    assert_eq!(lab.database.odd_claims(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn commands_that_nobody_took_are_found() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let commands: Vec<_> = (0..2).map(|_| rows::command(InstanceId::from_uuid(rows::uuid()), 1, Action::ResumeGuest)).collect();
    for command in &commands {
        lab.database.insert_command(host.id, command).await.unwrap();
    }
    lab.database.withdraw_command(commands[1].id).await.unwrap();
    // Their time is over at second 60.
    assert!(lab.database.overdue_commands(rows::at(60), 10).await.unwrap().is_empty());
    let overdue = lab.database.overdue_commands(rows::at(61), 10).await.unwrap();
    assert_eq!(overdue.iter().map(|command| command.id).collect::<Vec<_>>(), [commands[0].id]);
    assert_eq!((overdue[0].host_id, overdue[0].action.as_str()), (host.id, "resume_guest"));
}

#[tokio::test]
async fn open_clients_of_many_instances_come_at_once() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let mut instances = Vec::new();
    for address in ["a:0/1", "a:0/2"] {
        let instance = rows::insert_instance(&lab.database).await;
        lab.database.begin_epoch(instance.id, Epoch::NONE, host.id).await.unwrap().unwrap();
        let client = rows::client(instance.id, 1, host.id, address);
        lab.database.allow_running(instance.id, Epoch(1), &[client]).await.unwrap();
        instances.push(instance.id);
    }
    assert_eq!(lab.database.open_clients_of(&instances).await.unwrap().len(), 2);
    lab.database.close_clients(instances[0], Epoch(1), ClientProof::Gone, rows::at(1)).await.unwrap();
    let left = lab.database.open_clients_of(&instances).await.unwrap();
    assert_eq!(left.iter().map(|client| client.instance_id).collect::<Vec<_>>(), [instances[1]]);
}
