//! Counts the statements that a piece of work sends to its database, whatever else runs beside it.
//!
//! SQLite's statements run on threads of their own, which enter the span of whoever asked: so they are counted by span.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Instrument, Level, Metadata, Subscriber, info_span};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

const SPAN: &str = "counted statements";
const TARGET: &str = "sqlx::query";

/// What the work comes to, and how many statements it has sent.
pub async fn counted<F: Future>(work: F) -> (F::Output, usize) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        tracing::subscriber::set_global_default(Registry::default().with(Counter)).expect("no other test listens to events");
    });
    let span = info_span!(SPAN);
    let count = tracing::dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let span = registry.span(&span.id()?)?;
        span.extensions().get::<Arc<AtomicUsize>>().cloned()
    });
    let count = count.expect("the counter sees its own span");
    let done = work.instrument(span).await;
    (done, count.load(Ordering::SeqCst))
}

struct Counter;

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Counter {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_span() || (metadata.target() == TARGET && *metadata.level() == Level::TRACE)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id).filter(|_| attributes.metadata().name() == SPAN) {
            span.extensions_mut().insert(Arc::new(AtomicUsize::new(0)));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        // The pool opens another connection whenever the last one is not back yet: what sets it up is nobody's statement.
        if ["PRAGMA", "SET"].iter().any(|word| text.0.starts_with(word)) {
            return;
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(count) = span.extensions().get::<Arc<AtomicUsize>>() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// How a statement begins.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
