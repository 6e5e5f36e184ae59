//! Whether a connection gets on, looked at now and then.

/// What HTTP/2 writes on an idle connection between two looks, in bytes, and some more. Who takes no more than that of an
/// answer takes nothing.
const PINGS: u64 = 1024;

/// What can be seen of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Requests that have begun.
    pub(super) begun: usize,
    /// Whether any of them is under way.
    pub(super) under_way: bool,
    /// Bytes that were written.
    pub(super) written: u64,
    /// Whether more wait for the peer to take some.
    pub(super) waits: bool,
    /// How often a piece of an answer was asked for.
    pub(super) pieces: usize,
    /// Whether an answer has given a piece, and was not asked for the next: HTTP/2 has a window for each stream.
    pub(super) piece_waits: bool,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It gets on.
    GoesOn,
    /// Nothing is asked: its peer is asked to go.
    Leaves,
    /// Nothing was ever asked; or its peer was asked to go.
    Idle,
    /// Something waits for its peer, who takes nothing of it.
    Stuck,
}

/// Looks at one connection.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Seen,
    waited: bool,
}

impl Looks {
    /// A connection on which so much was written before the first look.
    pub(super) fn from(written: u64) -> Self {
        Self { last: Seen { written, ..Seen::default() }, waited: false }
    }

    /// Looks once more.
    pub(super) fn look(&mut self, seen: Seen, leaving: bool) -> Verdict {
        let Seen { begun, under_way, written, .. } = seen;
        // An answer that was handed over whole is still being taken by a slow reader.
        let reading = written.saturating_sub(self.last.written) > PINGS;
        let waits = seen.waits || (seen.piece_waits && seen.pieces == self.last.pieces);
        let stuck = waits && self.waited && !reading;
        let idle = begun == self.last.begun && !under_way && !reading;
        (self.last, self.waited) = (seen, waits);
        match (stuck, idle) {
            (true, _) => Verdict::Stuck,
            (_, true) if begun == 0 || leaving => Verdict::Idle,
            (_, true) => Verdict::Leaves,
            _ => Verdict::GoesOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{GoesOn, Idle, Leaves, Stuck};
    use super::*;

    fn verdicts(looks: &[Seen]) -> Vec<Verdict> {
        let mut looker = Looks::from(0);
        looks.iter().map(|seen| looker.look(*seen, false)).collect()
    }

    const UNDER_WAY: Seen =
        Seen { begun: 1, under_way: true, written: 500_000, waits: true, pieces: 3, piece_waits: true };

    #[test]
    fn who_takes_nothing_between_two_looks_is_stuck() {
        assert_eq!(verdicts(&[UNDER_WAY, UNDER_WAY]), [GoesOn, Stuck]);
        let pings = Seen { written: UNDER_WAY.written + PINGS, ..UNDER_WAY };
        assert_eq!(verdicts(&[UNDER_WAY, pings]), [GoesOn, Stuck]);
    }

    /// Slowly is not nothing.
    #[test]
    fn who_takes_slowly_is_kept() {
        let slow: Vec<_> = (0..60).map(|at| Seen { written: 500_000 + at * 1025, ..UNDER_WAY }).collect();
        assert!(verdicts(&slow).iter().all(|verdict| *verdict == GoesOn));
    }

    /// A stream of events on which nothing happens, and an upstream that thinks.
    #[test]
    fn who_has_taken_all_is_waited_for() {
        let quiet = Seen { waits: false, piece_waits: false, ..UNDER_WAY };
        assert_eq!(verdicts(&[quiet; 100]), [GoesOn; 100]);
    }

    /// One stream of several stands still while pieces of another are asked for.
    #[test]
    fn a_stream_without_a_window_is_stuck_when_nothing_else_moves() {
        let still = Seen { waits: false, ..UNDER_WAY };
        assert_eq!(verdicts(&[still, still, still]), [GoesOn, GoesOn, Stuck]);
        let moves: Vec<_> = (0..10).map(|pieces| Seen { pieces, ..still }).collect();
        assert!(verdicts(&moves).iter().all(|verdict| *verdict == GoesOn));
    }

    #[test]
    fn who_asks_nothing_leaves() {
        assert_eq!(verdicts(&[Seen::default()]), [Idle]);
        let over = Seen { begun: 1, written: 500, ..Seen::default() };
        assert_eq!(verdicts(&[over, over]), [GoesOn, Leaves]);
        assert_eq!(Looks::from(500).look(Seen { begun: 0, ..over }, true), Idle);
    }
}
