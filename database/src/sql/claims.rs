//! Claims: what instances take of hosts.
//!
//! Always true: a claim is made only while its host is locked, and only if all claims on the host together stay within
//! its limits; so two control nodes that place at once never give the same room twice.

use cuttle_model::capacity::Claim;
use cuttle_model::ids::InstanceId;

use super::{Attempt, Tx, bind, changed};
use crate::instances::Placement;
use crate::operations::ClaimEnd;

/// The claim where the instance's row says that it is.
pub(super) const HOME: &str = "home";
/// The one that it is being moved to, or would go back to.
pub(super) const OTHER: &str = "other";

/// Keeps other claims on this host out until the transaction ends. False: it takes none.
pub(super) async fn lock_host(tx: &mut Tx, placement: &Placement) -> Attempt<bool> {
    const LOCK: &str = "UPDATE hosts SET placements = placements + 1 \
         WHERE id = $1 AND disabled = 0 AND ($2 IS NULL OR rules = $2)";
    changed(sqlx::query(LOCK).bind(placement.claim.host_id.to_string()).bind(placement.rules), tx.connection()).await
}

/// Writes a claim if there is room for it. False: there is none.
pub(super) async fn claim(tx: &mut Tx, placement: &Placement, role: &'static str) -> Attempt<bool> {
    const CLAIM: &str = "INSERT INTO claims (instance_id, host_id, vcpus, ram_mib, role) \
         SELECT $1, $2, $3, $4, $7 \
         FROM (SELECT COUNT(*) AS instances, COALESCE(SUM(vcpus), 0) AS vcpus, COALESCE(SUM(ram_mib), 0) AS ram_mib \
         FROM claims WHERE host_id = $2) AS taken \
         WHERE taken.vcpus + $3 <= $5 AND taken.ram_mib + $4 <= $6 AND taken.instances < $8";
    let Placement { claim, vcpu_limit, ram_limit_mib, instance_limit, rules: _ } = placement;
    let query = sqlx::query(CLAIM)
        .bind(claim.instance_id.to_string())
        .bind(claim.host_id.to_string())
        .bind(i64::from(claim.vcpus))
        .bind(bind::integer("claims", "ram_mib", claim.ram_mib)?)
        .bind(bind::limit(*vcpu_limit))
        .bind(bind::limit(*ram_limit_mib))
        .bind(role)
        .bind(bind::limit(instance_limit.unwrap_or(u64::MAX)));
    changed(query, tx.connection()).await
}

/// Says anew which of an instance's two claims is where it is. Both were made before: the room is not looked at.
pub(super) async fn replace(tx: &mut Tx, home: &Claim, other: &Claim) -> Attempt<()> {
    const WRITE: &str = "INSERT INTO claims (instance_id, host_id, vcpus, ram_mib, role) VALUES ($1, $2, $3, $4, $5)";
    release(tx, home.instance_id, ClaimEnd::Released).await?;
    for (claim, role) in [(home, HOME), (other, OTHER)] {
        let query = sqlx::query(WRITE)
            .bind(claim.instance_id.to_string())
            .bind(claim.host_id.to_string())
            .bind(i64::from(claim.vcpus))
            .bind(bind::integer("claims", "ram_mib", claim.ram_mib)?)
            .bind(role);
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

/// Gives room back.
pub(super) async fn release(tx: &mut Tx, instance: InstanceId, end: ClaimEnd) -> Attempt<()> {
    const ALL: &str = "DELETE FROM claims WHERE instance_id = $1";
    const OF_ROLE: &str = "DELETE FROM claims WHERE instance_id = $1 AND role = $2";
    let query = match end {
        ClaimEnd::Kept => return Ok(()),
        ClaimEnd::Released => sqlx::query(ALL).bind(instance.to_string()),
        ClaimEnd::OtherReleased => sqlx::query(OF_ROLE).bind(instance.to_string()).bind(OTHER),
    };
    query.execute(tx.connection()).await?;
    Ok(())
}
