//! What is read is what was written, whatever it was.

use std::fmt::Debug;
use std::sync::Arc;

use cuttle_database::{Inserted, Insertion, NewInstance, Written};
use cuttle_model::image::Image;
use cuttle_model::instance::Instance;
use cuttle_model::operation::Subject;
use futures::future::BoxFuture;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

use crate::lab::Lab;
use crate::{rows, strategies};

/// Holds `check` against many values, all in one database.
fn for_all<S: Strategy<Value: Debug>>(strategy: S, check: impl Fn(Arc<Lab>, S::Value) -> BoxFuture<'static, ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let lab = Arc::new(runtime.block_on(Lab::new()));
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let result = runner.run(&strategy, |value| {
        runtime.block_on(check(lab.clone(), value));
        Ok(())
    });
    result.unwrap();
}

#[test]
fn instances() {
    for_all((strategies::instance(), strategies::instance()), |lab, (instance, other)| {
        Box::pin(async move {
            let new = NewInstance {
                instance: instance.clone(),
                placement: None,
                operation: None,
                quota: None,
                user_data: None,
                placing: Default::default(),
            };
            lab.database.insert_instance(&new).await.unwrap();
            assert_eq!(rows::get(&lab.database, &instance).await, instance);

            // Everything may be written but the epoch and what follows from it.
            let Instance { id, epoch, running_allowed, generation, .. } = instance.clone();
            let changed = Instance { id, epoch, running_allowed, generation, ..other };
            assert_eq!(lab.database.update_instance(&changed, None).await.unwrap(), Written::Done);
            let expected = Instance { generation: generation + 1, ..changed };
            assert_eq!(rows::get(&lab.database, &instance).await, expected);
        })
    });
}

#[test]
fn images() {
    for_all((strategies::image(), strategies::image()), |lab, (image, other)| {
        Box::pin(async move {
            assert_eq!(lab.database.insert_image(&image).await.unwrap(), Inserted::Inserted);
            assert_eq!(lab.database.get_image(image.id).await.unwrap(), Some(image.clone()));

            let changed = Image { id: image.id, generation: image.generation, ..other };
            assert_eq!(lab.database.update_image(&changed, None).await.unwrap(), Written::Done);
            let expected = Image { generation: image.generation + 1, ..changed };
            assert_eq!(lab.database.get_image(image.id).await.unwrap(), Some(expected));
        })
    });
}

#[test]
fn flavors() {
    for_all(strategies::flavor(), |lab, flavor| {
        Box::pin(async move {
            assert_eq!(lab.database.insert_flavor(&flavor).await.unwrap(), Inserted::Inserted);
            assert_eq!(lab.database.get_flavor(&flavor.id).await.unwrap(), Some(flavor));
        })
    });
}

#[test]
fn operations() {
    let subjects = proptest::bool::ANY.prop_flat_map(|of_instance| {
        let instance = rows::instance(rows::project());
        let subject = match of_instance {
            true => Subject::Instance(instance.id),
            false => Subject::Image(rows::image(instance.project_id).id),
        };
        strategies::operation(subject)
    });
    for_all(subjects, |lab, operation| {
        Box::pin(async move {
            let instance = rows::instance(rows::project());
            let new = NewInstance {
                instance,
                placement: None,
                operation: Some(operation.clone()),
                quota: None,
                user_data: None,
                placing: Default::default(),
            };
            assert_eq!(lab.database.insert_instance(&new).await.unwrap(), Insertion::Inserted);
            assert_eq!(lab.database.get_operation(operation.id).await.unwrap().as_ref(), Some(&operation));
            assert_eq!(lab.database.list_operations(operation.subject).await.unwrap(), [operation]);
        })
    });
}
