//! Numbers about the whole cloud.

use async_trait::async_trait;

use super::row::Columns;
use super::{Attempt, Handle, Row, attempt};
use crate::Result;
use crate::statistics::{Count, PoolUse, Statistics};

#[async_trait]
impl Statistics for Handle {
    async fn counts(&self) -> Result<Vec<Count>> {
        const COUNT: &str = "SELECT 'instance' AS what, state, COUNT(*) AS number FROM instances \
             WHERE state <> 'deleted' GROUP BY state \
             UNION ALL SELECT 'image', status, COUNT(*) FROM images WHERE status <> 'deleted' GROUP BY status \
             UNION ALL SELECT 'operation', status, COUNT(*) FROM operations \
             WHERE status IN ('running', 'undoing', 'waiting') GROUP BY status \
             UNION ALL SELECT 'storage', CASE WHEN quality IS NULL THEN 'unknown' WHEN quality = 0 THEN 'broken' \
             WHEN quality < 1000 THEN 'slow' ELSE 'good' END AS state, COUNT(*) FROM host_storage GROUP BY 2 \
             UNION ALL SELECT 'command', 'pending', COUNT(*) FROM commands WHERE report IS NULL AND withdrawn = 0";
        attempt("count", || async move { sqlx::query(COUNT).fetch_all(self.reader()).await?.iter().map(read).collect() }).await
    }

    fn connections(&self) -> Vec<PoolUse> {
        let in_use = |(name, pool): (&'static str, &sqlx::Pool<super::Db>)| PoolUse {
            name,
            open: pool.size(),
            idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
        };
        self.pools().into_iter().map(in_use).collect()
    }
}

fn read(row: &Row) -> Attempt<Count> {
    let columns = Columns::new("counts", "what", row);
    Ok(Count { what: columns.string("what")?, state: columns.string("state")?, number: columns.number("number")? })
}
