//! Rows that anyone can add: beyond so many the oldest make room.

use super::{Result, Store};

/// Which rows. In both statements `$1` is the newest one, which never goes.
pub(super) struct Crowd {
    /// How many there are beside it.
    pub(super) others: &'static str,
    /// Takes the `$2` oldest of those.
    pub(super) thin: &'static str,
}

impl Store {
    /// Leaves as many. Several replicas that count at once may each leave a few more, or take the same.
    pub(super) async fn make_room(&self, crowd: &Crowd, most: i64, newest: &str) -> Result<()> {
        let others: i64 = sqlx::query_scalar(crowd.others).bind(newest).fetch_one(self.reader()).await?;
        if others >= most {
            sqlx::query(crowd.thin).bind(newest).bind(others + 1 - most).execute(self.writer()).await?;
        }
        Ok(())
    }
}
