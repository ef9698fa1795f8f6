//! Lists of instances: filters, orders, pages.

use std::cmp::Ordering;

use cuttle_database::{Database, InstanceQuery, InstanceSort, SortDirection};
use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::ids::ImageId;
use cuttle_model::instance::{Instance, InstanceState, StateName, Task};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::lab::Lab;
use crate::rows;

async fn names(database: &Database, query: InstanceQuery) -> Vec<String> {
    database.list_instances(&query).await.unwrap().into_iter().map(|instance| instance.name).collect()
}

#[tokio::test]
async fn each_filter_finds_what_it_says() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let (ours, theirs) = (rows::project(), rows::project());
    let image = ImageId::from_uuid(rows::uuid());
    let named = |name: &str, project, state, seconds| Instance {
        name: name.to_owned(),
        state,
        created_at: rows::at(seconds),
        updated_at: rows::at(seconds),
        ..rows::instance(project)
    };
    let fault = Fault::new(FaultKind::Storage, "the pool is full");
    let all = [
        named("a%b", ours, InstanceState::Active, 1),
        Instance { image_id: Some(image), ..named("axb", ours, InstanceState::Stopped, 2) },
        Instance { host_id: Some(host.id), ..named("A%B", ours, InstanceState::Error { fault }, 3) },
        named("gone", ours, InstanceState::Deleted, 4),
        named("theirs", theirs, InstanceState::Active, 5),
    ];
    for instance in &all {
        rows::store(&lab.database, instance).await;
    }
    let of = |query: InstanceQuery| names(&lab.database, InstanceQuery { project: Some(ours), ..query });
    let any = InstanceQuery::default;

    assert_eq!(names(&lab.database, any()).await, ["theirs", "A%B", "axb", "a%b"]);
    assert_eq!(of(any()).await, ["A%B", "axb", "a%b"]);
    assert_eq!(of(InstanceQuery { states: vec![StateName::Active, StateName::Error], ..any() }).await, ["A%B", "a%b"]);
    assert_eq!(of(InstanceQuery { states: vec![StateName::Deleted], ..any() }).await, ["gone"]);
    assert_eq!(of(InstanceQuery { states: vec![StateName::Deleted, StateName::Active], ..any() }).await, ["gone", "a%b"]);
    assert_eq!(of(InstanceQuery { name_contains: Some("a%".to_owned()), ..any() }).await, ["a%b"]);
    assert_eq!(of(InstanceQuery { name_contains: Some(String::new()), ..any() }).await, ["A%B", "axb", "a%b"]);
    assert_eq!(of(InstanceQuery { image: Some(image), ..any() }).await, ["axb"]);
    assert_eq!(of(InstanceQuery { host: Some(host.id), ..any() }).await, ["A%B"]);
    assert_eq!(of(InstanceQuery { flavor: Some(rows::flavor().id), ..any() }).await, ["A%B", "axb", "a%b"]);
    assert_eq!(of(InstanceQuery { changed_since: Some(rows::at(3)), ..any() }).await, ["gone", "A%B"]);
    assert_eq!(of(InstanceQuery { limit: Some(2), ..any() }).await, ["A%B", "axb"]);
    assert_eq!(of(InstanceQuery { limit: Some(0), ..any() }).await, [""; 0]);
    assert_eq!(of(InstanceQuery { marker: Some(all[1].id), ..any() }).await, ["a%b"]);
    assert_eq!(of(InstanceQuery { marker: Some(rows::instance(ours).id), ..any() }).await, [""; 0]);
}

/// Instances among which many values are equal, and many are not set.
fn crowd() -> impl Strategy<Value = Vec<Instance>> {
    let one = (0..3_i64, 0..3_i64, proptest::option::of(0..3_i64), "[aB]{0,2}", proptest::option::of("[aB]{0,1}"), any::<bool>());
    let one = one.prop_map(|(created, updated, launched, name, key_name, busy)| Instance {
        created_at: rows::at(created),
        updated_at: rows::at(updated),
        launched_at: launched.map(rows::at),
        name,
        key_name,
        task: busy.then_some(Task::Stopping),
        ..rows::instance(rows::project())
    });
    proptest::collection::vec(one, 1..12)
}

const SORTS: [InstanceSort; 7] = [
    InstanceSort::CreatedAt,
    InstanceSort::UpdatedAt,
    InstanceSort::LaunchedAt,
    InstanceSort::Name,
    InstanceSort::KeyName,
    InstanceSort::Task,
    InstanceSort::Id,
];

fn compare(sort: InstanceSort, one: &Instance, other: &Instance) -> Ordering {
    match sort {
        InstanceSort::CreatedAt => one.created_at.cmp(&other.created_at),
        InstanceSort::UpdatedAt => one.updated_at.cmp(&other.updated_at),
        InstanceSort::LaunchedAt => one.launched_at.cmp(&other.launched_at),
        InstanceSort::Name => one.name.cmp(&other.name),
        InstanceSort::KeyName => one.key_name.clone().unwrap_or_default().cmp(&other.key_name.clone().unwrap_or_default()),
        InstanceSort::Task => one.task.map_or("", Task::as_str).cmp(other.task.map_or("", Task::as_str)),
        _ => one.id.to_string().cmp(&other.id.to_string()),
    }
}

fn sorted(mut crowd: Vec<Instance>, sort: &[(InstanceSort, SortDirection)]) -> Vec<Instance> {
    let usual = [(InstanceSort::CreatedAt, SortDirection::Descending), (InstanceSort::Id, SortDirection::Descending)];
    let keys: Vec<_> = sort.iter().chain(&usual).copied().collect();
    crowd.sort_by(|one, other| {
        keys.iter().fold(Ordering::Equal, |so_far, (sort, direction)| {
            so_far.then_with(|| match direction {
                SortDirection::Ascending => compare(*sort, one, other),
                SortDirection::Descending => compare(*sort, other, one),
            })
        })
    });
    crowd
}

#[test]
fn pages_put_together_are_the_whole_in_the_order_asked_for() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let lab = runtime.block_on(Lab::new());
    let direction = prop_oneof![Just(SortDirection::Ascending), Just(SortDirection::Descending)];
    let sorts = proptest::collection::vec((proptest::sample::select(SORTS.to_vec()), direction), 0..3);
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let result = runner.run(&(crowd(), sorts, 1..4_u32), |(crowd, sort, limit)| {
        runtime.block_on(async {
            let project = rows::project();
            let crowd: Vec<Instance> = crowd
                .into_iter()
                .map(|instance| Instance { id: rows::instance(project).id, project_id: project, ..instance })
                .collect();
            for instance in &crowd {
                rows::store(&lab.database, instance).await;
            }
            let mut pages: Vec<Instance> = Vec::new();
            loop {
                let query = InstanceQuery {
                    project: Some(project),
                    sort: sort.clone(),
                    limit: Some(limit),
                    marker: pages.last().map(|last| last.id),
                    ..InstanceQuery::default()
                };
                let page = lab.database.list_instances(&query).await.unwrap();
                if page.is_empty() {
                    break;
                }
                pages.extend(page);
            }
            assert_eq!(pages, sorted(crowd, &sort));
        });
        Ok(())
    });
    result.unwrap();
}
