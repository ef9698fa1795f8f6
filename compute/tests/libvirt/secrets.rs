//! libvirt's secrets: ours heal whatever became of them and it is told; others' are never changed.

use cuttle_compute::actions::hold_secret;
use cuttle_compute::hypervisor::{Event, Healed, SecretState};
use cuttle_compute::secret::CephAccess;
use cuttle_compute_protocol::Outcome;
use cuttle_model::host_event::HostEventKind;
use cuttle_model::instance::PowerState;
use uuid::Uuid;

use crate::support::{Bench, bench_alone, create, force, restart_libvirtd, secret, virsh};

fn define(xml: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), xml).unwrap();
    virsh(&["secret-define", &file.path().display().to_string()]).unwrap();
}

fn define_foreign(uuid: Uuid, usage: &str) {
    define(&format!(
        "<secret ephemeral='no' private='no'><uuid>{uuid}</uuid><usage type='ceph'><name>{usage}</name></usage></secret>"
    ));
}

/// `virsh` wants base64.
fn set_value(uuid: Uuid, base64: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), base64).unwrap();
    virsh(&["secret-set-value", &uuid.to_string(), "--file", &file.path().display().to_string()]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_heals_whatever_became_of_it() {
    let bench = bench_alone().await;
    let ours = secret("client.cuttle.heal.1");
    let uuid = ours.uuid.to_string();
    let check = || {
        let xml = virsh(&["secret-dumpxml", &uuid]).unwrap();
        for part in ["ephemeral='yes'", "private='yes'", "type='ceph'", ours.usage.as_str()] {
            assert!(xml.contains(part), "{part} is missing in {xml}");
        }
        let value = virsh(&["secret-get-value", &uuid]);
        assert!(value.is_err(), "the key can be read");
    };
    let assert_secret = async |expected: Healed| {
        assert_eq!(bench.hypervisor().assert_secret(&ours).await.unwrap(), expected);
        check();
    };
    assert_secret(Healed::Missing).await;
    assert_secret(Healed::AsExpected).await;

    virsh(&["secret-undefine", &uuid]).unwrap();
    assert_secret(Healed::Missing).await;

    virsh(&["secret-undefine", &uuid]).unwrap();
    define_foreign(ours.uuid, "foreign");
    assert_secret(Healed::Foreign).await;

    virsh(&["secret-undefine", &uuid]).unwrap();
    define_foreign(Uuid::new_v4(), &ours.usage);
    assert_secret(Healed::Foreign).await;

    restart_libvirtd();
    assert!(virsh(&["secret-dumpxml", &uuid]).is_err(), "an ephemeral secret outlived libvirtd");
    assert_secret(Healed::Missing).await;
    virsh(&["secret-undefine", &uuid]).unwrap();
}

/// What was told since the last time.
fn told(bench: &Bench) -> Vec<(HostEventKind, String)> {
    let news = &bench.guests.context().news;
    let events = news.oldest(100);
    news.taken(&events);
    events.into_iter().map(|event| (event.kind, event.message)).collect()
}

fn is_told(bench: &Bench, part: &str) {
    let told = told(bench);
    let found = told.iter().any(|(kind, message)| *kind == HostEventKind::SecretHealed && message.contains(part));
    assert!(found, "'{part}' is not among {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_start_works_beside_a_running_guest_and_what_was_wrong_is_told() {
    let mut bench = bench_alone().await;
    bench.event(|event| *event == Event::Connected).await;
    let running = bench.instance();
    let ours = secret("client.cuttle.test.1");
    bench.run(running, 1, create()).await;
    bench.run(running, 1, cuttle_compute_protocol::Action::ResumeGuest).await;
    told(&bench);

    virsh(&["secret-undefine", &ours.uuid.to_string()]).unwrap();
    bench.event(|event| *event == Event::SecretRemoved(ours.uuid)).await;
    start_and_end(&mut bench).await;
    is_told(&bench, "was not there");

    set_value(ours.uuid, "d3Jvbmc=");
    // Where another agent uses the same libvirtd, it heals its own secret meanwhile.
    bench.event(|event| *event == Event::SecretChanged(ours.uuid)).await;
    hold_secret::after_change(bench.guests.context(), ours.uuid, true).await;
    is_told(&bench, "another value");

    virsh(&["secret-undefine", &ours.uuid.to_string()]).unwrap();
    define_foreign(ours.uuid, "somebody else's");
    start_and_end(&mut bench).await;
    is_told(&bench, "had another one in its place");

    restart_libvirtd();
    bench.event(|event| *event == Event::Connected).await;
    start_and_end(&mut bench).await;
    is_told(&bench, "was not there");
    start_and_end(&mut bench).await;
    assert_eq!(told(&bench), []);
    assert_eq!(bench.run(running, 1, force()).await, Outcome::Gone);
    virsh(&["secret-undefine", &ours.uuid.to_string()]).unwrap();
}

async fn start_and_end(bench: &mut Bench) {
    let instance = bench.instance();
    assert_eq!(bench.run(instance, 1, create()).await, Outcome::Guest { power: PowerState::Paused });
    assert_eq!(bench.run(instance, 1, force()).await, Outcome::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_secret_is_looked_at_and_never_changed() {
    let mut bench = bench_alone().await;
    let uuid = Uuid::new_v4();
    let mut reach = (*bench.guests.context().storage.get().unwrap()).clone();
    reach.access = CephAccess::Configured { client: "client.nova".to_owned(), secret: uuid };
    bench.guests.context().storage.set(reach);

    let mut refused = async |problem: &str| {
        let instance = bench.instance();
        let Outcome::Failed { message, retry: false } = bench.run(instance, 1, create()).await else { panic!("{problem}") };
        for part in [problem, "client.nova", "rbd_secret_uuid", &uuid.to_string() as &str] {
            assert!(message.contains(part), "{message}");
        }
    };
    refused("does not exist").await;
    define(&format!(
        "<secret ephemeral='no' private='no'><uuid>{uuid}</uuid><usage type='iscsi'><target>t-{uuid}</target></usage></secret>"
    ));
    refused("is not for Ceph").await;
    virsh(&["secret-undefine", &uuid.to_string()]).unwrap();
    define_foreign(uuid, &format!("made by hand {uuid}"));
    refused("has no value").await;
    set_value(uuid, "aGFuZG1hZGU=");
    let before = virsh(&["secret-dumpxml", &uuid.to_string()]).unwrap();
    start_and_end(&mut bench).await;
    assert_eq!(virsh(&["secret-dumpxml", &uuid.to_string()]).unwrap(), before);
    assert_eq!(virsh(&["secret-get-value", &uuid.to_string()]).unwrap(), "aGFuZG1hZGU=");
    assert!(told(&bench).iter().all(|(kind, _)| *kind == HostEventKind::SecretUnusable));

    bench.hypervisor().forget_secrets_but(&[]).await.unwrap();
    assert_eq!(bench.hypervisor().look_at_secret(uuid).await.unwrap(), SecretState::Usable, "somebody else's");
    virsh(&["secret-undefine", &uuid.to_string()]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_ours_that_are_not_needed_are_forgotten() {
    let bench = bench_alone().await;
    let (kept, other) = (secret("client.cuttle.keep.2"), secret("client.cuttle.keep.1"));
    for secret in [&kept, &other] {
        bench.hypervisor().assert_secret(secret).await.unwrap();
    }
    bench.hypervisor().forget_secrets_but(&[kept.uuid]).await.unwrap();
    assert_eq!(bench.hypervisor().look_at_secret(kept.uuid).await.unwrap(), SecretState::Usable);
    assert_eq!(bench.hypervisor().look_at_secret(other.uuid).await.unwrap(), SecretState::Missing);
    virsh(&["secret-undefine", &kept.uuid.to_string()]).unwrap();
}
