//! The master key in a file of its own, in the environment, and by a command.

use std::path::Path;
use std::process::{Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::program::{Serving, command, complained, run, said};

const VARIABLE: &str = "HALLPASS_TEST_MASTER_KEY";
const ONE: [u8; 32] = [1; 32];
const TWO: [u8; 32] = [2; 32];

fn text(keys: &[[u8; 32]]) -> String {
    keys.iter().map(|key| format!("{}\n", STANDARD.encode(key))).collect()
}

fn binary(keys: &[[u8; 32]]) -> Vec<u8> {
    keys.concat()
}

/// What each place is called in the file, and how keys are put there.
struct Place {
    setting: &'static str,
    put: fn(&Path, &[[u8; 32]]),
}

const PLACES: [Place; 3] = [
    Place {
        setting: "file = \"keys/master\"",
        put: |folder, keys| secret(&folder.join("keys/master"), &binary(keys)),
    },
    Place { setting: "environment = \"HALLPASS_TEST_MASTER_KEY\"", put: |_, _| () },
    Place {
        setting: "command = [\"cat\", \"COMMANDED\"]",
        put: |folder, keys| secret(&folder.join("commanded"), text(keys).as_bytes()),
    },
];

fn secret(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A data folder, and a file that says where its key is.
struct House {
    folder: tempfile::TempDir,
    place: &'static Place,
}

impl House {
    fn new(place: &'static Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setting = place.setting.replace("COMMANDED", folder.path().join("commanded").to_str().unwrap());
        let file = format!("[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[master_key]\n{setting}\n");
        std::fs::write(folder.path().join("hallpass.toml"), file).unwrap();
        Self { folder, place }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, keys: &[[u8; 32]], args: &[&str]) -> Output {
        (self.place.put)(self.folder.path(), keys);
        let config = self.folder.path().join("hallpass.toml");
        let all: Vec<&str> = ["--config", config.to_str().unwrap()].iter().chain(args).copied().collect();
        let mut command = command(&self.data(), &all);
        command.env(VARIABLE, text(keys)).stdin(Stdio::null()).output().unwrap()
    }
}

#[test]
fn it_opens_from_wherever_it_is_and_another_one_opens_nothing() {
    for place in &PLACES {
        let house = House::new(place);
        said(&house.run(&[ONE], &["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/c"]));
        assert!(!house.data().join("master.key").exists(), "{}: none is made", place.setting);
        assert!(said(&house.run(&[ONE], &["client", "list"])).contains("ide"));
        let other = house.run(&[TWO], &["client", "list"]);
        assert_eq!(other.status.code(), Some(3), "{}: {}", place.setting, complained(&other));
        assert!(!complained(&other).contains(text(&[TWO]).trim()), "{}", complained(&other));
    }
}

/// A key that is hallpass's own to write is made; any other is put there by whoever looks after it.
#[test]
fn it_changes_wherever_it_is() {
    for place in &PLACES {
        let (house, file) = (House::new(place), place.setting.starts_with("file"));
        said(&house.run(&[ONE], &["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/c"]));
        let alone = house.run(&[ONE], &["master-key", "rotate"]);
        assert_eq!(alone.status.success(), file, "{}: {}", place.setting, complained(&alone));
        if file {
            continue;
        }
        assert!(complained(&alone).contains("base64"), "{}", complained(&alone));
        said(&house.run(&[TWO, ONE], &["master-key", "rotate"]));
        let told = said(&house.run(&[TWO, ONE], &["master-key", "forget-former"]));
        assert!(told.contains("all lines but the first"), "{told}");
        assert!(said(&house.run(&[TWO], &["client", "list"])).contains("ide"));
        assert_eq!(house.run(&[ONE], &["client", "list"]).status.code(), Some(3));
    }
}

/// A bare name of the configuration file leads to a bare name of the key.
#[test]
fn it_changes_beside_a_file_without_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[master_key]\nfile = \"key\"\n";
    std::fs::write(folder.path().join("hallpass.toml"), text).unwrap();
    secret(&folder.path().join("key"), &ONE);
    let here = |args: &[&str]| {
        let all = [&["--config", "hallpass.toml"], args].concat();
        let mut command = command(Path::new("data"), &all);
        said(&command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap())
    };
    let keys = || std::fs::read(folder.path().join("key")).unwrap();
    here(&["client", "add", "--id", "ide", "--redirect-uri", "http://127.0.0.1/c"]);
    here(&["master-key", "rotate"]);
    assert!(keys().len() == 64 && keys()[32..] == ONE);
    here(&["master-key", "forget-former"]);
    assert!(keys().len() == 32 && keys() != ONE);
    assert!(here(&["client", "list"]).contains("ide"));
}

/// What `serve` would refuse is not good. A command is left alone: it may ask somebody who keeps count.
#[test]
fn a_file_is_judged_with_its_key() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("hallpass.toml");
    let checked = |setting: &str| {
        let text = format!("[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[master_key]\n{setting}\n");
        std::fs::write(&file, text).unwrap();
        run(data.path(), &["config", "check", file.to_str().unwrap()])
    };
    secret(&data.path().join("short"), &ONE[1..]);
    secret(&data.path().join("key"), &ONE);
    for (setting, says) in [
        ("environment = \"HALLPASS_TEST_NO_SUCH_VARIABLE\"", "is not set"),
        ("file = \"nowhere\"", "head -c 32 /dev/urandom"),
        ("file = \"short\"", "is not 32 bytes long"),
    ] {
        let output = checked(setting);
        let complaint = complained(&output);
        assert!(output.status.code() == Some(3) && complaint.contains(says), "{setting}: {complaint}");
    }
    assert!(said(&checked("file = \"key\"")).contains("master key "));
    assert!(said(&checked("command = [\"false\"]")).contains("what false prints"));
    assert!(said(&checked("")).contains("master key master.key in the data folder"));
    // Where a server is asked about, so is whoever has the key.
    checked("command = [\"false\"]");
    let online = run(data.path(), &["config", "check", file.to_str().unwrap(), "--online"]);
    assert!(
        online.status.code() == Some(3) && complained(&online).contains("failed"),
        "{}",
        complained(&online)
    );
}

