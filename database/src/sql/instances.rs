//! Instances.

use std::sync::LazyLock;

use async_trait::async_trait;
use cuttle_model::capacity::Claim;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::{Instance, InstanceState, Lock, LockedBy, PowerState, StateName, Task};
use cuttle_model::operation::Operation;
use futures_util::TryStreamExt;

use super::row::Columns;
use super::server_groups::Joining;
use super::{
    Attempt, Handle, Query, Row, Tx, attempt, bind, changed, claims, instance_list, leases, operations, placements, quotas,
    server_groups, subject, tags, user_data,
};
use crate::Result;
use crate::instances::{Insertion, InstanceQuery, Instances, NewInstance};
use crate::operations::{LeaseGuard, Written};
use crate::quotas::InstanceUsage;

const TABLE: &str = "instances";

/// All columns, in the order in which they are bound. [`read`] takes them as `packed!` asks for them.
macro_rules! instance_columns {
    () => {
        "id, project_id, user_id, name, description, hostname, flavor_id, flavor, image_id, state, fault, task, power, \
         host_id, epoch, running_allowed, root_disk, metadata, key_name, availability_zone, created_at, updated_at, \
         launched_at, deleted_at, generation, public_key, tags, locked_by, locked_reason, reservation_id, launch_index, \
         access_ipv4, access_ipv6, vcpus, ram_mib, extra_disks, config_drive, before_resize"
    };
}
pub(super) use instance_columns;

static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| instance_columns!().split(", ").collect());

#[async_trait]
impl Instances for Handle {
    async fn insert_instance(&self, new: &NewInstance) -> Result<Insertion> {
        attempt("insert an instance", || async move {
            let mut tx = self.begin().await?;
            // Before the host, as everywhere: so two of these never wait for each other.
            if let Some(scope) = &new.quota {
                let over = quotas::check_instance(&mut tx, &InstanceUsage::of_flavor(&new.instance.flavor), scope).await?;
                if !over.is_empty() {
                    return Ok(Insertion::OverQuota(over));
                }
            }
            if let Some(group) = new.placing.group {
                match server_groups::lock(&mut tx, group, new.quota.as_ref()).await? {
                    Joining::May => {}
                    Joining::Gone => return Ok(Insertion::GroupGone),
                    Joining::OverQuota(over) => return Ok(Insertion::OverQuota(vec![over])),
                }
            }
            if let Some(placement) = &new.placement
                && !claims::lock_host(&mut tx, placement).await?
            {
                return Ok(Insertion::HostFull);
            }
            insert(&mut tx, &new.instance).await?;
            if let Some(placement) = &new.placement
                && !claims::claim(&mut tx, placement, claims::HOME).await?
            {
                return Ok(Insertion::HostFull);
            }
            if let Some(group) = new.placing.group {
                if let Some(placement) = &new.placement
                    && !server_groups::allows(&mut tx, group, new.instance.id, placement.claim.host_id).await?
                {
                    return Ok(Insertion::HostFull);
                }
                server_groups::join(&mut tx, group, new.instance.id).await?;
            }
            placements::insert(&mut tx, new.instance.id, &new.placing.hints, new.placing.record.as_ref()).await?;
            if let Some(data) = &new.user_data {
                user_data::insert(&mut tx, new.instance.id, data).await?;
            }
            if let Some(operation) = &new.operation {
                operations::insert(&mut tx, operation).await?;
            }
            tx.commit().await?;
            Ok(Insertion::Inserted)
        })
        .await
    }

