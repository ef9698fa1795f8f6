//! Moves: the second claim of an instance, from the request to the answer.

use cuttle_database::{
    Begin, Begun, ClaimEnd, EndOperation, Insertion, InstanceUsage, MigrationQuery, NewInstance, Placing, QuotaScope, SubjectEnd,
    WhenBusy, Written,
};
use cuttle_model::capacity::Claim;
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::host::Host;
use cuttle_model::ids::{HostId, ServerGroupId};
use cuttle_model::instance::{BeforeResize, DiskBefore, Instance, InstanceState};
use cuttle_model::migration::{MigrationKind, MigrationStatus};
use cuttle_model::operation::{Operation, OperationKind, OperationStatus};
use cuttle_model::quota::{Amounts, Resource, UNLIMITED};
use cuttle_model::server_group::{GroupPolicy, ServerGroup};

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
    let mut begin = rows::begin_move(instance, host, &larger(instance));
    if let Some(room) = &mut begin.room {
        room.placement.vcpu_limit = vcpu_limit;
        let more = InstanceUsage::of_flavor(&larger(instance)).beyond(&InstanceUsage::of_flavor(&instance.flavor));
        room.quota = quota.map(|quota| (quota, more));
    }
    begin
}

/// The virtual CPUs claimed on each host.
async fn claimed(lab: &Lab) -> Vec<u64> {
    let mut hosts = lab.database.candidates().await.unwrap();
    hosts.sort_by(|one, other| one.host.name.as_str().cmp(other.host.name.as_str()));
    hosts.iter().map(|host| host.usage.vcpus).collect()
}

async fn end(lab: &Lab, operation: &Operation, instance: &Instance, claims: ClaimEnd) {
    end_as(lab, operation, OperationStatus::Succeeded, instance, claims).await;
}

