//! From whoever has a line to whoever writes it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, SystemTime};

use super::{Output, Sink};

/// So many lines wait. At 300 bytes each it is some 5 MB.
const WAITING: usize = 16 * 1024;
/// How long the end waits for what is not written yet.
const PATIENCE: Duration = Duration::from_secs(5);

enum Message {
    Line(String),
    /// Tells when all that came before is written.
    Flush(SyncSender<()>),
}

/// Takes lines to a sink. Whoever has a line never waits: where there is no room for it, it is counted, and the log says
/// how many there were.
#[derive(Clone, Debug)]
pub struct Lines {
    sender: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Lines {
    /// Opens the sink, and writes to it from a thread of its own. `lost` counts lines without room.
    ///
    /// # Errors
    /// Where the sink cannot be opened.
    pub fn start(sink: Sink, lost: Arc<AtomicU64>, now: fn() -> SystemTime) -> io::Result<Self> {
        let output = Output::open(sink, now())?;
        let (lines, receiver) = Self::new(WAITING, Arc::clone(&lost));
        let thread = std::thread::Builder::new().name("hallpass-log".to_owned());
        thread.spawn(move || Writer { output, lost, told: 0, fails: false, now }.run(&receiver))?;
        Ok(lines)
    }

    fn new(waiting: usize, lost: Arc<AtomicU64>) -> (Self, Receiver<Message>) {
        let (sender, receiver) = sync_channel(waiting);
        (Self { sender, lost }, receiver)
    }

    /// A line, without its end.
    pub fn write(&self, line: String) {
        let line = super::harmless::harmless(line);
        if self.sender.try_send(Message::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all that came so far is written, for five seconds at most. For the end of a program: it blocks.
    pub fn flush(&self) {
        let (done, written) = sync_channel(1);
        let mut message = Message::Flush(done);
        let until = std::time::Instant::now() + PATIENCE;
        while let Err(std::sync::mpsc::TrySendError::Full(back)) = self.sender.try_send(message) {
            if std::time::Instant::now() > until {
                return;
            }
            message = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = written.recv_timeout(PATIENCE);
    }
}

struct Writer {
    output: Output,
    lost: Arc<AtomicU64>,
    /// How many lost lines the log has told of.
    told: u64,
    /// Whether the last line could not be written: it is said once.
    fails: bool,
    now: fn() -> SystemTime,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let next = match receiver.try_recv() {
                Err(TryRecvError::Empty) => {
                    self.rest();
                    receiver.recv().ok()
                }
                other => other.ok(),
            };
            match next {
                Some(Message::Line(line)) => self.write(&line),
                Some(Message::Flush(done)) => {
                    self.rest();
                    let _ = done.try_send(());
                }
                None => return self.rest(),
            }
        }
    }

    fn write(&mut self, line: &str) {
        let written = self.output.write(line, (self.now)());
        self.heed(written, 1);
    }

    fn rest(&mut self) {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > self.told {
            let lines = lost - self.told;
            self.told = lost;
            tracing::warn!(
                lines,
                "lines of a log were lost: there was no room, or they could not be written"
            );
            let time = super::rfc3339((self.now)());
            let told = self
                .output
                .write(&format!(r#"{{"time":"{time}","log":"lost","lines":{lines}}}"#), (self.now)());
            self.heed(told, 0);
        }
        let rested = self.output.rest((self.now)());
        self.heed(rested, 0);
    }

    fn heed(&mut self, written: io::Result<()>, lines: u64) {
        if let Err(error) = &written {
            self.lost.fetch_add(lines, Ordering::Relaxed);
            if !self.fails {
                tracing::error!(%error, "a log cannot be written; its lines are lost until it can");
            }
        }
        self.fails = written.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rotation;
    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    /// Nobody reads: whoever has a line goes on all the same.
    #[test]
    fn a_line_without_room_is_counted_and_waited_for_by_nobody() {
        let lost = Arc::new(AtomicU64::new(0));
        let (lines, receiver) = Lines::new(2, Arc::clone(&lost));
        for line in ["a", "b", "c", "d"] {
            lines.write(line.to_owned());
        }
        assert_eq!(lost.load(Ordering::Relaxed), 2);
        drop(receiver);
        lines.write("e".to_owned());
        assert_eq!(lost.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn lines_are_written_in_order_and_lost_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lost = Arc::new(AtomicU64::new(3));
        let sink = Sink::File { path: path.clone(), rotation: Rotation::default() };
        let lines = Lines::start(sink, lost, now).unwrap();
        for line in 0..100 {
            lines.write(line.to_string());
        }
        lines.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        let (told, rest): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('{'));
        assert_eq!(told, [r#"{"time":"1970-01-01T00:00:00.000Z","log":"lost","lines":3}"#]);
        assert_eq!(rest, (0..100).map(|line| line.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn a_sink_that_cannot_be_opened_is_told_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere/log");
        let sink = Sink::File { path, rotation: Rotation::default() };
        assert!(Lines::start(sink, Arc::default(), now).is_err());
    }
}