/// What is wrong is said with the setting, and without what was read.
#[test]
fn a_place_without_a_key_is_named() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("hallpass.toml");
    let asked = |setting: &str| {
        let text = format!("[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[master_key]\n{setting}\n");
        std::fs::write(&file, text).unwrap();
        let output = run(data.path(), &["--config", file.to_str().unwrap(), "key", "add", "ci"]);
        assert_eq!(output.status.code(), Some(3), "{setting}: {}", complained(&output));
        complained(&output)
    };
    for (setting, says) in [
        (
            "environment = \"HALLPASS_TEST_NO_SUCH_VARIABLE\"",
            "HALLPASS_TEST_NO_SUCH_VARIABLE of master_key.environment",
        ),
        ("environment = \"PATH\"", "base64"),
        ("command = [\"/nowhere/at/all\"]", "cannot be run"),
        ("command = [\"sh\", \"-c\", \"echo canary; exit 3\"]", "failed"),
        ("command = [\"echo\", \"canary\"]", "base64"),
        ("command = []", "names no program"),
        ("file = \"nowhere\"", "nowhere"),
        ("file = \"a\"\nenvironment = \"B\"", "leave one of"),
    ] {
        let complaint = asked(setting);
        assert!(complaint.contains(says) && !complaint.contains("canary"), "{setting}: {complaint}");
    }
    let check = run(data.path(), &["config", "check", file.to_str().unwrap()]);
    assert!(
        check.status.code() == Some(3) && complained(&check).contains("leave one of"),
        "{}",
        complained(&check)
    );
}

#[test]
fn a_server_starts_with_the_key_of_a_command() {
    let house = House::new(&PLACES[2]);
    (house.place.put)(house.folder.path(), &[ONE]);
    let config = house.folder.path().join("hallpass.toml");
    let args = ["--config", config.to_str().unwrap(), "--listen", "localhost:0"];
    Serving::start(&house.data(), &args).line_with("Ctrl-C");
    assert!(!house.data().join("master.key").exists());
    Serving::start(&house.data(), &args).line_with("Ctrl-C");
}