    async fn get_instance(&self, id: InstanceId) -> Result<Option<Instance>> {
        const GET: &str = concat!("SELECT ", packed!(instance_columns!()), " FROM instances WHERE id = $1");
        attempt("get an instance", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }

    async fn list_instances(&self, query: &InstanceQuery) -> Result<Vec<Instance>> {
        attempt("list instances", || async move {
            let mut query = instance_list::select(query);
            // Each row is read while the next ones are looked for, and let go of.
            let mut rows = query.build().fetch(self.reader());
            let mut found = Vec::new();
            while let Some(row) = rows.try_next().await? {
                found.push(read(&row)?);
            }
            Ok(found)
        })
        .await
    }

    async fn update_instance(&self, instance: &Instance, guard: Option<&LeaseGuard>) -> Result<Written> {
        attempt("update an instance", || async move {
            let Some(guard) = guard else {
                return Ok(subject::written(changed(update(instance)?, self.writer()).await?));
            };
            let mut tx = self.begin().await?;
            let updated = changed(update(instance)?, tx.connection()).await?;
            leases::finish_guarded(tx, guard, updated).await
        })
        .await
    }

    async fn move_instance(&self, instance: &Instance, home: &Claim, other: &Claim, guard: &LeaseGuard) -> Result<Written> {
        attempt("move an instance", || async move {
            let mut tx = self.begin().await?;
            let updated = changed(update(instance)?, tx.connection()).await?;
            if updated {
                claims::replace(&mut tx, home, other).await?;
            }
            leases::finish_guarded(tx, guard, updated).await
        })
        .await
    }

    async fn update_instance_recorded(&self, instance: &Instance, operation: &Operation) -> Result<Written> {
        attempt("update an instance and record it", || async move {
            let mut tx = self.begin().await?;
            if !changed(update(instance)?, tx.connection()).await? {
                return Ok(Written::Stale);
            }
            operations::insert(&mut tx, operation).await?;
            tx.commit().await?;
            Ok(Written::Done)
        })
        .await
    }
}

async fn insert(tx: &mut Tx, instance: &Instance) -> Attempt<()> {
    const INSERT: &str = concat!(
        "INSERT INTO instances (",
        instance_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, \
         $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38)"
    );
    bound(INSERT, instance)?.execute(tx.connection()).await?;
    Ok(())
}

/// Writes an instance over the row that was read. The epoch is [`crate::Clients::begin_epoch`]'s alone
/// and the permission to run [`crate::Clients::allow_running`]'s, so a row in which one was changed
/// otherwise is refused like a stale one; the permission may be taken away.
pub(super) fn update(instance: &Instance) -> Attempt<Query<'static>> {
    const UPDATE: &str = "UPDATE instances SET project_id = $2, user_id = $3, name = $4, description = $5, hostname = $6, \
         flavor_id = $7, flavor = $8, image_id = $9, state = $10, fault = $11, task = $12, power = $13, host_id = $14, \
         running_allowed = $16, root_disk = $17, metadata = $18, key_name = $19, availability_zone = $20, created_at = $21, \
         updated_at = $22, launched_at = $23, deleted_at = $24, generation = generation + 1, public_key = $26, tags = $27, locked_by = $28, \
         locked_reason = $29, reservation_id = $30, launch_index = $31, access_ipv4 = $32, access_ipv6 = $33, vcpus = $34, \
         ram_mib = $35, extra_disks = $36, config_drive = $37, before_resize = $38 \
         WHERE id = $1 AND generation = $25 AND epoch = $15 AND ($16 IS NULL OR running_allowed = $16)";
    bound(UPDATE, instance)
}

