//! A PostgreSQL cluster in a temporary folder: made by `initdb`, reached by a socket, never synced to disk.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The superuser inside.
const USER: &str = "hallpass";

/// Fast and forgetful: what a test needs. Nothing here changes how statements and locks behave. Who connects while it stops, and says
/// nothing, is waited for: by default for a minute, which is all that a test has.
const SETTINGS: &str = "
listen_addresses = ''
authentication_timeout = 15s
fsync = off
full_page_writes = off
max_connections = 400
shared_buffers = 64MB
log_min_messages = fatal
timezone = UTC
";

/// A running cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    /// The cluster that all tests of one run share. The first test starts it; it ends, and its folder goes, when the
    /// program that runs the tests has ended.
    #[must_use]
    pub fn of_this_run() -> Self {
        let runner = std::os::unix::process::parent_id();
        let folder = std::env::temp_dir().join(format!("hallpass-postgres-{runner}"));
        let lock = File::create(folder.with_extension("lock")).expect("the lock file can be made");
        lock.lock().expect("the lock file can be locked");
        let cluster = Self { folder };
        if !cluster.runs() {
            cluster.clear();
            cluster.make();
            cluster.start();
            cluster.end_after(runner);
            File::create(cluster.ready()).expect("the cluster's folder is there");
        }
        cluster
    }

    /// A cluster of a test's own, to be stopped and started.
    #[must_use]
    pub fn new_in(folder: &Path) -> Self {
        // Its user has to get there, and a socket's path may be 107 bytes long.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let cluster = Self { folder: folder.join("pg") };
        cluster.make();
        cluster.start();
        cluster
    }

    /// A new, empty schema, as a URL that leads into it.
    #[must_use]
    pub fn new_schema(&self) -> String {
        let schema = format!("test_{:016x}", rand::random::<u64>());
        self.sql(&format!("CREATE SCHEMA {schema}"));
        format!("{}?options=-csearch_path%3D{schema}", self.url())
    }

    /// A new, empty database.
    #[must_use]
    pub fn new_database(&self) -> String {
        let name = format!("test_{:016x}", rand::random::<u64>());
        self.sql(&format!("CREATE DATABASE {name} STRATEGY file_copy"));
        self.url().replace("/postgres", &format!("/{name}"))
    }

    /// The whole database.
    #[must_use]
    pub fn url(&self) -> String {
        let socket = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://{USER}@{socket}/postgres")
    }

    /// Starts anew with this certificate and its key, in PEM, over TCP too; gives the port.
    #[must_use]
    pub fn speak_tls(&self, chain: &str, key: &str) -> u16 {
        self.crash();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        for (name, content) in [("server.crt", chain), ("server.key", key)] {
            let path = self.folder.join(name);
            fs::write(&path, content).expect("the cluster's folder is there");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
            if let Some((user, group)) = other_user() {
                std::os::unix::fs::chown(&path, Some(user), Some(group)).expect("root may give a file away");
            }
        }
        let settings = format!("listen_addresses = 'localhost'\nport = {port}\nssl = on\n");
        let path = self.folder.join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("initdb has made it");
        file.write_all(settings.as_bytes()).expect("settings can be written");
        drop(file);
        self.start();
        port
    }

    /// Starts the server, and waits until it takes connections.
    pub fn start(&self) {
        self.pg_ctl(&["--wait", "--silent", "--log", &self.path("log"), "start"]);
    }

    /// Stops it at once, as a crash would: connections break, and the next start recovers.
    pub fn crash(&self) {
        self.pg_ctl(&["--wait", "--silent", "--mode", "immediate", "stop"]);
    }

    /// Stops every process of it where it stands, or lets them go on: connections stay open, and nothing answers.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let file = fs::read_to_string(self.folder.join("postmaster.pid")).expect("the server runs");
        let postmaster = file.lines().next().expect("its process id is there");
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", postmaster]).output();
        let children = children.expect("ps runs").stdout;
        let mut kill = Command::new("kill");
        kill.args([signal, postmaster]);
        kill.args(String::from_utf8_lossy(&children).split_whitespace());
        assert!(kill.status().expect("kill runs").success(), "{signal}");
    }

    /// Runs a statement as superuser.
    pub fn sql(&self, statement: &str) -> String {
        let mut psql = self.command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
        psql.args(["--host", &self.path(""), "--username", USER, "--command", statement, "postgres"]);
        run(&mut psql)
    }

    /// Is there when the cluster takes connections, and will be ended. A test that was ended while it started one leaves
    /// a server that may not be ready, and that nobody would end.
    fn ready(&self) -> PathBuf {
        self.folder.with_extension("ready")
    }

    /// Takes away what such a test has left.
    fn clear(&self) {
        if self.folder.exists() {
            let mut stop = self.command("pg_ctl");
            stop.args(["--pgdata", &self.path(""), "--wait", "--silent", "--mode", "immediate", "stop"]);
            drop(stop.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
            drop(fs::remove_dir_all(&self.folder));
        }
    }

    fn runs(&self) -> bool {
        self.ready().exists()
            && self.folder.join("postmaster.pid").exists()
            && self
                .command("pg_ctl")
                .args(["--pgdata", &self.path("")])
                .arg("status")
                .output()
                .is_ok_and(|output| output.status.success())
    }

    fn make(&self) {
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700).create(&self.folder).expect("the cluster's folder can be made");
        if let Some((user, group)) = other_user() {
            std::os::unix::fs::chown(&self.folder, Some(user), Some(group))
                .expect("root may give a folder away");
        }
        let mut initdb = self.command("initdb");
        initdb.args(["--no-sync", "--auth", "trust", "--username", USER, "--encoding", "UTF8"]);
        run(initdb.args(["--locale", "C", "--pgdata", &self.path("")]));
        let socket = format!("unix_socket_directories = '{}'\n", self.path(""));
        let path = self.folder.join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("initdb has made it");
        file.write_all((SETTINGS.to_owned() + &socket).as_bytes()).expect("settings can be written");
    }

    /// Leaves a shell behind that waits for the test runner to end. It is the runner's user's, who may ask after it.
    fn end_after(&self, runner: u32) {
        let script = r#"(while kill -0 $1; do sleep 1; done; kill -QUIT $(head -n 1 "$2/postmaster.pid")
            sleep 1; rm -rf "$2" "$2.lock" "$2.ready") &"#;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, "sh", &runner.to_string(), &self.path("")])
            .process_group(0)
            .current_dir("/");
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(shell.status().expect("sh runs").success());
    }

    fn pg_ctl(&self, arguments: &[&str]) {
        let mut pg_ctl = self.command("pg_ctl");
        // The server keeps what it is given.
        pg_ctl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let status = pg_ctl.args(["--pgdata", &self.path("")]).args(arguments).status().expect("pg_ctl runs");
        assert!(status.success(), "pg_ctl {arguments:?}: {status}; {}/log says why", self.folder.display());
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir("/").env_remove("PGOPTIONS").env("LC_ALL", "C");
        as_other_user(&mut command);
        command
    }

    fn path(&self, name: &str) -> String {
        let path = if name.is_empty() { self.folder.clone() } else { self.folder.join(name) };
        path.to_string_lossy().into_owned()
    }
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Debian keeps PostgreSQL's programs out of the search path.
fn program(name: &str) -> PathBuf {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    let mut folders = debian.into_iter().rev().chain(std::env::split_paths(&search));
    let found = folders.find(|folder| folder.join("initdb").exists()).map(|folder| folder.join(name));
    found.expect("PostgreSQL is missing: `cargo xtask setup` installs it where it can")
}

/// PostgreSQL refuses to run as root. Debian's package makes a user for it.
fn other_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok().filter(|o| o.status.success())?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let of = |name| Some((id(&["-u", name])?, id(&["-g", name])?));
    Some(of("postgres").or_else(|| of("nobody")).expect("there is a user to run PostgreSQL as"))
}

fn as_other_user(command: &mut Command) -> &mut Command {
    match other_user() {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}
