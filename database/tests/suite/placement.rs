//! Aggregates, server groups, and what a claim is checked against: also by two nodes at once.

use std::collections::BTreeMap;

use cuttle_database::{
    AggregateChange, AggregateChanged, AggregateDeleted, BuildOutcome, Database, Insertion, NewInstance, Placement, Placing,
    QuotaScope,
};
use cuttle_model::aggregate::Aggregate;
use cuttle_model::ids::{AggregateId, HostId, InstanceId, ServerGroupId, UserId};
use cuttle_model::placement::{PlacementRecord, Reasons};
use cuttle_model::quota::{Amounts, Resource, UNLIMITED};
use cuttle_model::server_group::{GroupPolicy, ServerGroup};

use crate::lab::Lab;
use crate::rows::{self, at_once};

fn aggregate(name: &str) -> Aggregate {
    Aggregate {
        number: 0,
        id: AggregateId::from_uuid(rows::uuid()),
        name: name.to_owned(),
        metadata: BTreeMap::new(),
        hosts: Vec::new(),
        created_at: rows::at(1),
        updated_at: None,
    }
}

fn zone(name: Option<&str>) -> AggregateChange {
    AggregateChange::Metadata([("availability_zone".to_owned(), name.map(str::to_owned))].into())
}

async fn host(database: &Database, name: &str) -> HostId {
    let host = rows::insert_host(database, name).await;
    database.record_hello(host.id, "boot", &rows::resources(), rows::at(1)).await.unwrap();
    host.id
}

async fn rules(database: &Database, host: HostId) -> i64 {
    let all = database.candidates().await.unwrap();
    all.iter().find(|candidate| candidate.host.id == host).unwrap().rules
}

#[tokio::test]
async fn aggregates_are_made_changed_and_deleted() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let made = database.insert_aggregate(&aggregate("fast")).await.unwrap().unwrap();
    assert_eq!(database.insert_aggregate(&aggregate("fast")).await.unwrap(), None);
    let other = database.insert_aggregate(&aggregate("other")).await.unwrap().unwrap();
    let (h1, h2) = (host(database, "h1").await, host(database, "h2").await);
    let change = async |change: AggregateChange| database.change_aggregate(made.number, &change, rows::at(2)).await.unwrap();

    for id in [h2, h1] {
        assert!(matches!(change(AggregateChange::AddHost(id)).await, AggregateChanged::Changed(_)));
    }
    assert_eq!(change(AggregateChange::AddHost(h1)).await, AggregateChanged::HasHost);
    let missing = HostId::from_uuid(rows::uuid());
    assert_eq!(change(AggregateChange::AddHost(missing)).await, AggregateChanged::NoHost);
    assert_eq!(change(AggregateChange::RemoveHost(missing)).await, AggregateChanged::NoHost);
    assert_eq!(change(AggregateChange::Name("other".into())).await, AggregateChanged::SameName);
    let metadata = [("ssd".to_owned(), Some("true".to_owned())), ("gone".to_owned(), None)].into();
    let AggregateChanged::Changed(changed) = change(AggregateChange::NameAndMetadata("faster".into(), metadata)).await else {
        panic!("it was not changed")
    };
    let metadata = [("ssd".to_owned(), "true".to_owned())].into();
    let name = "faster".to_owned();
    let expected = Aggregate { name, metadata, hosts: vec![h1, h2], updated_at: Some(rows::at(2)), ..made.clone() };
    assert_eq!(changed, expected);
    assert_eq!(database.list_aggregates().await.unwrap(), [expected, other.clone()]);

    assert_eq!(database.delete_aggregate(made.number).await.unwrap(), AggregateDeleted::HasHosts);
    for id in [h1, h2] {
        change(AggregateChange::RemoveHost(id)).await;
    }
    assert_eq!(database.delete_aggregate(made.number).await.unwrap(), AggregateDeleted::Deleted);
    assert_eq!(database.delete_aggregate(made.number).await.unwrap(), AggregateDeleted::NotFound);
    assert_eq!(change(zone(None)).await, AggregateChanged::NotFound);
    assert_eq!(database.list_aggregates().await.unwrap(), [other]);
}

