//! One process: started, spoken to, ended.

use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::last_words::LastWords;
use super::line::{self, Line};
use super::message::{self, Message};
use super::room::Held;
use super::session::{Session, watch};
use super::switch::Switch;

/// Lines of the log are cut at that length.
const LOG_LINE: usize = 16 * 1024;

/// A process that was started, with its pipes.
pub(super) struct Process {
    pub(super) child: Child,
    /// Until the end it leads a group of its own, so that its children can be ended with it.
    pub(super) group: Option<u32>,
}

/// Who speaks to a process.
pub(super) enum Audience {
    /// One session, which ends with it.
    One(Arc<Session>),
    /// Sessions that share it.
    Several(Arc<Switch>),
}

/// How it came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nobody asked it to.
    ByItself,
    /// It was told to, or nobody needed it any more.
    Told,
}

impl Audience {
    fn end(&self) -> &CancellationToken {
        match self {
            Self::One(session) => &session.end,
            Self::Several(switch) => &switch.end,
        }
    }

    async fn deliver(&self, message: Message) {
        match self {
            Self::One(session) => session.deliver(message).await,
            Self::Several(switch) => switch.deliver(message),
        }
    }

    /// Whether it could be used at all, as far as that is known here.
    fn has_begun(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Several(switch) => switch.has_opened(),
        }
    }

    fn close(&self) {
        match self {
            Self::One(session) => session.close(),
            Self::Several(switch) => switch.close(),
        }
    }

    /// Done when nobody has used the process for too long.
    async fn idle(&self, limits: &Limits) {
        match self {
            Self::One(session) => watch(session, limits).await,
            Self::Several(switch) => loop {
                let end = switch.last_used() + limits.idle;
                if end <= Instant::now() {
                    return;
                }
                sleep_until(end).await;
            },
        }
    }
}

impl Process {
    /// Carries messages between the process and those who speak to it until either ends, then ends the other. How it
    /// ended is told before anybody can ask for the next one.
    pub(super) async fn run(
        mut self,
        audience: Audience,
        lines: mpsc::UnboundedReceiver<impl Into<Held>>,
        limits: Limits,
        name: String,
        count: impl FnOnce(Ended),
    ) {
        let stdin = self.child.stdin.take();
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let words = LastWords::default();
        let mut log = tokio::spawn(log(stderr, name.clone(), words.clone()));
        let ended = {
            // A server that takes no more input may still have answers on the way: its output decides.
            let write = async {
                if let Some(stdin) = stdin
                    && let Err(error) = write(stdin, lines).await
                {
                    tracing::info!(session = name, %error, "the server takes no more input");
                }
                std::future::pending::<()>().await;
            };
            let read = async {
                if let Some(stdout) = stdout {
                    read(BufReader::new(stdout), &audience, limits.answer, &name).await;
                }
            };
            let mut read = pin!(read);
            tokio::select! {
                () = audience.end().cancelled() => Ended::Told,
                // A child of the server may hold its output open, and will answer nothing.
                () = self.exited() => {
                    drop(timeout(limits.grace, read).await);
                    tracing::info!(session = name, "the server has ended");
                    Ended::ByItself
                }
                () = read.as_mut() => {
                    tracing::info!(session = name, "the server closed its output");
                    Ended::ByItself
                }
                () = write => Ended::ByItself,
                () = audience.idle(&limits) => {
                    tracing::info!(session = name, "nobody has used the server for too long");
                    Ended::Told
                }
            }
            // Here the pipes are closed, which tells a server that it is over (stdio, "Shutdown").
        };
        audience.end().cancel();
        count(ended);
        audience.close();
        let status = self.end(&limits).await;
        // What it said last may still be in the pipe.
        if timeout(limits.grace, &mut log).await.is_err() {
            log.abort();
        }
        if ended == Ended::ByItself || !audience.has_begun() {
            let (status, stderr) = (status.map(|status| status.to_string()), words.all());
            tracing::warn!(session = name, status, ?stderr, "an MCP server has ended, and nobody told it to");
        }
        tracing::info!(session = name, "the server is gone");
    }

