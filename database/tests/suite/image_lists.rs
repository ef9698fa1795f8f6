//! Lists of images: filters, orders, pages, and who sees what was shared.

use cuttle_database::{Comparison, ImageQuery, ImageSort, Inserted, Shared, SortDirection, Written};
use cuttle_model::ids::ProjectId;
use cuttle_model::image::{Image, ImageMember, ImageStatus, MemberStatus, Visibility};

use crate::lab::Lab;
use crate::rows;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn named(name: &str, project: ProjectId, seconds: i64) -> Image {
    Image {
        name: Some(name.to_owned()),
        created_at: rows::at(seconds),
        updated_at: rows::at(seconds + 10),
        size_bytes: Some(100 - seconds as u64),
        ..rows::image(project)
    }
}

async fn list(lab: &Lab, query: ImageQuery) -> Vec<String> {
    lab.database.list_images(&query).await.unwrap().into_iter().filter_map(|image| image.name).collect()
}

#[tokio::test]
async fn each_filter_finds_what_it_says() {
    let lab = Lab::new().await;
    let (ours, theirs) = (rows::project(), rows::project());
    let properties = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let all = [
        Image {
            tags: texts(&["a", "b\"c"]),
            properties: properties(&[("os", "x\":\"y"), ("k", "v")]),
            min_disk_gib: 3,
            hidden: true,
            ..named("one", ours, 1)
        },
        Image {
            tags: texts(&["ab", ",", "line\nend"]),
            properties: properties(&[("k", "v\nw"), ("os", "")]),
            disk_format: Some("qcow2".to_owned()),
            min_ram_mib: 7,
            protected: true,
            ..named("two", ours, 2)
        },
        Image {
            visibility: Visibility::Public,
            status: ImageStatus::Active,
            checksum: Some("c".to_owned()),
            sha512: Some("s".to_owned()),
            ..named("three", theirs, 3)
        },
        Image {
            visibility: Visibility::Shared,
            size_bytes: None,
            container_format: Some("x".to_owned()),
            ..named("four", theirs, 4)
        },
    ];
    for image in &all {
        lab.database.insert_image(image).await.unwrap();
    }
    let any = ImageQuery::default;
    let property = |key: &str, value: &str| ImageQuery { properties: vec![(key.to_owned(), value.to_owned())], ..any() };
    let tagged = |wanted: &[&str]| ImageQuery { tags: texts(wanted), ..any() };
    let created = |list: &[(Comparison, i64)]| ImageQuery {
        created: list.iter().map(|(comparison, seconds)| (*comparison, rows::at(*seconds))).collect(),
        ..any()
    };
    let expected: Vec<(ImageQuery, &[&str])> = vec![
        (any(), &["four", "three", "two", "one"]),
        (ImageQuery { visible_to: Some(ours), ..any() }, &["three", "two", "one"]),
        (ImageQuery { visibility: Some(Visibility::Shared), ..any() }, &["four"]),
        (ImageQuery { owner: Some(theirs), visible_to: Some(ours), ..any() }, &["three"]),
        (ImageQuery { names: Some(texts(&["two", "four", "x"])), ..any() }, &["four", "two"]),
        (ImageQuery { statuses: Some(vec![ImageStatus::Active, ImageStatus::Saving]), ..any() }, &["three"]),
        (ImageQuery { ids: Some(vec![all[0].id, all[3].id]), ..any() }, &["four", "one"]),
        (ImageQuery { ids: Some(Vec::new()), ..any() }, &[]),
        (ImageQuery { hidden: Some(true), ..any() }, &["one"]),
        (ImageQuery { hidden: Some(false), ..any() }, &["four", "three", "two"]),
        (ImageQuery { protected: Some(true), ..any() }, &["two"]),
        (ImageQuery { min_disk_gib: Some(3), ..any() }, &["one"]),
        (ImageQuery { min_ram_mib: Some(7), ..any() }, &["two"]),
        (ImageQuery { size_min: Some(98), ..any() }, &["two", "one"]),
        (ImageQuery { size_max: Some(98), size_min: Some(98), ..any() }, &["two"]),
        (ImageQuery { checksum: Some("c".to_owned()), sha512: Some("s".to_owned()), ..any() }, &["three"]),
        (ImageQuery { disk_formats: Some(texts(&["qcow2"])), ..any() }, &["two"]),
        (ImageQuery { container_formats: Some(texts(&["x", "y"])), ..any() }, &["four"]),
        (created(&[(Comparison::Greater, 2)]), &["four", "three"]),
        (created(&[(Comparison::GreaterOrEqual, 2), (Comparison::Less, 4)]), &["three", "two"]),
        (created(&[(Comparison::LessOrEqual, 2)]), &["two", "one"]),
        (created(&[(Comparison::Equal, 3)]), &["three"]),
        (created(&[(Comparison::NotEqual, 3)]), &["four", "two", "one"]),
        (ImageQuery { updated: vec![(Comparison::Equal, rows::at(11))], ..any() }, &["one"]),
        (property("k", "v"), &["one"]),
        (property("k", "v\nw"), &["two"]),
        (property("os", ""), &["two"]),
        (property("os", "x\":\"y"), &["one"]),
        (property("os", "x"), &[]),
        (property("v", "w"), &[]),
        (tagged(&["a"]), &["one"]),
        (tagged(&["a", "b\"c"]), &["one"]),
        (tagged(&[","]), &["two"]),
        (tagged(&["line\nend"]), &["two"]),
    ];
    for (query, names) in expected {
        assert_eq!(list(&lab, query.clone()).await, names, "{query:?}");
    }
    for absent in ["", "b", "c", "line", "\n", "\",\""] {
        assert_eq!(list(&lab, tagged(&[absent])).await, [""; 0], "{absent:?}");
    }
}