fn bound(statement: &'static str, instance: &Instance) -> Attempt<Query<'static>> {
    let fault = match &instance.state {
        InstanceState::Error { fault } => Some(bind::json(TABLE, "fault", fault)?),
        _ => None,
    };
    let before_resize = match &instance.state {
        InstanceState::Resized { before } => Some(bind::json(TABLE, "before_resize", before)?),
        _ => None,
    };
    let root_disk = instance.root_disk.as_ref().map(|disk| bind::json(TABLE, "root_disk", disk)).transpose()?;
    let public_key = instance.public_key.as_ref().map(|key| bind::json(TABLE, "public_key", key)).transpose()?;
    Ok(sqlx::query(statement)
        .bind(instance.id.to_string())
        .bind(instance.project_id.to_string())
        .bind(instance.user_id.to_string())
        .bind(instance.name.clone())
        .bind(instance.description.clone())
        .bind(instance.hostname.clone())
        .bind(instance.flavor.id.to_string())
        .bind(bind::json(TABLE, "flavor", &instance.flavor)?)
        .bind(instance.image_id.map(|id| id.to_string()))
        .bind(instance.state.name().as_str())
        .bind(fault)
        .bind(instance.task.map(Task::as_str))
        .bind(instance.power.as_str())
        .bind(instance.host_id.map(|id| id.to_string()))
        .bind(instance.epoch.0)
        .bind(instance.running_allowed.map(|epoch| epoch.0))
        .bind(root_disk)
        .bind(bind::json(TABLE, "metadata", &instance.metadata)?)
        .bind(instance.key_name.clone())
        .bind(instance.availability_zone.clone())
        .bind(instance.created_at.as_micros())
        .bind(instance.updated_at.as_micros())
        .bind(instance.launched_at.map(|time| time.as_micros()))
        .bind(instance.deleted_at.map(|time| time.as_micros()))
        .bind(instance.generation)
        .bind(public_key)
        .bind(tags::column(&instance.tags))
        .bind(instance.lock.as_ref().map(|lock| lock.by.as_str()))
        .bind(instance.lock.as_ref().and_then(|lock| lock.reason.clone()))
        .bind(instance.reservation_id.clone())
        .bind(i64::from(instance.launch_index))
        .bind(instance.access_ipv4.map(|address| address.to_string()))
        .bind(instance.access_ipv6.map(|address| address.to_string()))
        .bind(i64::from(instance.flavor.vcpus))
        .bind(bind::integer(TABLE, "ram_mib", instance.flavor.ram_mib)?)
        .bind(bind::json(TABLE, "extra_disks", &instance.extra_disks)?)
        .bind(i64::from(instance.config_drive))
        .bind(before_resize))
}

pub(super) fn read(row: &Row) -> Attempt<Instance> {
    let columns = Columns::packed(TABLE, "id", &NAMES, row)?;
    let state_name = |word: &str| StateName::ALL.into_iter().find(|name| name.as_str() == word);
    let epoch = |columns: &Columns<'_>, column| columns.integer(column).map(cuttle_model::ids::Epoch);
    Ok(Instance {
        id: columns.parsed("id")?,
        project_id: columns.parsed("project_id")?,
        user_id: columns.parsed("user_id")?,
        name: columns.string("name")?,
        description: columns.maybe("description", Columns::string)?,
        hostname: columns.string("hostname")?,
        flavor: columns.json("flavor")?,
        image_id: columns.maybe("image_id", Columns::parsed)?,
        state: match columns.word("state", state_name)? {
            StateName::Building => InstanceState::Building,
            StateName::Active => InstanceState::Active,
            StateName::Paused => InstanceState::Paused,
            StateName::Stopped => InstanceState::Stopped,
            StateName::Resized => InstanceState::Resized { before: columns.json("before_resize")? },
            StateName::Error => InstanceState::Error { fault: columns.json("fault")? },
            StateName::Deleted => InstanceState::Deleted,
        },
        task: columns.maybe("task", |columns, column| columns.word(column, Task::from_word))?,
        power: columns.word("power", PowerState::from_word)?,
        host_id: columns.maybe("host_id", Columns::parsed)?,
        epoch: epoch(&columns, "epoch")?,
        running_allowed: columns.maybe("running_allowed", epoch)?,
        root_disk: columns.maybe("root_disk", Columns::json)?,
        extra_disks: columns.json("extra_disks")?,
        config_drive: columns.flag("config_drive")?,
        metadata: columns.json("metadata")?,
        key_name: columns.maybe("key_name", Columns::string)?,
        public_key: columns.maybe("public_key", Columns::json)?,
        tags: tags::read(columns.text("tags")?),
        lock: match columns.maybe("locked_by", |columns, column| columns.word(column, LockedBy::from_word))? {
            Some(by) => Some(Lock { by, reason: columns.maybe("locked_reason", Columns::string)? }),
            None => None,
        },
        reservation_id: columns.maybe("reservation_id", Columns::string)?,
        launch_index: columns.number("launch_index")?,
        access_ipv4: columns.maybe("access_ipv4", Columns::parsed)?,
        access_ipv6: columns.maybe("access_ipv6", Columns::parsed)?,
        availability_zone: columns.maybe("availability_zone", Columns::string)?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
        launched_at: columns.maybe("launched_at", Columns::time)?,
        deleted_at: columns.maybe("deleted_at", Columns::time)?,
        generation: columns.integer("generation")?,
    })
}
