//! `serve` with a clock that is an hour off (libfaketime), ahead and behind, and right again after that: people log in all the
//! time, nothing that was used or revoked comes back to life, and nothing that was alive has gone.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hallpass_testkit::database::TestDatabase;
use hallpass_testkit::person::Person;

use crate::house::{Client, House, access_token, refresh_token, status};
use crate::program::Serving;

/// What Debian's package puts beside the architecture's libraries.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten().map(|folder| folder.path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    let found = libraries.find(|library| library.exists());
    found.unwrap_or_else(|| panic!("libfaketime is missing: `cargo xtask setup` installs it where it can"))
}

/// The clock of a server, changed while it runs. How time passes stays as it is.
struct FalseClock(tempfile::TempDir);

impl FalseClock {
    fn right() -> Self {
        let clock = Self(tempfile::tempdir().unwrap());
        clock.is_off_by("+0");
        clock
    }

    /// In seconds.
    fn is_off_by(&self, seconds: &str) {
        // In one step: the server looks at any moment.
        let next = self.0.path().join("next");
        fs::write(&next, seconds).unwrap();
        fs::rename(next, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("now")
    }

    fn start(&self, house: &House) -> Serving {
        let mut serve: Command = house.serve(&[]);
        serve.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", self.file());
        serve.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        house.start_by(serve)
    }
}

/// Whether the protected server lets it in. When the clock goes ahead, nobody knows for a moment what was revoked, and whoever
/// is told so asks again.
async fn is_let_in(client: &Client, token: &str) -> bool {
    loop {
        if let Some(answer) = client.is_let_in(token).await {
            return answer;
        }
    }
}

/// What an app has after a login.
struct Login {
    access: String,
    refresh: String,
}

async fn log_in(house: &House, client: &Client) -> Login {
    let tokens = client.redeem(&house.code(&Person::new()).await).await;
    assert_eq!(status(&tokens), 200, "{tokens:?}");
    Login { access: access_token(&tokens), refresh: refresh_token(&tokens) }
}

impl Login {
    async fn goes_on(&mut self, client: &Client) {
        let tokens = client.refresh(&self.refresh).await;
        assert_eq!(status(&tokens), 200, "{tokens:?}");
        *self = Self { access: access_token(&tokens), refresh: refresh_token(&tokens) };
        assert!(is_let_in(client, &self.access).await);
    }

    async fn has_ended(&self, client: &Client) {
        assert_eq!(status(&client.refresh(&self.refresh).await), 400, "what was revoked lives");
        assert!(!is_let_in(client, &self.access).await, "what was revoked lives");
    }
}

/// What is good, and what is over, before the clock changes.
struct Before {
    alive: Login,
    revoked: Login,
    used_code: String,
    unused_code: String,
}

impl Before {
    async fn new(house: &House, client: &Client) -> Self {
        let (alive, revoked) = (log_in(house, client).await, log_in(house, client).await);
        assert_eq!(status(&client.revoke(&revoked.refresh).await), 200);
        let used_code = house.code(&Person::new()).await;
        assert_eq!(status(&client.redeem(&used_code).await), 200);
        Self { alive, revoked, used_code, unused_code: house.code(&Person::new()).await }
    }

    async fn what_is_over_stays_over(&self, client: &Client) {
        self.revoked.has_ended(client).await;
        assert_eq!(status(&client.redeem(&self.used_code).await), 400, "a code counts once");
    }
}

async fn an_hour_off(database: TestDatabase, off: &str, is_ahead: bool) {
    let house = House::new(&database);
    let (clock, client) = (FalseClock::right(), house.client());
    let _serving = clock.start(&house);
    let mut before = Before::new(&house, &client).await;

    clock.is_off_by(off);
    before.what_is_over_stays_over(&client).await;
    // What lives for minutes has ended by a clock that is ahead; by one that is behind a token was issued in the future.
    assert!(!is_let_in(&client, &before.alive.access).await);
    let late = status(&client.redeem(&before.unused_code).await);
    assert_eq!(late, if is_ahead { 400 } else { 200 });
    assert_eq!(status(&client.redeem(&before.unused_code).await), 400, "a code counts once");
    // Whoever was in stays in, and whoever comes gets in.
    before.alive.goes_on(&client).await;
    let mut meanwhile = log_in(&house, &client).await;
    let own = client.own().await;
    assert!(is_let_in(&client, &access_token(&own)).await);

    clock.is_off_by("+0");
    before.what_is_over_stays_over(&client).await;
    assert!(!is_let_in(&client, &meanwhile.access).await, "it is of the future, or has ended");
    before.alive.goes_on(&client).await;
    meanwhile.goes_on(&client).await;
    log_in(&house, &client).await.goes_on(&client).await;
    let own = client.own().await;
    assert!(is_let_in(&client, &access_token(&own)).await);
    // Taken back by a clock that is right, it has ended by any.
    assert_eq!(status(&client.revoke(&meanwhile.refresh).await), 200);
    meanwhile.has_ended(&client).await;
    clock.is_off_by(off);
    meanwhile.has_ended(&client).await;
}

#[tokio::test]
async fn an_hour_ahead_on_sqlite() {
    an_hour_off(TestDatabase::sqlite(), "+3600", true).await;
}

#[tokio::test]
async fn an_hour_ahead_on_postgresql() {
    an_hour_off(TestDatabase::postgres(), "+3600", true).await;
}

#[tokio::test]
async fn an_hour_behind_on_sqlite() {
    an_hour_off(TestDatabase::sqlite(), "-3600", false).await;
}

#[tokio::test]
async fn an_hour_behind_on_postgresql() {
    an_hour_off(TestDatabase::postgres(), "-3600", false).await;
}

/// The first signing key of this house is of a clock that was ahead: nobody waits an hour for it.
#[tokio::test]
async fn a_house_that_began_an_hour_ahead_works_when_the_clock_is_right() {
    let house = House::new(&TestDatabase::sqlite());
    let (clock, client) = (FalseClock::right(), house.client());
    clock.is_off_by("+3600");
    let serving = clock.start(&house);
    let mut before = log_in(&house, &client).await;
    clock.is_off_by("+0");
    before.goes_on(&client).await;
    log_in(&house, &client).await.goes_on(&client).await;
    drop(serving);
    let _serving = clock.start(&house);
    before.goes_on(&house.client()).await;
}

/// Two servers on one database, of which one is an hour off: what one has ended has ended in the other.
#[tokio::test]
async fn a_server_that_is_an_hour_off_hears_what_the_other_ends() {
    for off in ["+3600", "-3600"] {
        let database = TestDatabase::postgres();
        let house = House::new(&database);
        let (clock, client) = (FalseClock::right(), house.client());
        clock.is_off_by(off);
        let _serving = clock.start(&house);
        let login = log_in(&house, &client).await;
        assert!(is_let_in(&client, &login.access).await);
        // By another process, whose clock is right.
        house.run(&["user", "disable", "ada"]);
        while is_let_in(&client, &login.access).await {}
        login.has_ended(&client).await;
    }
}
