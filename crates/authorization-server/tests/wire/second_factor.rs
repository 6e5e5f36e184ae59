//! `/account/second-factor` and `/login/code`: one-time codes and recovery codes.

use crate::harness;
use hallpass_testkit::person::{Form, Page, Person};
use harness::{House, PASSWORD, USER};
use totp_rs::{Builder, Secret, Totp};

fn form(page: &Page, path: &str) -> Form {
    let found = page.forms().into_iter().find(|form| form.target().path() == path);
    found.unwrap_or_else(|| panic!("no form for {path}:\n{}", page.text()))
}

/// Logs in to a page of the server itself.
async fn open(house: &House, person: &Person, path: &str) -> Page {
    let page = person.open(house.url(path)).await;
    if !page.url().path().ends_with("/login") {
        return page;
    }
    page.form().set("username", USER).set("password", PASSWORD).submit().await
}

/// The app on a phone.
struct Phone(Totp);

impl Phone {
    /// Reads the key from the page, as a person types it.
    fn from_page(page: &Page) -> Self {
        let text = page.text();
        let start = text.find("into the app: <code>").unwrap() + "into the app: <code>".len();
        let key: String = text[start..].split('<').next().unwrap().replace(' ', "");
        Self(Builder::new().with_secret(Secret::try_from_base32(key).unwrap().to_vec()).build().unwrap())
    }

    fn code(&self, house: &House) -> String {
        self.0.generate(u64::try_from(house.clock.clock().now().unix()).unwrap()).to_string()
    }
}

/// Turns the second factor on, and gives the phone and the recovery codes.
async fn enrol(house: &House) -> (Phone, Vec<String>) {
    let page = open(house, &Person::new(), "/account/second-factor").await;
    let phone = Phone::from_page(&page);
    let done = page.form().set("code", &phone.code(house)).submit().await;
    assert_eq!(done.status(), 200, "{}", done.text());
    let codes: Vec<String> =
        done.text().split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    house.advance(30);
    (phone, codes)
}

#[tokio::test]
async fn a_password_alone_is_not_enough_and_a_code_counts_once() {
    let house = House::furnished().await;
    let (phone, _) = enrol(&house).await;
    let person = Person::new();
    let page = house.log_in(&person, &house.request()).await;
    assert!(page.url().path().ends_with("/login/code"), "{}", page.url());
    let code = phone.code(&house);
    let twin = house.log_in(&Person::new(), &house.request()).await;
    let consent = page.form().set("code", &code).submit().await;
    assert!(consent.url().path().ends_with("/consent"), "{}", consent.text());
    let back = consent.form().press("decision", "allow").submit().await;
    assert!(back.location_param("code").is_some());
    let again = twin.form().set("code", &code).submit().await;
    assert_eq!(again.status(), 403, "the code was used");
    house.advance(30);
    let typed = phone.code(&house);
    let spaced = format!(" {} {}", &typed[..3], &typed[3..]);
    let consent = again.form().set("code", &spaced).submit().await;
    assert!(consent.url().path().ends_with("/consent"), "{}", consent.text());
}