    /// Waits for the end, asks for it, enforces it; in the end also for children that were left behind.
    async fn end(&mut self, limits: &Limits) -> Option<ExitStatus> {
        if timeout(limits.grace, self.exited()).await.is_err() {
            self.signal(Signal::Terminate);
            if timeout(limits.grace, self.exited()).await.is_err() {
                drop(self.child.start_kill());
            }
        }
        // Before the process is reaped: until then its number, which is the group's, is nobody else's.
        self.signal(Signal::Kill);
        self.child.wait().await.ok()
    }

    /// Waits until the process has ended, and leaves it to be reaped.
    #[cfg(unix)]
    async fn exited(&mut self) {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        use tokio::signal::unix::{SignalKind, signal};
        let pid = self.group.and_then(|group| i32::try_from(group).ok()).and_then(Pid::from_raw);
        let (Some(pid), Ok(mut ended)) = (pid, signal(SignalKind::child())) else {
            drop(self.child.wait().await);
            return;
        };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        // An error is: no such child any more.
        while matches!(waitid(WaitId::Pid(pid), look), Ok(None)) {
            // Any child's end wakes this.
            if ended.recv().await.is_none() {
                return;
            }
        }
    }

    #[cfg(not(unix))]
    async fn exited(&mut self) {
        drop(self.child.wait().await);
    }

    #[cfg(unix)]
    fn signal(&self, signal: Signal) {
        use rustix::process::{Pid, kill_process_group};
        let group = self.group.and_then(|group| i32::try_from(group).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            let signal = match signal {
                Signal::Terminate => rustix::process::Signal::TERM,
                Signal::Kill => rustix::process::Signal::KILL,
            };
            // No such group: all of it is gone, which is what was wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    #[cfg(not(unix))]
    fn signal(&self, _: Signal) {}
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

async fn write(
    mut stdin: ChildStdin,
    mut lines: mpsc::UnboundedReceiver<impl Into<Held>>,
) -> std::io::Result<()> {
    while let Some(line) = lines.recv().await {
        let line: Held = line.into();
        stdin.write_all(line.bytes()).await?;
        stdin.write_all(b"\n").await?;
        stdin.flush().await?;
    }
    Ok(())
}

async fn read(mut stdout: BufReader<impl AsyncRead + Unpin>, audience: &Audience, limit: usize, name: &str) {
    loop {
        match line::read(&mut stdout, limit).await {
            Ok(Line::Whole(bytes)) => match message::said(&bytes) {
                Some(messages) => {
                    for message in messages {
                        audience.deliver(message).await;
                    }
                }
                None => noise(&bytes, name),
            },
            // Somebody waits for what it said, and nobody knows who.
            Ok(Line::TooLong) => {
                tracing::error!(session = name, limit, "the server sent a message that is too long");
                return;
            }
            Ok(Line::End) => return,
            Err(error) => {
                tracing::warn!(session = name, %error, "the server's output cannot be read");
                return;
            }
        }
    }
}

/// stdio, "the server MUST NOT write anything to its stdout that is not a valid MCP message". Many do.
/// What they say may still be their users' data.
fn noise(line: &[u8], name: &str) {
    if !line.trim_ascii().is_empty() {
        tracing::warn!(
            session = name,
            bytes = line.len(),
            "no message, but on stdout; at level debug, its text"
        );
        let line = line.get(..line.len().min(LOG_LINE)).unwrap_or_default();
        tracing::debug!(session = name, line = %String::from_utf8_lossy(line), "no message");
    }
}

/// stderr is the server's log (stdio, "the client MAY capture, forward, or ignore").
async fn log(stderr: Option<impl AsyncRead + Unpin>, name: String, words: LastWords) {
    let Some(stderr) = stderr else { return };
    let mut stderr = BufReader::new(stderr);
    loop {
        match line::read(&mut stderr, LOG_LINE).await {
            Ok(Line::Whole(line)) => {
                let line = String::from_utf8_lossy(&line);
                words.hear(line.trim_end());
                tracing::info!(session = name, "{}", line.trim_end());
            }
            Ok(Line::TooLong) => tracing::info!(session = name, "(a line that is too long)"),
            Ok(Line::End) | Err(_) => return,
        }
    }
}
