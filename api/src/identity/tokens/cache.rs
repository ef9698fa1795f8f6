//! What tokens grant, remembered, so that most requests are let in without a query.
//!
//! Always true:
//! - It never holds more than `capacity` tokens, and none for longer than `age`.
//! - What a committed change voids is forgotten before the next look: changes come as the database's
//!   events, which are gone through first. On the node that makes a change it is forgotten before the
//!   change is answered.
//! - A grant that was read before a change is not put in after it.
//! - When events may have been lost, everything is forgotten. Where not even that is noticed, `age` is
//!   the bound: a token that another node has voided is let in for no longer than that.
//!
//! Tokens that are not valid are not remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cuttle_database::{Database, Event};
use cuttle_model::clock::Timestamp;
use cuttle_model::identity::TokenGrant;
use cuttle_model::ids::{ProjectId, UserId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// What is stored of a token.
pub type TokenHash = [u8; 32];

/// The tokens that were seen lately.
pub struct TokenCache {
    state: Mutex<State>,
    age: Duration,
    capacity: usize,
}

struct State {
    entries: HashMap<TokenHash, Entry>,
    events: Receiver<Event>,
    /// Counts what was forgotten before its time.
    changes: u64,
}

struct Entry {
    grant: Arc<TokenGrant>,
    read_at: Timestamp,
}

impl TokenCache {
    pub fn new(database: &Database, capacity: usize, age: Duration) -> Self {
        let state = State { entries: HashMap::new(), events: database.events(), changes: 0 };
        Self { state: Mutex::new(state), age, capacity }
    }

    /// What the token grants at `now`: as remembered, or by one query.
    pub async fn get(
        &self,
        database: &Database,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<Arc<TokenGrant>>, cuttle_database::Error> {
        let changes = {
            let mut state = self.current();
            match state.entries.get(hash) {
                Some(entry) if entry.is_good(now, self.age) => return Ok(Some(entry.grant.clone())),
                Some(_) => _ = state.entries.remove(hash),
                None => {}
            }
            state.changes
        };
        let Some(grant) = database.get_token(hash, now).await?.map(Arc::new) else { return Ok(None) };
        let mut state = self.current();
        if state.changes == changes && self.capacity > 0 {
            self.make_room(&mut state, now);
            state.entries.insert(*hash, Entry { grant: grant.clone(), read_at: now });
        }
        Ok(Some(grant))
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What tokens of this user grant may have changed.
    pub fn forget_user(&self, id: UserId) {
        self.lock().forget(|grant| grant.user.id == id);
    }

    /// What tokens for this project grant may have changed.
    pub fn forget_project(&self, id: ProjectId) {
        self.lock().forget(|grant| grant.project.as_ref().is_some_and(|project| project.id == id));
    }

    /// Anything may have changed.
    pub fn forget_all(&self) {
        self.lock().forget(|_| true);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state after everything that was heard of.
    fn current(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        loop {
            match state.events.try_recv() {
                Ok(Event::UserChanged(id)) => state.forget(|grant| grant.user.id == id),
                Ok(Event::ProjectChanged(id)) => {
                    state.forget(|grant| grant.project.as_ref().is_some_and(|project| project.id == id));
                }
                Ok(Event::Resync) | Err(TryRecvError::Lagged(_)) => state.forget(|_| true),
                Ok(_) => {}
                Err(TryRecvError::Empty) => return state,
                // The database is gone, and with it whatever could be let in.
                Err(TryRecvError::Closed) => {
                    state.forget(|_| true);
                    return state;
                }
            }
        }
    }

    fn make_room(&self, state: &mut State, now: Timestamp) {
        if state.entries.len() >= self.capacity {
            state.entries.retain(|_, entry| entry.is_good(now, self.age));
        }
        // All are in use: begin anew, which costs each of them one query.
        if state.entries.len() >= self.capacity {
            state.entries.clear();
        }
    }
}

impl Entry {
    /// A clock that was set back makes an entry older, not younger.
    fn is_good(&self, now: Timestamp, age: Duration) -> bool {
        self.read_at <= now && now < self.read_at.plus(age) && now < self.grant.expires_at
    }
}

impl State {
    fn forget(&mut self, which: impl Fn(&TokenGrant) -> bool) {
        self.entries.retain(|_, entry| !which(&entry.grant));
        self.changes += 1;
    }
}

#[cfg(test)]
mod tests {
    use cuttle_database::{Options, UserChange};
    use cuttle_model::identity::{AuthMethod, User};
    use cuttle_model::ids::{Ids, RandomIds};

    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_767_323_045_000_000);

    fn at(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    /// A database in a file of its own, as two nodes see it, and a user with a token.
    struct Nodes {
        here: Database,
        there: Database,
        user: UserId,
        directory: std::path::PathBuf,
    }

    const TOKEN: TokenHash = [7; 32];

    impl Nodes {
        async fn new() -> Self {
            let directory = std::env::temp_dir().join(format!("cuttle-cache-{}", RandomIds.uuid()));
            std::fs::create_dir_all(&directory).unwrap();
            let url = format!("sqlite:{}", directory.join("cuttle.db").display());
            let here = cuttle_database::connect(&url, None, &Options::default()).await.unwrap();
            here.migrate().await.unwrap();
            let there = cuttle_database::connect(&url, None, &Options::default()).await.unwrap();
            let id = UserId::new(&RandomIds);
            let user = User { id, name: "ann".into(), enabled: true, default_project_id: None, description: None, email: None };
            here.insert_user(&user, "").await.unwrap();
            let grant = TokenGrant {
                user,
                project: None,
                role: None,
                custom_roles: Vec::new(),
                methods: vec![AuthMethod::Password],
                application_credential: None,
                audit_id: "a".into(),
                issued_at: START,
                expires_at: at(60),
            };
            here.insert_token(&TOKEN, &grant).await.unwrap();
            Self { here, there, user: id, directory }
        }

        async fn holds(&self, cache: &TokenCache, seconds: u64) -> bool {
            cache.get(&self.here, &TOKEN, at(seconds)).await.unwrap().is_some()
        }
    }

    impl Drop for Nodes {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }

    fn cache(nodes: &Nodes, capacity: usize) -> TokenCache {
        TokenCache::new(&nodes.here, capacity, Duration::from_secs(10))
    }

    #[tokio::test]
    async fn what_this_process_voids_is_forgotten_before_the_next_look() {
        let nodes = Nodes::new().await;
        let cache = cache(&nodes, 10);
        assert!(nodes.holds(&cache, 0).await);
        nodes.here.update_user(nodes.user, &UserChange { enabled: Some(false), ..UserChange::default() }).await.unwrap();
        assert!(!nodes.holds(&cache, 0).await);
    }

    #[tokio::test]
    async fn where_word_is_lost_age_is_the_bound() {
        let nodes = Nodes::new().await;
        let cache = cache(&nodes, 10);
        assert!(nodes.holds(&cache, 0).await);
        // On SQLite another process's events are not heard.
        assert!(nodes.there.delete_token(&TOKEN).await.unwrap());
        assert!(nodes.holds(&cache, 9).await, "it was let in without a query");
        assert!(!nodes.holds(&cache, 10).await);
    }

    #[tokio::test]
    async fn a_token_ends_when_it_expires_and_a_clock_set_back_keeps_none() {
        let nodes = Nodes::new().await;
        let cache = TokenCache::new(&nodes.here, 10, Duration::from_secs(3600));
        assert!(nodes.holds(&cache, 30).await);
        assert!(!nodes.holds(&cache, 60).await);
        assert!(nodes.holds(&cache, 30).await);
        nodes.there.delete_token(&TOKEN).await.unwrap();
        assert!(!nodes.holds(&cache, 29).await);
    }

    #[tokio::test]
    async fn it_never_holds_more_than_it_may() {
        let nodes = Nodes::new().await;
        let cache = cache(&nodes, 3);
        let grant = nodes.here.get_token(&TOKEN, START).await.unwrap().unwrap();
        for index in 0..10 {
            nodes.here.insert_token(&[index; 32], &grant).await.ok();
            cache.get(&nodes.here, &[index; 32], START).await.unwrap();
            assert!(cache.lock().entries.len() <= 3);
        }
        let none = TokenCache::new(&nodes.here, 0, Duration::from_secs(10));
        none.get(&nodes.here, &TOKEN, START).await.unwrap();
        assert!(none.lock().entries.is_empty());
    }

    #[tokio::test]
    async fn a_storm_of_events_forgets_everything() {
        let nodes = Nodes::new().await;
        let cache = cache(&nodes, 10);
        assert!(nodes.holds(&cache, 0).await);
        nodes.there.delete_token(&TOKEN).await.unwrap();
        // More than the channel keeps, of another user.
        let other = UserId::new(&RandomIds);
        for _ in 0..4200 {
            nodes.here.delete_user(other).await.unwrap();
        }
        assert!(!nodes.holds(&cache, 1).await);
    }
}
