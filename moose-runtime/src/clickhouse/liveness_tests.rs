//! Tests of the timeouts, on a paused clock.

use std::sync::atomic::AtomicU32;

use tokio::time::sleep;

use super::*;

/// A server that is away between two moments, counted in milliseconds from the start of the test. While it is away it
/// accepts connections and does not respond.
struct Server {
    started: Instant,
    away: std::ops::Range<u64>,
    pings: AtomicU32,
}

impl Server {
    fn away(away: std::ops::Range<u64>) -> Self {
        Self { started: Instant::now(), away, pings: AtomicU32::new(0) }
    }

    fn answers(&self) -> bool {
        !self.away.contains(&self.milliseconds())
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap()
    }

    async fn ping(&self) -> bool {
        self.pings.fetch_add(1, Ordering::Relaxed);
        if self.answers() { true } else { std::future::pending().await }
    }

    /// A statement that is answered after `milliseconds`, if the server was there all the time until it was sent.
    async fn statement(&self, patience: &Patience, known_away: bool, milliseconds: u64) -> Result<(), GivenUp> {
        let heard = self.answers();
        let work = async {
            sleep(Duration::from_millis(milliseconds)).await;
            if !heard {
                std::future::pending::<()>().await;
            }
        };
        unless_silent(work, patience, &AtomicBool::new(known_away), || self.ping()).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_statement_is_given_up_two_seconds_late_when_the_server_answers() {
    let server = Server::away(0..0);
    let given_up = server.statement(&Patience::default(), false, 3_600_000).await;
    assert_eq!((given_up, server.milliseconds()), (Err(GivenUp::Late), 12_000));
    assert_eq!(server.pings.load(Ordering::Relaxed), 12, "one each second");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_nothing_gets_no_more_time() {
    let server = Server::away(0..u64::MAX);
    let given_up = server.statement(&Patience::default(), false, 0).await;
    assert_eq!(given_up, Err(GivenUp::Late));
    assert!((12_000..=13_000).contains(&server.milliseconds()), "{}", server.milliseconds());
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_of_a_server_that_was_away_is_given_up_within_a_second_of_its_return() {
    let patience = Patience::default();
    // Long enough that only the return can end it.
    patience.given_up();
    patience.given_up();
    patience.given_up();
    for back in (1_001..30_000).step_by(77) {
        let server = Server::away(0..back);
        let given_up = server.statement(&patience, false, 0).await;
        assert_eq!(given_up, Err(GivenUp::Returned), "back after {back}");
        let late = server.milliseconds() - back;
        assert!(late <= 1000, "back after {back}, noticed {late} later");
    }
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_was_sent_just_before_the_return_is_given_up_as_soon() {
    for back in (1..1_000).step_by(111) {
        let server = Server::away(0..back);
        let given_up = server.statement(&Patience::default(), true, 0).await;
        assert_eq!(given_up, Err(GivenUp::Returned), "back after {back}");
        assert!(server.milliseconds() <= 1000, "{}", server.milliseconds());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_waited_for_when_the_server_is_there_again_at_the_first_ping() {
    let server = Server::away(0..0);
    assert_eq!(server.statement(&Patience::default(), true, 9_000).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_pinged_for_the_first_second() {
    let server = Server::away(0..0);
    assert_eq!(server.statement(&Patience::default(), false, 999).await, Ok(()));
    assert_eq!(server.pings.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn endless_patience_ends_with_the_pings_only() {
    let server = Server::away(7_200_000..u64::MAX);
    assert_eq!(server.statement(&Patience::endless(), false, 3_600_000).await, Ok(()));
    let given_up = server.statement(&Patience::endless(), false, 36_000_000).await;
    assert_eq!(given_up, Err(GivenUp::Late));
    assert!(server.milliseconds() < 7_200_000 + 14_000, "{}", server.milliseconds());
}

#[test]
fn what_is_expected_follows_the_server() {
    let patience = Patience::default();
    patience.answered(Duration::from_millis(30));
    assert_eq!(patience.silence(), FLOOR + GRACE, "the floor");
    patience.answered(Duration::from_secs(5));
    assert_eq!(patience.silence(), Duration::from_secs(20) + GRACE);
    patience.answered(Duration::from_secs(1));
    assert_eq!(patience.silence(), Duration::from_secs(18) + GRACE);
    for _ in 0..5 {
        patience.given_up();
    }
    assert_eq!(patience.silence(), MOST + GRACE);
}