#[tokio::test]
async fn a_host_is_in_one_zone_and_stays_there_while_it_has_instances() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let (free, used) = (host(database, "free").await, host(database, "used").await);
    let mut numbers = Vec::new();
    for name in ["east", "west", "plain"] {
        numbers.push(database.insert_aggregate(&aggregate(name)).await.unwrap().unwrap().number);
    }
    let change = async |index: usize, change| database.change_aggregate(numbers[index], &change, rows::at(2)).await.unwrap();
    change(0, zone(Some("east"))).await;
    change(1, zone(Some("west"))).await;
    change(0, AggregateChange::AddHost(free)).await;
    let taken = AggregateChanged::OtherZone { host: free, zone: "east".into() };
    assert_eq!(change(1, AggregateChange::AddHost(free)).await, taken);
    assert!(matches!(change(2, AggregateChange::AddHost(free)).await, AggregateChanged::Changed(_)));
    assert_eq!(change(2, zone(Some("north"))).await, taken);
    assert!(matches!(change(2, zone(Some("east"))).await, AggregateChanged::Changed(_)));

    database.insert_instance(&rows::placed(used, 4)).await.unwrap();
    assert_eq!(change(0, AggregateChange::AddHost(used)).await, AggregateChanged::InUse { host: used });
    change(2, zone(None)).await;
    assert!(matches!(change(2, AggregateChange::AddHost(used)).await, AggregateChanged::Changed(_)));
    let mixed = AggregateChanged::InUse { host: used };
    assert_eq!(change(2, zone(Some("east"))).await, mixed);
}

#[tokio::test]
async fn a_choice_by_old_rules_is_not_claimed() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let host = host(database, "h1").await;
    let seen = rules(database, host).await;
    let placed = |rules| {
        let new = rows::placed(host, 9);
        NewInstance { placement: new.placement.map(|placement| Placement { rules, ..placement }), ..new }
    };
    assert_eq!(database.insert_instance(&placed(Some(seen))).await.unwrap(), Insertion::Inserted);
    let made = database.insert_aggregate(&aggregate("a")).await.unwrap().unwrap();
    let add = AggregateChange::AddHost(host);
    database.change_aggregate(made.number, &add, rows::at(2)).await.unwrap();
    assert_eq!(database.insert_instance(&placed(Some(seen))).await.unwrap(), Insertion::HostFull);
    let after_add = rules(database, host).await;
    assert_eq!(database.insert_instance(&placed(Some(after_add))).await.unwrap(), Insertion::Inserted);
    let secret = AggregateChange::Metadata([("filter_tenant_id".to_owned(), Some("x".to_owned()))].into());
    database.change_aggregate(made.number, &secret, rows::at(3)).await.unwrap();
    assert_eq!(database.insert_instance(&placed(Some(after_add))).await.unwrap(), Insertion::HostFull);
    assert_eq!(database.insert_instance(&placed(None)).await.unwrap(), Insertion::Inserted);
}

#[tokio::test]
async fn a_host_takes_no_more_instances_than_it_may() {
    let lab = Lab::new().await;
    let host = host(&lab.database, "h1").await;
    let few = || {
        let new = rows::placed(host, 9);
        NewInstance { placement: new.placement.map(|placement| Placement { instance_limit: Some(2), ..placement }), ..new }
    };
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(lab.database.insert_instance(&few()).await.unwrap());
    }
    assert_eq!(outcomes, [Insertion::Inserted, Insertion::Inserted, Insertion::HostFull]);
}

fn scope(limit: i64) -> QuotaScope {
    let configured = Amounts::all(UNLIMITED).with(Resource::ServerGroups, limit).with(Resource::ServerGroupMembers, limit);
    QuotaScope { project: rows::project(), user: UserId::from_uuid(rows::uuid()), configured }
}

fn group(scope: &QuotaScope, policy: GroupPolicy, max_per_host: Option<u32>) -> ServerGroup {
    ServerGroup {
        id: ServerGroupId::from_uuid(rows::uuid()),
        project_id: scope.project,
        user_id: scope.user,
        name: "group".to_owned(),
        policy,
        max_per_host,
        created_at: rows::at(1),
    }
}

fn member(group: ServerGroupId, host: HostId) -> NewInstance {
    NewInstance { placing: Placing { group: Some(group), ..Placing::default() }, ..rows::placed(host, 100) }
}

