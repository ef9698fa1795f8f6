//! Quotas: which limit holds, and that nothing goes past it.

use std::collections::BTreeMap;

use cuttle_database::{Insertion, InstanceUsage, NewInstance, QuotaScope};
use cuttle_model::ids::{ProjectId, UserId};
use cuttle_model::instance::{Instance, InstanceState};
use cuttle_model::quota::{Amounts, Excess, Resource, UNLIMITED};

use crate::lab::Lab;
use crate::rows;

fn scope(project: ProjectId, user: UserId, instances: i64) -> QuotaScope {
    QuotaScope { project, user, configured: Amounts::all(UNLIMITED).with(Resource::Instances, instances) }
}

fn new(scope: &QuotaScope) -> NewInstance {
    let instance = Instance { user_id: scope.user, ..rows::instance(scope.project) };
    NewInstance {
        instance,
        placement: None,
        operation: None,
        quota: Some(scope.clone()),
        user_data: None,
        placing: Default::default(),
    }
}

fn limits(of: &[(Resource, i64)]) -> BTreeMap<Resource, i64> {
    of.iter().copied().collect()
}

#[tokio::test]
async fn the_most_particular_limit_holds() {
    let lab = Lab::new().await;
    let (project, user) = (rows::project(), UserId::from_uuid(rows::uuid()));
    let scope = scope(project, user, 5);
    let of = async || lab.database.get_quota(&scope).await.unwrap();
    assert_eq!(of().await.project.get(Resource::Instances), 5);

    lab.database.set_default_quota(&limits(&[(Resource::Instances, 6), (Resource::Cores, 60)])).await.unwrap();
    assert_eq!(of().await.project.get(Resource::Instances), 6);
    assert_eq!(lab.database.get_default_quota(scope.configured).await.unwrap().get(Resource::Cores), 60);
    lab.database.set_default_quota(&limits(&[(Resource::Cores, 61)])).await.unwrap();

    lab.database.set_quota(project, None, &limits(&[(Resource::Instances, 7)])).await.unwrap();
    lab.database.set_quota(project, Some(user), &limits(&[(Resource::Instances, 3)])).await.unwrap();
    lab.database.set_quota(rows::project(), None, &limits(&[(Resource::Ram, 1)])).await.unwrap();
    let found = of().await;
    assert_eq!(found.project, scope.configured.with(Resource::Instances, 7).with(Resource::Cores, 61));
    assert_eq!((found.of_user(Resource::Instances), found.of_user(Resource::Cores)), (3, 61));

    lab.database.reset_quota(project, Some(user)).await.unwrap();
    assert_eq!(of().await.of_user(Resource::Instances), 7);
    lab.database.set_quota(project, Some(user), &limits(&[(Resource::Instances, 3)])).await.unwrap();
    lab.database.reset_quota(project, None).await.unwrap();
    assert_eq!(of().await.of_user(Resource::Instances), 6);
}

#[tokio::test]
async fn fifty_creates_at_once_give_exactly_the_quota() {
    let lab = Lab::new().await;
    let nodes = [lab.database.clone(), lab.another_node().await];
    let scope = scope(rows::project(), UserId::from_uuid(rows::uuid()), 10);
    let insertions = rows::at_once((0..50).map(|task| {
        let (node, new) = (nodes[task % 2].clone(), new(&scope));
        async move { node.insert_instance(&new).await.unwrap() }
    }))
    .await;
    let over = Insertion::OverQuota(vec![Excess { resource: Resource::Instances, requested: 1, used: 10, limit: 10 }]);
    assert_eq!(insertions.iter().filter(|insertion| **insertion == Insertion::Inserted).count(), 10);
    assert_eq!(insertions.iter().filter(|insertion| **insertion == over).count(), 40);
    let usage = lab.database.instance_usage(scope.project, None).await.unwrap();
    let flavor = rows::flavor();
    let ram = i64::try_from(flavor.ram_mib).unwrap();
    assert_eq!(usage, InstanceUsage { instances: 10, vcpus: 10 * i64::from(flavor.vcpus), ram_mib: 10 * ram });
}

#[tokio::test]
async fn each_resource_and_each_user_is_counted() {
    let lab = Lab::new().await;
    let project = rows::project();
    let (one, other) = (UserId::from_uuid(rows::uuid()), UserId::from_uuid(rows::uuid()));
    let flavor = rows::flavor();
    let cores = i64::from(flavor.vcpus);
    lab.database.set_quota(project, None, &limits(&[(Resource::Cores, 2 * cores)])).await.unwrap();
    lab.database.set_quota(project, Some(one), &limits(&[(Resource::Instances, 1)])).await.unwrap();
    let insert = async |user: UserId| lab.database.insert_instance(&new(&scope(project, user, 100))).await.unwrap();
    let over = |resource, requested, used, limit| Insertion::OverQuota(vec![Excess { resource, requested, used, limit }]);

    assert_eq!(insert(one).await, Insertion::Inserted);
    assert_eq!(insert(one).await, over(Resource::Instances, 1, 1, 1));
    assert_eq!(insert(other).await, Insertion::Inserted);
    assert_eq!(insert(other).await, over(Resource::Cores, cores, 2 * cores, 2 * cores));
    assert_eq!(lab.database.instance_usage(project, Some(one)).await.unwrap().instances, 1);

    // What was deleted is given back.
    let mut deleted = lab.database.list_instances(&Default::default()).await.unwrap().remove(0);
    deleted.state = InstanceState::Deleted;
    let _ = lab.database.update_instance(&deleted, None).await.unwrap();
    assert_eq!(insert(other).await, Insertion::Inserted);
}