// Row 31 of never-again.
#[tokio::test]
async fn a_half_authenticated_browser_gets_nothing() {
    let house = House::furnished().await;
    let person = Person::new();
    let before = open(&house, &person, "/account").await;
    assert_eq!(before.url().path(), "/account");
    let (_, _) = enrol(&house).await;
    let mut request = house.request();
    harness::set(&mut request, "prompt", "login");
    let half = house.log_in(&person, &request).await;
    assert!(half.url().path().ends_with("/login/code"));
    let interaction = half.url().query().unwrap().to_owned();
    for path in [format!("/consent?{interaction}"), "/account".to_owned(), "/admin".to_owned()] {
        let page = person.open(house.url(&path)).await;
        assert!(page.url().path().ends_with("/login"), "{path} leads to {}", page.url());
        assert_eq!(page.location(), None);
    }
    harness::set(&mut request, "prompt", "");
    let page = person.open(house.authorize_url(&request)).await;
    assert!(page.url().path().ends_with("/login"), "not logged in, and the session from before is over");
    harness::set(&mut request, "prompt", "none");
    let page = person.open(house.authorize_url(&request)).await;
    assert_eq!(page.location_param("error").as_deref(), Some("login_required"));
    assert_eq!(page.location_param("code"), None);
    // Nor does a form of the earlier, whole login.
    let page = form(&before, "/account/logout").submit().await;
    assert!(page.url().path().ends_with("/login"), "{}", page.url());
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_and_the_owners_browser_is_not() {
    let house = House::furnished().await;
    let (phone, _) = enrol(&house).await;
    let owner = Person::new();
    let page = house.log_in(&owner, &house.request()).await;
    page.form().set("code", &phone.code(&house)).submit().await;
    let mut page = house.log_in(&Person::new(), &house.request()).await;
    for _ in 0..5 {
        page = page.form().set("code", "000000").submit().await;
        assert_eq!(page.status(), 403);
    }
    house.advance(30);
    for wait in [60, 60] {
        // Whoever keeps on guessing waits a minute each time in the end.
        for _ in 0..6 {
            page = page.form().set("code", "000000").submit().await;
            house.advance(page.header("retry-after").map_or(1, |text| text.parse().unwrap()));
        }
        page = page.form().set("code", "000000").submit().await;
        assert!(page.header("retry-after").is_none_or(|text| text.parse::<u64>().unwrap() <= wait));
    }
    let slowed = page.form().set("code", "000000").submit().await;
    assert_eq!(slowed.status(), 429, "{}", slowed.text());
    // The owner, at the browser that the account knows, comes in meanwhile.
    let mut request = house.request();
    harness::set(&mut request, "prompt", "login");
    let page = house.log_in(&owner, &request).await;
    let page = page.form().set("code", &phone.code(&house)).submit().await;
    assert!(page.url().path().ends_with("/consent"), "{}", page.text());
}

#[tokio::test]
async fn a_recovery_code_opens_once_in_place_of_a_phone() {
    let house = House::furnished().await;
    let (_, codes) = enrol(&house).await;
    let attempt = async |code: &str| {
        let page = house.log_in(&Person::new(), &house.request()).await;
        page.form().set("code", code).submit().await
    };
    let page = attempt(&codes[0].to_uppercase()).await;
    assert!(page.url().path().ends_with("/consent"), "{}", page.text());
    assert_eq!(attempt(&codes[0]).await.status(), 403);
    assert!(attempt(&codes[1]).await.url().path().ends_with("/consent"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_code_sent_many_times_at_once_opens_once() {
    let house = House::furnished().await;
    let (phone, _) = enrol(&house).await;
    let code = phone.code(&house);
    let mut forms = Vec::new();
    for _ in 0..4 {
        let page = house.log_in(&Person::new(), &house.request()).await;
        forms.push(page.form().set("code", &code));
    }
    let attempts: Vec<_> = forms
        .into_iter()
        .map(|form| tokio::spawn(async move { form.submit().await.url().path().ends_with("/consent") }))
        .collect();
    let mut entered = 0;
    for attempt in attempts {
        entered += usize::from(attempt.await.unwrap());
    }
    assert_eq!(entered, 1);
}

#[tokio::test]
async fn a_right_password_waits_ten_minutes_for_its_code() {
    let house = House::furnished().await;
    let (phone, _) = enrol(&house).await;
    let page = house.log_in(&Person::new(), &house.request()).await;
    house.advance(10 * 60);
    let page = page.form().set("code", &phone.code(&house)).submit().await;
    assert!(page.url().path().ends_with("/login"));
}

#[tokio::test]
async fn the_code_belongs_to_the_browser_with_the_password() {
    let house = House::furnished().await;
    let (phone, _) = enrol(&house).await;
    let page = house.log_in(&Person::new(), &house.request()).await;
    let form = page.form().set("code", &phone.code(&house));
    assert_eq!(form.submit_as(&Person::new()).await.status(), 400);
}

#[tokio::test]
async fn nothing_is_turned_on_before_a_code_was_right() {
    let house = House::furnished().await;
    let page = open(&house, &Person::new(), "/account/second-factor").await;
    assert!(page.text().contains("<svg"), "a picture to point a camera at");
    let again = page.form().set("code", "000000").submit().await;
    assert_eq!(again.status(), 422);
    let page = house.log_in(&Person::new(), &house.request()).await;
    assert!(page.url().path().ends_with("/consent"));
}

#[tokio::test]
async fn is_turned_off_by_the_person_or_the_operator() {
    let house = House::furnished().await;
    let (phone, _) = enrol(&house).await;
    let person = Person::new();
    let page = open(&house, &person, "/account").await;
    let account = page.form().set("code", &phone.code(&house)).submit().await;
    assert_eq!(account.url().path(), "/account");
    form(&account, "/account/second-factor/off").submit_and_confirm().await;
    let page = house.log_in(&Person::new(), &house.request()).await;
    assert!(page.url().path().ends_with("/consent"));
    enrol(&house).await;
    assert!(house.server.users().reset_second_factor(USER).await.unwrap());
    assert!(!house.server.users().reset_second_factor(USER).await.unwrap());
    assert!(!house.server.users().reset_second_factor("nobody").await.unwrap());
    let page = house.log_in(&Person::new(), &house.request()).await;
    assert!(page.url().path().ends_with("/consent"));
}

/// Whoever guesses has the password already. However patient, they do not get on; and the owner is not kept out.
#[tokio::test]
async fn the_number_of_guesses_is_bounded_and_the_owner_gets_in() {
    let house = House::furnished().await;
    let (phone, recovery) = enrol(&house).await;
    let owner = Person::new();
    house.log_in(&owner, &house.request()).await.form().set("code", &phone.code(&house)).submit().await;
    let log_in = async |person: &Person, code: &str| {
        let mut request = house.request();
        harness::set(&mut request, "prompt", "login");
        house.log_in(person, &request).await.form().set("code", code).submit().await
    };
    let guess = async |times: usize| {
        let mut page = house.log_in(&Person::new(), &house.request()).await;
        for _ in 0..times {
            // Past the waits, and past the half login.
            house.advance(3_600);
            page = house.log_in(&Person::new(), &house.request()).await;
            page = page.form().set("code", "000000").submit().await;
            assert_eq!(page.status(), 403);
        }
        page
    };
    assert!(!guess(33).await.text().contains("not taken in this browser"));
    assert!(guess(1).await.text().contains("not taken in this browser"));
    let right = log_in(&Person::new(), &phone.code(&house)).await;
    assert_eq!(right.status(), 403, "a right one is not looked at either");
    // The owner: in a browser of before, or with a recovery code, after which all is as it was.
    assert!(log_in(&owner, &phone.code(&house)).await.url().path().ends_with("/consent"));
    guess(33).await;
    assert!(log_in(&Person::new(), &recovery[0]).await.url().path().ends_with("/consent"));
    guess(34).await;
    // Or another password, which whoever guesses does not have.
    let password = hallpass_protocol::secret::Secret::new(PASSWORD);
    house.server.users().set_password(USER, password).await.unwrap();
    house.advance(3_600);
    assert!(log_in(&Person::new(), &phone.code(&house)).await.url().path().ends_with("/consent"));
}
