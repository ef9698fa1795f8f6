//! The table: each operation in one entry. A new one is added here, and the kit does the rest.

use bytes::Bytes;
use cuttle_model::machine::Request;
use cuttle_model::operation::{OperationKind, Subject};
use futures::Stream;

use super::life::Life;
use super::world::World;

/// An operation, as the kit runs it.
#[derive(Clone)]
pub struct Entry {
    pub kind: OperationKind,
    /// Makes what it needs and asks for it; answers what it works on. Does not wait for its end.
    pub begin: fn(&World, &Life) -> Subject,
    /// Only the process that began it can finish it, because a client's connection ends there.
    pub bound_to_process: bool,
    /// How many hosts it takes.
    pub hosts: usize,
}

/// All operations.
pub fn all() -> Vec<Entry> {
    let entry = |kind, begin| Entry { kind, begin, bound_to_process: false, hosts: 1 };
    let between_hosts = |kind, begin| Entry { hosts: 2, ..entry(kind, begin) };
    vec![
        entry(OperationKind::CreateInstance, |world, life| {
            let image = life.image(world);
            Subject::Instance(life.create(world, &image))
        }),
        entry(OperationKind::DeleteInstance, |world, life| ask_of_running(world, life, Request::Delete)),
        entry(OperationKind::StopInstance, |world, life| ask_of_running(world, life, Request::Stop)),
        entry(OperationKind::StartInstance, |world, life| {
            let id = life.running(world);
            life.ask(world, id, Request::Stop);
            life.settled(Subject::Instance(id), OperationKind::StopInstance);
            life.ask(world, id, Request::Start);
            Subject::Instance(id)
        }),
        entry(OperationKind::RebootInstance, |world, life| ask_of_running(world, life, Request::Reboot)),
        entry(OperationKind::RebootInstance, |world, life| {
            let id = life.running(world);
            life.ask(world, id, Request::Stop);
            life.settled(Subject::Instance(id), OperationKind::StopInstance);
            life.ask(world, id, Request::RebootHard);
            Subject::Instance(id)
        }),
        entry(OperationKind::PauseInstance, |world, life| ask_of_running(world, life, Request::Pause)),
        entry(OperationKind::UnpauseInstance, |world, life| {
            let id = life.running(world);
            life.ask(world, id, Request::Pause);
            life.settled(Subject::Instance(id), OperationKind::PauseInstance);
            life.ask(world, id, Request::Unpause);
            Subject::Instance(id)
        }),
        entry(OperationKind::ResizeInstance, |world, life| {
            let id = life.running(world);
            life.resize(world, id);
            Subject::Instance(id)
        }),
        between_hosts(OperationKind::MigrateInstance, |world, life| {
            let id = life.running(world);
            life.migrate(world, id);
            Subject::Instance(id)
        }),
        entry(OperationKind::ConfirmResize, |world, life| ask_of_resized(world, life, Request::ConfirmResize)),
        entry(OperationKind::RevertResize, |world, life| ask_of_resized(world, life, Request::RevertResize)),
        between_hosts(OperationKind::RevertResize, |world, life| {
            let id = life.running(world);
            life.migrate(world, id);
            life.settled(Subject::Instance(id), OperationKind::MigrateInstance);
            life.ask(world, id, Request::RevertResize);
            Subject::Instance(id)
        }),
        between_hosts(OperationKind::DrainHost, |world, life| {
            let host = life.instance(life.running(world)).host_id.unwrap();
            life.drain(world, host);
            Subject::Host(host)
        }),
        Entry { kind: OperationKind::ImportImage, begin: import, bound_to_process: true, hosts: 1 },
        entry(OperationKind::DeleteImage, |world, life| {
            let image = life.image(world);
            let (control, who, subject) = (life.control.clone(), world.who.clone(), Subject::Image(image.id));
            life.spawn(async move {
                let _ = cuttle_operations::image::delete(&control, &who, image).await;
            });
            subject
        }),
    ]
}

fn ask_of_running(world: &World, life: &Life, request: Request) -> Subject {
    let id = life.running(world);
    life.ask(world, id, request);
    Subject::Instance(id)
}

fn ask_of_resized(world: &World, life: &Life, request: Request) -> Subject {
    let id = life.running(world);
    life.resize(world, id);
    life.settled(Subject::Instance(id), OperationKind::ResizeInstance);
    life.ask(world, id, request);
    Subject::Instance(id)
}

fn import(world: &World, life: &Life) -> Subject {
    let image = life.queued_image(world);
    let (control, who, subject) = (life.control.clone(), world.who.clone(), Subject::Image(image.id));
    life.spawn(async move {
        let _ = cuttle_operations::image::import(&control, &who, image, data(), None).await;
    });
    subject
}

/// What is imported: a little, in pieces.
pub fn data() -> impl Stream<Item = Result<Bytes, String>> + Send + 'static {
    futures::stream::iter((1..=3).map(|n| Ok(Bytes::from(vec![n; 100_000]))))
}
