//! Conditions awaited instead of slept for.
//!
//! Invariant: a wait ends at its deadline even if the condition's own check
//! hangs, and its error says what was awaited, for how long, and what was last
//! seen instead.

use std::fmt::Display;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep, timeout_at};

/// Conditions that come true quickly should not cost a test more than this.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Often enough for a person, rarely enough to leave two cores to the servers.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What a look at a condition can show.
///
/// | the check returns | it is over when | the wait gives |
/// |---|---|---|
/// | `bool` | `true` | `()` |
/// | `Option<T>` | `Some` | `T` |
/// | `Result<T, E>` | `Ok` | `T`; the last `E` is told when time is up |
pub trait Observation {
    /// What the wait gives once the condition holds.
    type Value;

    /// The value, or what was seen instead, if the check can tell.
    fn observed(self) -> Result<Self::Value, Option<String>>;
}

impl Observation for bool {
    type Value = ();

    fn observed(self) -> Result<(), Option<String>> {
        if self { Ok(()) } else { Err(None) }
    }
}

impl<T> Observation for Option<T> {
    type Value = T;

    fn observed(self) -> Result<T, Option<String>> {
        self.ok_or(None)
    }
}

impl<T, E: Display> Observation for Result<T, E> {
    type Value = T;

    fn observed(self) -> Result<T, Option<String>> {
        // The alternate form shows the causes of an `anyhow::Error`.
        self.map_err(|error| Some(format!("{error:#}")))
    }
}

/// Calls `check` until it shows that the condition holds, or `timeout` is over.
///
/// `what` completes the sentence "waited for …".
///
/// ```no_run
/// # async fn example(sink: testkit::smtp::Sink) -> anyhow::Result<()> {
/// use std::time::Duration;
/// use testkit::wait::until;
///
/// until("three mails", Duration::from_secs(5), async || {
///     match sink.count() {
///         3.. => Ok(()),
///         fewer => Err(format!("{fewer} mails")),
///     }
/// })
/// .await
/// # }
/// ```
pub async fn until<F, Fut>(
    what: &str,
    timeout: Duration,
    mut check: F,
) -> anyhow::Result<<Fut::Output as Observation>::Value>
where
    F: FnMut() -> Fut,
    Fut: Future,
    Fut::Output: Observation,
{
    let deadline = Instant::now() + timeout;
    let mut pause = FIRST_PAUSE;
    let mut last_seen = None;
    loop {
        let Ok(seen) = timeout_at(deadline, check()).await else {
            bail!(
                "waited {timeout:?} for {what}; {}, and the last check did not return",
                describe(last_seen.as_deref())
            );
        };
        match seen.observed() {
            Ok(value) => return Ok(value),
            Err(state) => last_seen = state,
        }
        if Instant::now() + pause >= deadline {
            bail!(
                "waited {timeout:?} for {what}; {}",
                describe(last_seen.as_deref())
            );
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

fn describe(last_seen: Option<&str>) -> String {
    last_seen.map_or_else(
        || "it never came".to_owned(),
        |state| format!("last seen: {state}"),
    )
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SHORT: Duration = Duration::from_millis(30);

    #[tokio::test]
    async fn the_value_is_returned_once_it_is_there() {
        let mut looks = 0;
        let value = until("the third look", Duration::from_secs(5), || {
            looks += 1;
            let seen = (looks == 3).then_some(looks);
            async move { seen }
        })
        .await
        .unwrap();
        assert_eq!(value, 3);
    }

    #[tokio::test]
    async fn the_error_names_the_condition_the_time_and_the_last_state() {
        let error = until("lag 0", SHORT, || async { Err::<(), _>("lag 7") })
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "waited 30ms for lag 0; last seen: lag 7");
    }

    #[tokio::test]
    async fn a_check_that_hangs_does_not_outlast_the_deadline() {
        let error = until("an answer", SHORT, pending::<bool>)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "waited 30ms for an answer; it never came, and the last check did not return"
        );
    }
}
