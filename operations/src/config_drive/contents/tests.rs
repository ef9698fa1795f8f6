use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::ids::{Epoch, ImageId, InstanceId, ProjectId, RandomIds, UserId};
use cuttle_model::instance::{InstanceState, PowerState};
use uuid::Uuid;

use super::*;

fn instance() -> Instance {
    let at = Timestamp::from_micros(0);
    Instance {
        id: InstanceId::from_uuid(Uuid::from_u128(0xabcd_ef01 << 96)),
        project_id: ProjectId::from_uuid(Uuid::from_u128(2)),
        user_id: UserId::from_uuid(Uuid::from_u128(3)),
        name: "Web 1".into(),
        description: None,
        hostname: "web-1".into(),
        flavor: Flavor {
            id: FlavorId("1".into()),
            name: "small".into(),
            description: None,
            vcpus: 1,
            ram_mib: 64,
            disk_gib: 1,
            ephemeral_gib: 1,
            swap_mib: 64,
            is_public: true,
            is_disabled: false,
            extra_specs: Default::default(),
        },
        image_id: Some(ImageId::from_uuid(Uuid::from_u128(4))),
        state: InstanceState::Building,
        task: None,
        power: PowerState::Unknown,
        host_id: None,
        epoch: Epoch(1),
        running_allowed: None,
        root_disk: None,
        extra_disks: Vec::new(),
        config_drive: true,
        metadata: [("role".to_owned(), "web".to_owned())].into(),
        key_name: Some("laptop".into()),
        public_key: None,
        tags: Default::default(),
        lock: None,
        reservation_id: None,
        launch_index: 2,
        access_ipv4: None,
        access_ipv6: None,
        availability_zone: None,
        created_at: at,
        updated_at: at,
        launched_at: None,
        deleted_at: None,
        generation: 1,
    }
}

const USER_DATA: Option<&str> = Some("I2Nsb3VkLWNvbmZpZwo=");
const KEY: Key<'_> = Key { name: "laptop", kind: "ssh", text: "ssh-ed25519 AAAA me" };

fn files(user_data: Option<&str>, keys: Vec<Key<'_>>, password: Option<&str>) -> Result<Files, BadUserData> {
    let (instance, password) = (instance(), password.map(SecretString::from));
    let Value::Object(vendor_data) = json!({"cloud-init": "#cloud-config"}) else { unreachable!() };
    let contents = Contents {
        instance: &instance,
        user_data,
        keys,
        admin_password: password.as_ref(),
        vendor_data: &vendor_data,
        random_seed: random_seed(&RandomIds),
    };
    contents.files()
}

fn json_of(files: &Files, path: &str) -> Value {
    serde_json::from_slice(files.get(path).unwrap_or_else(|| panic!("no {path}"))).unwrap()
}

#[test]
fn the_newest_version_that_cloud_init_knows_says_all() {
    let files = files(USER_DATA, vec![KEY], Some("pa\"ss")).unwrap();
    let meta = json_of(&files, "openstack/2018-08-27/meta_data.json");
    assert_eq!(meta["uuid"], "abcdef01-0000-0000-0000-000000000000");
    assert_eq!((&meta["hostname"], &meta["name"]), (&json!("web-1"), &json!("Web 1")));
    assert_eq!(meta["public_keys"], json!({"laptop": "ssh-ed25519 AAAA me"}));
    assert_eq!(meta["keys"], json!([{"name": "laptop", "type": "ssh", "data": "ssh-ed25519 AAAA me"}]));
    assert_eq!(meta["meta"], json!({"role": "web"}));
    assert_eq!(meta["admin_pass"], "pa\"ss");
    assert_eq!((&meta["availability_zone"], &meta["launch_index"]), (&json!("nova"), &json!(2)));
    assert_eq!(STANDARD.decode(meta["random_seed"].as_str().unwrap()).unwrap().len(), 512);
    assert_eq!(files["openstack/2018-08-27/user_data"], b"#cloud-config\n");
    assert_eq!(json_of(&files, "openstack/2018-08-27/vendor_data.json"), json!({"cloud-init": "#cloud-config"}));
    assert_eq!(json_of(&files, "openstack/latest/vendor_data2.json"), json!({"static": {"cloud-init": "#cloud-config"}}));
    assert_eq!(json_of(&files, "openstack/latest/network_data.json")["links"], json!([]));
}

#[test]
fn older_versions_hold_what_they_knew() {
    let files = files(USER_DATA, vec![KEY], None).unwrap();
    let folder = |version: &str| -> Vec<&str> {
        let prefix = format!("openstack/{version}/");
        files.keys().filter_map(|path| path.strip_prefix(&prefix)).collect()
    };
    assert_eq!(folder("2012-08-10"), ["meta_data.json", "user_data"]);
    assert_eq!(folder("2013-10-17"), ["meta_data.json", "user_data", "vendor_data.json"]);
    assert_eq!(folder("2015-10-15"), ["meta_data.json", "network_data.json", "user_data", "vendor_data.json"]);
    assert_eq!(folder("latest"), ["meta_data.json", "network_data.json", "user_data", "vendor_data.json", "vendor_data2.json"]);
    let oldest = json_of(&files, "openstack/2012-08-10/meta_data.json");
    for later in ["random_seed", "project_id", "devices", "dedicated_cpus", "admin_pass"] {
        assert!(oldest.get(later).is_none(), "{later}");
    }
}

#[test]
fn ec2s_tree_names_keys_and_disks() {
    let files = files(USER_DATA, vec![KEY], None).unwrap();
    for version in ["2009-04-04", "latest"] {
        let meta = json_of(&files, &format!("ec2/{version}/meta-data.json"));
        assert_eq!(meta["instance-id"], "i-abcdef01");
        assert_eq!(meta["instance-type"], "small");
        assert_eq!(meta["public-keys"]["0"], json!({"_name": "0=laptop", "openssh-key": "ssh-ed25519 AAAA me"}));
        let devices = json!({"ami": "vda", "root": "/dev/vda", "ephemeral0": "/dev/vdb", "swap": "/dev/vdc"});
        assert_eq!(meta["block-device-mapping"], devices);
        assert_eq!(files[&format!("ec2/{version}/user-data")], b"#cloud-config\n");
    }
}

#[test]
fn what_was_not_given_is_not_there() {
    let files = files(None, Vec::new(), None).unwrap();
    assert!(files.keys().all(|path| !path.ends_with("user_data") && !path.ends_with("user-data")));
    let meta = json_of(&files, "openstack/latest/meta_data.json");
    assert!(meta.get("public_keys").is_none() && meta.get("keys").is_none());
}

#[test]
fn user_data_may_have_line_breaks_and_must_be_base64() {
    assert_eq!(decode_user_data("aGVs\r\nbG8=\n"), Some(b"hello".to_vec()));
    for bad in ["%", "aGVsbG8", "a"] {
        assert_eq!(decode_user_data(bad), None, "{bad}");
        assert!(files(Some(bad), Vec::new(), None).is_err());
    }
}

#[test]
fn no_two_guests_have_the_same_seed() {
    let (one, two) = (random_seed(&RandomIds), random_seed(&RandomIds));
    assert_eq!((one.len(), two.len()), (512, 512));
    assert_ne!(one, two);
}