#[tokio::test]
async fn groups_have_members_until_these_are_deleted() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let scope = scope(1);
    let group = group(&scope, GroupPolicy::AntiAffinity, Some(2));
    assert!(database.insert_server_group(&group, &scope).await.unwrap());
    let more = ServerGroup { id: ServerGroupId::from_uuid(rows::uuid()), ..group.clone() };
    assert!(!database.insert_server_group(&more, &scope).await.unwrap(), "the quota is one");
    let host = host(database, "h1").await;
    let new = member(group.id, host);
    let id = new.instance.id;
    assert_eq!(database.insert_instance(&new).await.unwrap(), Insertion::Inserted);
    assert_eq!(database.get_server_group(group.id).await.unwrap(), Some((group.clone(), vec![id])));
    assert_eq!(database.groups_of(&[id]).await.unwrap().get(&id), Some(&group.id));
    assert_eq!(database.group_hosts(group.id, None).await.unwrap().unwrap().1, [(host, 1)]);
    assert_eq!(database.group_hosts(group.id, Some(id)).await.unwrap().unwrap().1, []);
    assert_eq!(database.hosts_of(&[id]).await.unwrap(), [host]);

    let counted = NewInstance { quota: Some(scope.clone()), ..member(group.id, host) };
    let counted = database.insert_instance(&counted).await.unwrap();
    assert!(matches!(counted, Insertion::OverQuota(over) if over[0].resource == Resource::ServerGroupMembers));

    let gone = cuttle_model::instance::Instance { state: cuttle_model::instance::InstanceState::Deleted, ..new.instance.clone() };
    assert_eq!(database.update_instance(&gone, None).await.unwrap(), cuttle_database::Written::Done);
    assert_eq!(database.list_server_groups(Some(scope.project)).await.unwrap(), [(group.clone(), vec![])]);
    assert_eq!(database.list_server_groups(Some(rows::project())).await.unwrap(), []);
    assert!(database.delete_server_group(group.id).await.unwrap());
    assert!(!database.delete_server_group(group.id).await.unwrap());
    assert_eq!(database.insert_instance(&member(group.id, host)).await.unwrap(), Insertion::GroupGone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_at_once_keep_a_groups_policy() {
    let lab = Lab::new().await;
    let nodes = [lab.database.clone(), lab.another_node().await];
    let (h1, h2) = (host(&nodes[0], "h1").await, host(&nodes[0], "h2").await);
    let scope = scope(UNLIMITED);
    for (policy, most, expected) in [
        (GroupPolicy::AntiAffinity, None, vec![1, 1]),
        (GroupPolicy::AntiAffinity, Some(3), vec![3, 3]),
        (GroupPolicy::Affinity, None, vec![6]),
        (GroupPolicy::SoftAntiAffinity, None, vec![6, 6]),
    ] {
        let group = group(&scope, policy, most);
        nodes[0].insert_server_group(&group, &scope).await.unwrap();
        at_once((0..12).map(|task| {
            let (node, new) = (nodes[task % 2].clone(), member(group.id, [h1, h2][(task / 2) % 2]));
            async move { node.insert_instance(&new).await.unwrap() }
        }))
        .await;
        let (_, mut hosts) = nodes[1].group_hosts(group.id, None).await.unwrap().unwrap();
        hosts.sort_by_key(|(_, members)| *members);
        assert_eq!(hosts.iter().map(|(_, members)| *members).collect::<Vec<_>>(), expected, "{policy:?} {most:?}");
    }
}

#[tokio::test]
async fn hints_and_records_are_kept_and_builds_counted() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let host = host(database, "h1").await;
    let new = rows::placed(host, 9);
    let id = new.instance.id;
    let reasons = Reasons {
        hosts: 1,
        filters: Vec::new(),
        left: 1,
        top: Vec::new(),
        nearest: Vec::new(),
        chosen: Some("h1".parse().unwrap()),
    };
    let record = PlacementRecord {
        instance_id: id,
        operation_id: None,
        made_at: rows::at(1),
        purpose: "create_instance".into(),
        reasons,
        refusal: None,
    };
    let hints: cuttle_database::Hints = [("mine".to_owned(), serde_json::json!([1]))].into();
    let placing = Placing { group: None, hints: hints.clone(), record: Some(record.clone()) };
    database.insert_instance(&NewInstance { placing, ..new }).await.unwrap();
    let later = PlacementRecord { made_at: rows::at(2), purpose: "migrate".into(), ..record.clone() };
    database.record_placement(&later).await.unwrap();
    assert_eq!(database.list_placements(id).await.unwrap(), [record, later]);
    assert_eq!(database.hints_of(&[id]).await.unwrap(), [(id, hints)].into());
    assert_eq!(database.list_placements(InstanceId::from_uuid(rows::uuid())).await.unwrap(), []);

    for (outcome, count) in [(BuildOutcome::Failed, 1), (BuildOutcome::Failed, 2), (BuildOutcome::Made, 0)] {
        database.record_build(host, outcome).await.unwrap();
        assert_eq!(database.candidates().await.unwrap()[0].failed_builds, count);
    }
}
