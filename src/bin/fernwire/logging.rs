//! The server's log, on stderr: as text or JSON, and never more of one kind of event than a person would read.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fernwire::config::log::{LogFormat, LogLevel};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, event};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

mod throttle;

use throttle::{Kind, Throttle};

/// How often the events that were only counted are told.
const WINDOW: Duration = Duration::from_secs(60);

/// The target of what tells how many events were only counted; it is never counted itself.
const SUMMARY: &str = "fernwire::log";
/// Its level.
const SUMMARY_LEVEL: Level = Level::INFO;

/// The running log.
pub(crate) struct Log(Arc<Mutex<Throttle>>);

/// Starts the log. At the levels debug and trace somebody looks for something, and every event is written.
pub(crate) fn start(level: LogLevel, format: LogFormat) -> anyhow::Result<Log> {
    let filter = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let ours = Targets::new().with_target("fernwire", filter).with_default(filter.min(LevelFilter::WARN));
    // What was only counted would have been written.
    let ours = ours.with_target(SUMMARY, SUMMARY_LEVEL);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let throttle = Arc::new(Mutex::new(Throttle::default()));
    let counted = (level <= LogLevel::Info).then(|| Counted(throttle.clone()));
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Json => lines.json().with_span_list(false).with_filter(counted).boxed(),
        LogFormat::Text => lines.with_ansi(wants_colour()).with_filter(counted).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(ours)).try_init()?;
    Ok(Log(throttle))
}

fn wants_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Log {
    /// Tells at the end of every window what was only counted in it. Never completes.
    pub(crate) async fn tell_what_was_counted(&self) {
        let mut windows = interval_at(Instant::now() + WINDOW, WINDOW);
        windows.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            windows.tick().await;
            self.end_window();
        }
    }

    /// Tells what was only counted since the last time.
    pub(crate) fn end_window(&self) {
        // The lock is not held while something is logged, which takes it.
        let counted = lock(&self.0).end_window();
        for (kind, count) in counted {
            let Kind { event, reason, proven } = kind;
            event!(target: SUMMARY, SUMMARY_LEVEL, event, reason, proven, count, "and more like it, which were only counted");
        }
    }
}

/// A std mutex: held for map operations, never across an await.
fn lock(throttle: &Mutex<Throttle>) -> std::sync::MutexGuard<'_, Throttle> {
    throttle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the first events of a kind through and counts the others.
struct Counted(Arc<Mutex<Throttle>>);

impl<S: Subscriber> Filter<S> for Counted {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if event.metadata().target() == SUMMARY {
            return true;
        }
        let mut kind = Kind::default();
        event.record(&mut Words(&mut kind));
        lock(&self.0).admit(kind)
    }
}

/// Takes the message and the reason out of an event.
struct Words<'a>(&'a mut Kind);

impl Visit for Words<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.0.event = value.to_owned(),
            "reason" => self.0.reason = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "proven" {
            self.0.proven = value;
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
