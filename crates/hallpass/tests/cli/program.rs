//! The hallpass program under test: run to its end, or started and ended.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Longer than any start; only a hang takes it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn command(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallpass"));
    command.args(["--data".as_ref(), data.as_os_str()]).args(args);
    command.env_remove("HALLPASS_CONFIG").env_remove("HALLPASS_DATA").env_remove("RUST_LOG");
    command
}

/// Runs it to its end, without standard input.
pub(crate) fn run(data: &Path, args: &[&str]) -> Output {
    command(data, args).stdin(Stdio::null()).output().unwrap()
}

/// Runs it to its end, with standard input.
pub(crate) fn run_with_input(data: &Path, args: &[&str], input: &str) -> Output {
    let mut child = command(data, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Runs `login` to its end, for a person whose browser is elsewhere and follows every redirect; gives what was printed
/// on standard output and standard error.
pub(crate) async fn log_in(data: &Path, args: &[&str]) -> (Output, String) {
    LoggingIn::start(data, args).finish().await
}

/// A `login` that has told where to go.
pub(crate) struct LoggingIn {
    child: Child,
    lines: tokio::sync::mpsc::UnboundedReceiver<String>,
    told: String,
}

impl LoggingIn {
    pub(crate) fn start(data: &Path, args: &[&str]) -> Self {
        let mut child = command(data, &[&["login"], args].concat())
            .env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
            .env_remove("BROWSER")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
        let printed = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            printed.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, told: String::new() }
    }

    /// Waits for a line with `word`; the line, or nothing where the program ends first.
    pub(crate) async fn line_with(&mut self, word: &str) -> Option<String> {
        while let Some(line) = self.lines.recv().await {
            self.told += &(line.clone() + "\n");
            if line.contains(word) {
                return Some(line);
            }
        }
        None
    }

    /// Goes where it said, and waits for its end.
    pub(crate) async fn finish(mut self) -> (Output, String) {
        if let Some(line) = self.line_with("/authorize?").await {
            let address = line[line.find("http://").unwrap()..].to_owned();
            reqwest::get(address).await.unwrap();
        }
        self.ended().await
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> (Output, String) {
        self.line_with("\0").await;
        let child = self.child;
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        (output, self.told)
    }
}

/// What it wrote on standard error.
pub(crate) fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it wrote on standard output.
pub(crate) fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Hands each line on.
fn hear(output: Option<impl std::io::Read + Send + 'static>, sender: Sender<String>) {
    let Some(output) = output else { return };
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
}

/// A server that runs until it is dropped.
pub(crate) struct Serving {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Serving {
    /// Starts `hallpass serve` with these arguments.
    pub(crate) fn start(data: &Path, args: &[&str]) -> Self {
        Self::spawn(command(data, &[&["serve"], args].concat()).stderr(Stdio::inherit()))
    }

    /// The same, where what it says on standard error is among the lines.
    pub(crate) fn start_heard(data: &Path, args: &[&str]) -> Self {
        Self::spawn(command(data, &[&["serve"], args].concat()).stderr(Stdio::piped()))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        hear(child.stdout.take(), sender.clone());
        hear(child.stderr.take(), sender);
        Self { child, lines, seen: Vec::new() }
    }

    /// Ends it with no time to do anything about it (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The first line, printed already or to come, that contains `word`.
    pub(crate) fn line_with(&mut self, word: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(word)) {
            return line.clone();
        }
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {word:?} in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(word) {
                return line;
            }
        }
    }

    /// The first line with `word` that comes after so many.
    pub(crate) fn next_line_with(&mut self, word: &str, after: usize) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {word:?} in {:#?}", self.seen));
            self.seen.push(line.clone());
            if self.seen.len() > after && line.contains(word) {
                return line;
            }
        }
    }

    /// Sends it this signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// What it has printed, as far as it was waited for.
    pub(crate) fn lines_so_far(&self) -> &[String] {
        &self.seen
    }

    /// The last word of that line: the value in a row of the banner.
    pub(crate) fn value_of(&mut self, word: &str) -> String {
        self.line_with(word).split_whitespace().last().unwrap().to_owned()
    }

    /// Asks it to end and waits; what it has said can be read still.
    #[cfg(unix)]
    pub(crate) fn signal_and_wait(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }

    /// All that it has said, to its end.
    pub(crate) fn rest(&mut self) -> String {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        self.seen.join("\n")
    }

    /// Asks it to end, as systemd and Ctrl-C do, and says with which code it did.
    #[cfg(unix)]
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
