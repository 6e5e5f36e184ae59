//! The same file, encrypted: what it shows, and what it needs.

use super::super::{
    keyring::tests::{Odd, good, odd},
    locks::{folder_of, with_suffix},
};
use super::{
    tests::{SERVER, has, put, store},
    *,
};

/// Encrypted stores of every kind, and whether a key file is made.
fn encrypted(path: &Path) -> [(FileStore, bool); 5] {
    let words = || Some(Secret::new("correct horse"));
    let make =
        |protection, passphrase, keyring| FileStore::with_keyring(path, protection, passphrase, keyring);
    [
        (make(Protection::KeyFile, None, odd(Odd::Hanging)), true),
        (make(Protection::Keyring, None, good()), false),
        (make(Protection::Passphrase, words(), odd(Odd::Hanging)), false),
        (make(Protection::Automatic, words(), good()), false),
        (make(Protection::Automatic, None, good()), false),
    ]
}

#[test]
fn an_encrypted_file_shows_no_token_and_is_read_again() {
    for number in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let (store, has_key_file) = &encrypted(&path)[number];
        put(store).unwrap();
        put(store).unwrap();
        assert!(has(store), "{store:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("A256GCM") && !text.contains("canary") && !text.contains(SERVER), "{text}");
        assert_eq!(with_suffix(&path, ".key").exists(), *has_key_file, "{store:?}");
    }
}

/// Headless Linux: no keyring, one that hangs, one that forgets. The first start works all the same.
#[test]
fn without_a_keyring_the_first_start_makes_a_key_file() {
    for keyring in [odd(Odd::Hanging), odd(Odd::Forgetful)] {
        let (_folder, plain) = store();
        let automatic = FileStore::with_keyring(plain.path(), Protection::Automatic, None, keyring);
        put(&automatic).unwrap();
        let again = FileStore::protected(plain.path(), Protection::Automatic, None);
        assert!(has(&again), "the file says where its key is");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let key = with_suffix(plain.path(), ".key");
            assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
            let reader = FileStore::protected(plain.path(), Protection::Automatic, None);
            assert!(reader.read().unwrap_err().to_string().contains("chmod 600"));
        }
    }
}

#[test]
fn without_its_key_a_file_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    for (number, (store, _)) in encrypted(&path).into_iter().enumerate() {
        drop(fs::remove_file(&path));
        put(&store).unwrap();
        drop(fs::remove_file(with_suffix(&path, ".key")));
        let before = fs::read(&path).unwrap();
        let strange = Some(Secret::new("another"));
        for other in [
            FileStore::with_keyring(&path, Protection::Automatic, strange.clone(), good()),
            FileStore::with_keyring(&path, Protection::KeyFile, None, good()),
            FileStore::with_keyring(&path, Protection::Plain, strange, odd(Odd::Hanging)),
        ] {
            assert!(matches!(other.read(), Err(StoreError::Key { .. })), "{number} {other:?}");
            assert!(matches!(put(&other), Err(StoreError::Key { .. })), "{number} {other:?}");
            let said = other.read().unwrap_err().to_string();
            let is_told = said.contains("opened: HALLPASS_PASSPHRASE is not the one this file was made with");
            let has_another = matches!(number, 2 | 3) && !format!("{other:?}").contains("KeyFile");
            assert_eq!(is_told, has_another, "{number} {other:?}: {said}");
        }
        assert_eq!(fs::read(&path).unwrap(), before, "{number}");
    }
}

#[test]
fn a_plain_file_of_version_1_is_read_and_then_encrypted() {
    let (_folder, plain) = store();
    fs::create_dir_all(folder_of(plain.path())).unwrap();
    let version_1 = r#"{"version":1,"registrations":{"https://as":{"client_id":"c","auth":"none"}},
        "accounts":[{"issuer":"https://as","resource":"https://a/mcp","server":"https://a/mcp",
        "client":{"client_id":"c","auth":"none"},"token_endpoint":"https://as/token",
        "access_token":"a","refresh_token":"canary","issued_at":7}]}"#;
    fs::write(plain.path(), version_1).unwrap();
    let store = FileStore::protected(plain.path(), Protection::KeyFile, None);
    let document = store.read().unwrap();
    assert_eq!(document.version, Document::VERSION);
    assert_eq!(document.current(SERVER, "").unwrap().refresh_token, Some(Secret::new("canary")));
    assert!(document.registration("https://as").is_some());
    assert_eq!(fs::read_to_string(plain.path()).unwrap(), version_1, "reading changes nothing");
    store.update(&mut |_| {}).unwrap();
    assert!(!fs::read_to_string(plain.path()).unwrap().contains("canary"));
    assert_eq!(store.read().unwrap(), document);
}

#[test]
fn the_protection_can_be_changed_by_name_and_by_nothing_else() {
    let (_folder, plain) = store();
    let named = |protection| FileStore::protected(plain.path(), protection, None);
    let is_plain = || fs::read_to_string(plain.path()).unwrap().contains("canary");
    for (protection, expected) in [
        (Protection::Plain, true),
        (Protection::KeyFile, false),
        (Protection::Automatic, false),
        (Protection::Plain, true),
    ] {
        put(&named(protection)).unwrap();
        assert_eq!(is_plain(), expected, "{protection:?}");
        assert!(has(&named(protection)));
    }
}

#[test]
fn a_changed_envelope_is_refused_and_kept() {
    let (_folder, plain) = store();
    let store = FileStore::protected(plain.path(), Protection::KeyFile, None);
    put(&store).unwrap();
    let good = fs::read_to_string(plain.path()).unwrap();
    for damaged in [
        good.replace("A256GCM", "none"),
        good.replace("\"ciphertext\": \"", "\"ciphertext\": \"AA"),
        good[..good.len() / 2].to_owned(),
        String::new(),
    ] {
        fs::write(plain.path(), &damaged).unwrap();
        assert!(put(&store).is_err());
        assert_eq!(fs::read_to_string(plain.path()).unwrap(), damaged);
    }
}