#[tokio::test]
async fn orders_and_pages() {
    let lab = Lab::new().await;
    let project = rows::project();
    let images = [
        Image { min_ram_mib: 1, disk_format: None, ..named("one", project, 1) },
        Image { min_ram_mib: 2, min_disk_gib: 5, ..named("two", project, 2) },
        Image { min_ram_mib: 2, disk_format: Some("iso".to_owned()), ..named("three", project, 3) },
    ];
    for image in &images {
        lab.database.insert_image(image).await.unwrap();
    }
    let sorted = |keys: &[(ImageSort, SortDirection)]| ImageQuery { sort: keys.to_vec(), ..ImageQuery::default() };
    use SortDirection::{Ascending, Descending};
    assert_eq!(list(&lab, sorted(&[(ImageSort::Size, Ascending)])).await, ["three", "two", "one"]);
    assert_eq!(
        list(&lab, sorted(&[(ImageSort::MinRam, Descending), (ImageSort::Name, Ascending)])).await,
        ["three", "two", "one"]
    );
    assert_eq!(list(&lab, sorted(&[(ImageSort::MinDisk, Descending)])).await[0], "two");
    assert_eq!(list(&lab, sorted(&[(ImageSort::DiskFormat, Ascending)])).await[0], "one");
    assert_eq!(list(&lab, sorted(&[(ImageSort::ContainerFormat, Ascending)])).await, ["three", "two", "one"]);
    let page = ImageQuery { marker: Some(images[2].id), limit: Some(1), ..sorted(&[(ImageSort::Size, Ascending)]) };
    assert_eq!(list(&lab, page).await, ["two"]);
}

#[tokio::test]
async fn what_is_shared_is_listed_once_it_was_accepted() {
    let lab = Lab::new().await;
    let (owner, member, stranger) = (rows::project(), rows::project(), rows::project());
    let image = Image { visibility: Visibility::Shared, ..named("shared", owner, 1) };
    lab.database.insert_image(&image).await.unwrap();
    assert_eq!(lab.database.get_image_for(image.id, member).await.unwrap(), None);
    let mut row = ImageMember {
        image_id: image.id,
        project_id: member,
        status: MemberStatus::Pending,
        created_at: rows::at(1),
        updated_at: rows::at(1),
    };
    assert_eq!(lab.database.insert_image_member(&row).await.unwrap(), Inserted::Inserted);
    assert_eq!(lab.database.insert_image_member(&row).await.unwrap(), Inserted::SameId);
    assert_eq!(lab.database.get_image_member(image.id, member).await.unwrap(), Some(row.clone()));
    assert_eq!(lab.database.get_image_member(image.id, stranger).await.unwrap(), None);

    let seen =
        async |project, shared| list(&lab, ImageQuery { visible_to: Some(project), shared, ..ImageQuery::default() }).await;
    assert_eq!(seen(owner, Shared::Accepted).await, ["shared"]);
    for status in MemberStatus::ALL {
        row = ImageMember { status, updated_at: rows::at(2), ..row };
        assert!(lab.database.update_image_member(&row).await.unwrap());
        let accepted = status == MemberStatus::Accepted;
        assert_eq!(seen(member, Shared::Accepted).await.len(), usize::from(accepted), "{status:?}");
        assert_eq!(seen(member, Shared::With(status)).await, ["shared"]);
        assert_eq!(seen(member, Shared::Any).await, ["shared"]);
        assert_eq!(seen(stranger, Shared::Any).await, [""; 0]);
        // It may be used in any case.
        assert_eq!(lab.database.get_image_for(image.id, member).await.unwrap(), Some(image.clone()));
    }
    assert_eq!(lab.database.list_image_members(image.id).await.unwrap(), [row.clone()]);

    let private = Image { visibility: Visibility::Private, ..image.clone() };
    assert_eq!(lab.database.update_image(&private, None).await.unwrap(), Written::Done);
    assert_eq!(lab.database.get_image_for(image.id, member).await.unwrap(), None, "it is not shared any more");
    assert_eq!(seen(member, Shared::Any).await, [""; 0]);
    for visibility in [Visibility::Public, Visibility::Community] {
        let current = lab.database.get_image(image.id).await.unwrap().unwrap();
        assert_eq!(lab.database.update_image(&Image { visibility, ..current }, None).await.unwrap(), Written::Done);
        assert!(lab.database.get_image_for(image.id, stranger).await.unwrap().is_some(), "{visibility:?}");
    }
    assert!(lab.database.delete_image_member(image.id, member).await.unwrap());
    assert!(!lab.database.delete_image_member(image.id, member).await.unwrap());
    assert!(!lab.database.update_image_member(&row).await.unwrap());
}
