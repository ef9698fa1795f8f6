//! Moves: the second claim of an instance, from the request to the answer.

use cuttle_database::{
    Begin, Begun, ClaimEnd, EndOperation, InstanceUsage, NewInstance, Placement, QuotaScope, Room, SubjectEnd, WhenBusy, Written,
};
use cuttle_model::capacity::Claim;
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::host::Host;
use cuttle_model::ids::HostId;
use cuttle_model::instance::{BeforeResize, DiskBefore, Instance, InstanceState};
use cuttle_model::operation::{Operation, OperationStatus};
use cuttle_model::quota::{Amounts, Resource, UNLIMITED};

use crate::lab::Lab;
use crate::rows;

/// Two hosts, and an instance on the first.
async fn placed(lab: &Lab) -> (Host, Host, Instance) {
    let mut hosts = Vec::new();
    for name in ["host1", "host2"] {
        let host = rows::insert_host(&lab.database, name).await;
        lab.database.record_hello(host.id, "boot", &rows::resources(), rows::at(1)).await.unwrap();
        hosts.push(host);
    }
    let new = NewInstance { operation: None, ..rows::placed(hosts[0].id, 100) };
    lab.database.insert_instance(&new).await.unwrap();
    let instance = rows::get(&lab.database, &new.instance).await;
    let second = hosts.remove(1);
    (hosts.remove(0), second, instance)
}

fn larger(instance: &Instance) -> Flavor {
    Flavor { id: FlavorId("larger".into()), vcpus: instance.flavor.vcpus + 2, ..instance.flavor.clone() }
}

fn move_to(instance: &Instance, host: HostId, vcpu_limit: u64, quota: Option<QuotaScope>) -> Begin {
    let flavor = larger(instance);
    let claim = Claim::of(instance.id, host, &flavor);
    let more = InstanceUsage::of_flavor(&flavor).beyond(&InstanceUsage::of_flavor(&instance.flavor));
    let placement = Placement::new(claim, vcpu_limit, u64::MAX);
    let room = Some(Room { placement, quota: quota.map(|quota| (quota, more)) });
    Begin { room, ..rows::begin(instance, rows::node(), WhenBusy::Refuse) }
}

/// The virtual CPUs claimed on each host.
async fn claimed(lab: &Lab) -> Vec<u64> {
    let mut hosts = lab.database.candidates().await.unwrap();
    hosts.sort_by(|one, other| one.host.name.as_str().cmp(other.host.name.as_str()));
    hosts.iter().map(|host| host.usage.vcpus).collect()
}

async fn end(lab: &Lab, operation: &Operation, instance: &Instance, claims: ClaimEnd) {
    let end = EndOperation {
        guard: rows::guard(operation),
        status: OperationStatus::Succeeded,
        state: serde_json::json!({}),
        fault: None,
        finished_at: rows::at(9),
        ended: None,
        subject: SubjectEnd::Instance { instance: Box::new(Instance { task: None, ..instance.clone() }), claims },
    };
    assert_eq!(lab.database.end_operation(&end).await.unwrap(), Written::Done);
}

#[tokio::test]
async fn a_move_has_room_on_both_hosts_until_it_is_answered() {
    let lab = Lab::new().await;
    let (first, second, instance) = placed(&lab).await;
    let small = u64::from(instance.flavor.vcpus);
    let begin = move_to(&instance, second.id, 100, None);
    assert_eq!(lab.database.begin_operation(&begin).await.unwrap(), Begun::Begun);
    assert_eq!(claimed(&lab).await, [small, small + 2]);

    let marked = rows::get(&lab.database, &instance).await;
    let moved = Instance { host_id: Some(second.id), flavor: larger(&instance), ..marked.clone() };
    let home = Claim::of(instance.id, second.id, &moved.flavor);
    let other = Claim::of(instance.id, first.id, &instance.flavor);
    let guard = rows::guard(&begin.operation);
    assert_eq!(lab.database.move_instance(&moved, &home, &other, &guard).await.unwrap(), Written::Done);
    assert_eq!(lab.database.move_instance(&moved, &home, &other, &guard).await.unwrap(), Written::Stale);
    assert_eq!(claimed(&lab).await, [small, small + 2], "both are kept");

    let before = BeforeResize {
        host_id: first.id,
        flavor: instance.flavor.clone(),
        ran: true,
        disk: Some(DiskBefore { size_bytes: 7, snapshot: "s".into() }),
        moved_at: rows::at(5),
    };
    let state = InstanceState::Resized { before: Box::new(before) };
    let moved = Instance { state: state.clone(), ..rows::get(&lab.database, &instance).await };
    end(&lab, &begin.operation, &moved, ClaimEnd::Kept).await;
    let read = rows::get(&lab.database, &instance).await;
    assert_eq!((read.state, read.host_id, read.flavor.vcpus), (state, Some(second.id), instance.flavor.vcpus + 2));
    assert_eq!(lab.database.odd_claims(9).await.unwrap(), []);

    let read = rows::get(&lab.database, &instance).await;
    let confirm = rows::begin(&read, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&confirm).await.unwrap();
    let marked = Instance { state: InstanceState::Active, ..rows::get(&lab.database, &instance).await };
    end(&lab, &confirm.operation, &marked, ClaimEnd::OtherReleased).await;
    assert_eq!(claimed(&lab).await, [0, small + 2]);
}

#[tokio::test]
async fn a_move_without_room_or_quota_writes_nothing() {
    let lab = Lab::new().await;
    let (_, second, instance) = placed(&lab).await;
    let small = u64::from(instance.flavor.vcpus);
    let full = move_to(&instance, second.id, small + 1, None);
    assert_eq!(lab.database.begin_operation(&full).await.unwrap(), Begun::HostFull);

    let limit = i64::from(instance.flavor.vcpus) + 1;
    let configured = Amounts::all(UNLIMITED).with(Resource::Cores, limit);
    let scope = QuotaScope { project: instance.project_id, user: instance.user_id, configured };
    match lab.database.begin_operation(&move_to(&instance, second.id, 100, Some(scope))).await.unwrap() {
        Begun::OverQuota(over) => {
            let over: Vec<_> = over.iter().map(|excess| (excess.resource, excess.requested, excess.limit)).collect();
            assert_eq!(over, [(Resource::Cores, 2, limit)]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(claimed(&lab).await, [small, 0]);
    assert_eq!(rows::get(&lab.database, &instance).await, instance);
    assert!(lab.database.get_operation(full.operation.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lease_that_is_lost_moves_nothing() {
    let lab = Lab::new().await;
    let (first, second, instance) = placed(&lab).await;
    let begin = move_to(&instance, second.id, 100, None);
    lab.database.begin_operation(&begin).await.unwrap();
    let marked = rows::get(&lab.database, &instance).await;
    let moved = Instance { host_id: Some(second.id), ..marked.clone() };
    let (home, other) = (Claim::of(instance.id, second.id, &moved.flavor), Claim::of(instance.id, first.id, &moved.flavor));
    let guard = cuttle_database::LeaseGuard { epoch: 9, ..rows::guard(&begin.operation) };
    assert_eq!(lab.database.move_instance(&moved, &home, &other, &guard).await.unwrap(), Written::LeaseLost);
    assert_eq!(rows::get(&lab.database, &instance).await, marked);
}
