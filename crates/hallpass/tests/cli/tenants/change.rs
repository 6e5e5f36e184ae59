//! Tenants come, change and go while the process runs.

use reqwest::header::ACCEPT;

use super::{Tenants, furnish, server};

const SERVED: &str = "is served now";

impl Tenants {
    /// Writes the file anew, asks for it to be read, and waits until the program has said this of it.
    fn change(&mut self, text: &str, says: &str) {
        std::fs::write(self.config.path(), text).unwrap();
        let so_far = self.serving.lines_so_far().len();
        self.serving.signal("HUP");
        self.serving.next_line_with(says, so_far);
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.config.path()).unwrap()
    }

    async fn is_there(&self, tenant: &str) -> u16 {
        self.get(&format!("{}/jwks", self.issuer(tenant))).await.status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_come_change_and_go_and_others_go_on() {
    let mut house = Tenants::start().await;
    let before = house.text();
    let acme = house.token("acme").await;
    let events = house.upstream.answer_with_events();
    let listening = house.request(reqwest::Method::GET, &house.endpoint("acme")).bearer_auth(&acme);
    let stream = listening.header(ACCEPT, "text/event-stream").send().await.unwrap();
    assert_eq!(stream.status(), 200);

    // One comes, with users and a client that the command line has given it.
    let more = format!("{before}{}", server("initech", &house.upstream));
    std::fs::write(house.config.path(), &more).unwrap();
    furnish(house.data.path(), house.config.path(), "initech");
    // It is looked at by itself.
    house.serving.line_with(SERVED);
    assert_eq!(house.is_there("initech").await, 200);
    let initech = house.token("initech").await;
    assert_eq!(house.call("initech", &initech).await, 200);
    assert_eq!(house.call("acme", &initech).await, 401);

    // One changes.
    house.change(&more.replace("Read the notes of globex", "See what globex has written"), SERVED);
    let globex = house.token("globex").await;
    assert_eq!(house.call("globex", &globex).await, 200);
    assert_eq!(house.call("initech", &initech).await, 200, "the same keys");

    // One goes, and what it was is nothing any more.
    house.change(&before, SERVED);
    assert_eq!(house.is_there("initech").await, 404);
    assert_eq!(house.call("initech", &initech).await, 404);
    assert!(house.data.path().join("tenants/initech/hallpass.db").exists(), "its data stay");

    // Whoever was not touched has not noticed.
    assert_eq!(house.call("acme", &acme).await, 200);
    events.release("data: still there\n\n");
    drop(events);
    assert_eq!(stream.text().await.unwrap(), "data: still there\n\n");
}

/// Whole or not at all: what one tenant cannot be keeps the others from changing, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_served_changes_nothing() {
    let mut house = Tenants::start().await;
    let before = house.text();
    let other_words = before.replace("Read the notes of globex", "See what globex has written");
    for (more, says) in [
        ("[tenants.initech]\n".to_owned(), "tenants.initech has no server"),
        (
            format!("{}[tenants.initech]\nhost = \"acme.localhost\"\n", server("initech", &house.upstream)),
            "is a host of tenants.acme as well",
        ),
        (
            format!(
                "{}[tenants.initech.database]\nurl = \"postgres://nobody@127.0.0.1:1/x\"\n",
                server("initech", &house.upstream)
            ),
            "connection refused",
        ),
        (
            format!("{}public_client_id = \"nobody\"\n", server("initech", &house.upstream)),
            "hallpass client add --tenant initech",
        ),
    ] {
        house.change(&format!("{other_words}{more}"), says);
        assert_eq!(house.is_there("initech").await, 404, "{more}");
        let page = house.authorize("globex", &hallpass_testkit::person::Person::new()).await;
        let page =
            page.form().set("username", "ada").set("password", &super::password("globex")).submit().await;
        assert!(page.text().contains("Read the notes of globex"), "{more}: {}", page.text());
    }
    for (text, says) in [
        (
            before.replace("acme.localhost", "acme2.localhost"),
            "restart needed for the host or path of a tenant",
        ),
        (
            before.clone() + "[tenants.hooli.database]\nurl = \"postgres://nobody@127.0.0.1:1/x\"\n",
            "restart needed for the database of a tenant",
        ),
    ] {
        house.change(&text, says);
        assert_eq!(house.is_there("acme").await, 200);
    }
}