async fn end_as(lab: &Lab, operation: &Operation, status: OperationStatus, instance: &Instance, claims: ClaimEnd) {
    let end = EndOperation {
        guard: rows::guard(operation),
        status,
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
    assert_eq!(statuses(&lab, &MigrationQuery::default()).await, [MigrationStatus::Migrating]);
    let used = lab.database.instance_usage(instance.project_id, None).await.unwrap();
    assert_eq!((used.instances, used.vcpus), (1, i64::from(instance.flavor.vcpus) + 2), "what it will take is taken");
    assert_eq!(lab.database.list_placements(instance.id).await.unwrap().len(), 1);

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
    assert_eq!(statuses(&lab, &MigrationQuery::default()).await, [MigrationStatus::Finished]);

    let read = rows::get(&lab.database, &instance).await;
    let mut confirm = rows::begin(&read, rows::node(), WhenBusy::Refuse);
    confirm.operation.kind = OperationKind::ConfirmResize;
    lab.database.begin_operation(&confirm).await.unwrap();
    assert_eq!(statuses(&lab, &MigrationQuery::default()).await, [MigrationStatus::Confirming]);
    let marked = Instance { state: InstanceState::Active, ..rows::get(&lab.database, &instance).await };
    end(&lab, &confirm.operation, &marked, ClaimEnd::OtherReleased).await;
    assert_eq!(claimed(&lab).await, [0, small + 2]);
    let found = lab.database.list_migrations(&MigrationQuery::default()).await.unwrap();
    let [done] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((done.source.as_str(), done.destination.as_str(), done.status), ("host1", "host2", MigrationStatus::Confirmed));
    assert_eq!((done.operation_id, done.instance_id, done.kind), (begin.operation.id, instance.id, MigrationKind::Resize));
    assert_eq!((&done.old_flavor, done.new_flavor.0.as_str()), (&instance.flavor.id, "larger"));
    assert_eq!((done.created_at, done.updated_at), (rows::at(0), rows::at(9)));
}

async fn statuses(lab: &Lab, query: &MigrationQuery) -> Vec<MigrationStatus> {
    lab.database.list_migrations(query).await.unwrap().iter().map(|migration| migration.status).collect()
}

#[tokio::test]
async fn migrations_are_found_by_all_that_they_are() {
    let lab = Lab::new().await;
    let (_, second, instance) = placed(&lab).await;
    let mut numbers = Vec::new();
    // Twice undone, and once under way.
    for round in 0..3 {
        let begin = move_to(&rows::get(&lab.database, &instance).await, second.id, 100, None);
        assert_eq!(lab.database.begin_operation(&begin).await.unwrap(), Begun::Begun);
        let newest = lab.database.list_migrations(&MigrationQuery { limit: Some(1), ..Default::default() }).await.unwrap();
        numbers.extend(newest.iter().map(|migration| (migration.number, migration.id)));
        if round < 2 {
            let now = rows::get(&lab.database, &instance).await;
            end_as(&lab, &begin.operation, OperationStatus::Undone, &now, ClaimEnd::OtherReleased).await;
        }
    }
    let newest = numbers[2];
    let find = async |query: MigrationQuery| -> Vec<i64> {
        lab.database.list_migrations(&query).await.unwrap().iter().map(|migration| migration.number).collect()
    };
    let all: Vec<i64> = numbers.iter().rev().map(|(number, _)| *number).collect();
    let base = MigrationQuery::default;
    assert_eq!(find(base()).await, all);
    assert_eq!(find(MigrationQuery { is_settled: Some(false), ..base() }).await, [newest.0]);
    assert_eq!(find(MigrationQuery { status: Some("error".into()), ..base() }).await, all[1..]);
    assert_eq!(find(MigrationQuery { status: Some("odd".into()), ..base() }).await, [0i64; 0]);
    assert_eq!(find(MigrationQuery { id: Some(newest.1), ..base() }).await, [newest.0]);
    assert_eq!(find(MigrationQuery { number: Some(newest.0), instance: Some(instance.id), ..base() }).await, [newest.0]);
    assert_eq!(find(MigrationQuery { marker: Some(newest.1), limit: Some(1), ..base() }).await, [all[1]]);
    for host in ["host1", "host2"] {
        assert_eq!(find(MigrationQuery { host: Some(host.into()), ..base() }).await, all, "{host}");
    }
    assert_eq!(find(MigrationQuery { source: Some("host1".into()), ..base() }).await, all);
    assert_eq!(find(MigrationQuery { source: Some("host2".into()), ..base() }).await, [0i64; 0]);
    assert_eq!(find(MigrationQuery { kind: Some(MigrationKind::Migration), ..base() }).await, [0i64; 0]);
    assert_eq!(find(MigrationQuery { changed_since: Some(rows::at(9)), ..base() }).await, all[1..]);
    assert_eq!(find(MigrationQuery { changed_before: Some(rows::at(8)), ..base() }).await, [newest.0]);
}

#[tokio::test]
async fn a_move_keeps_the_rules_of_the_server_group() {
    let lab = Lab::new().await;
    let (first, second, instance) = placed(&lab).await;
    let group = ServerGroup {
        id: ServerGroupId::from_uuid(rows::uuid()),
        project_id: instance.project_id,
        user_id: instance.user_id,
        name: "apart".to_owned(),
        policy: GroupPolicy::AntiAffinity,
        max_per_host: None,
        created_at: rows::at(0),
    };
    let scope = QuotaScope { project: group.project_id, user: group.user_id, configured: Amounts::all(UNLIMITED) };
    assert!(lab.database.insert_server_group(&group, &scope).await.unwrap());
    let mut members = Vec::new();
    for host in [first.id, second.id] {
        let new = NewInstance { operation: None, ..rows::placed(host, 100) };
        let new = NewInstance { placing: Placing { group: Some(group.id), ..Placing::default() }, ..new };
        assert_eq!(lab.database.insert_instance(&new).await.unwrap(), Insertion::Inserted);
        members.push(rows::get(&lab.database, &new.instance).await);
    }
    // The choice was made before the other member came.
    let begin = move_to(&members[0], second.id, 100, None);
    assert_eq!(lab.database.begin_operation(&begin).await.unwrap(), Begun::HostFull);
    assert_eq!(rows::get(&lab.database, &members[0]).await, members[0]);
    assert_eq!(statuses(&lab, &MigrationQuery::default()).await, []);
    // Staying where it is breaks no rule; and who is in no group has none.
    assert_eq!(lab.database.begin_operation(&move_to(&members[0], first.id, 100, None)).await.unwrap(), Begun::Begun);
    assert_eq!(lab.database.begin_operation(&move_to(&instance, second.id, 100, None)).await.unwrap(), Begun::Begun);
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
