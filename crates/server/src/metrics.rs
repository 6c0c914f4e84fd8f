//! Counters, gauges and histograms, in Prometheus' text format: TEI's by its names, so that its dashboards show this
//! server too, and ours. No label takes anything from a client.

use crate::dispatcher::Status;
use crate::engine::Facts;
use crate::failure::{self, Failure};
use crate::process;
use crate::report::Report;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder, exponential_buckets,
};
use std::time::Duration;

/// A stage of a request, as TEI's histograms name it.
const STAGES: [&str; 4] =
    ["duration", "tokenization_duration", "queue_duration", "inference_duration"];

/// One text, or several, as TEI's counters name it.
const METHODS: [&str; 2] = ["single", "batch"];
/// The `err` of a request whose client left.
const DROPPED: &str = "dropped";

/// All metrics.
pub struct Metrics {
    registry: Registry,
    te_request_count: IntCounterVec,
    te_request_success: IntCounterVec,
    te_request_failure: IntCounterVec,
    te_embed_count: IntCounter,
    te_embed_success: IntCounter,
    te_request: [Histogram; 4],
    te_embed: [Histogram; 4],
    te_input_length: Histogram,
    te_batch_size: Histogram,
    te_batch_tokens: Histogram,
    te_queue_size: IntGauge,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    texts: IntCounter,
    tokens: IntCounter,
    truncated_texts: IntCounter,
    queue_requests: IntGauge,
    queue_texts: IntGauge,
    queue_tokens: IntGauge,
    queue_wait: Gauge,
    engine_rate: Gauge,
    engine_busy: prometheus::Counter,
    pass_budget: IntGauge,
    pass_tokens: Histogram,
    pass_seconds: Histogram,
    rejected: IntCounterVec,
    cancelled_texts: IntCounter,
    cache_hits: IntCounter,
    cache_misses: IntCounter,
    cache_bytes: IntGauge,
    connections: IntGauge,
}

/// Makes metrics and enters them in the registry. Names and buckets are constants, so that none can be refused.
struct Maker(Registry);

impl Maker {
    fn register<T: prometheus::core::Collector + Clone + 'static>(
        &self,
        metric: prometheus::Result<T>,
    ) -> prometheus::Result<T> {
        let metric = metric?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.register(IntCounter::new(name, help))
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// Counters by one label, whose values are known: all exist from the start at 0, so that `rate()` sees the first
    /// event and alerts have a series to compare.
    fn counters_of<'a>(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> prometheus::Result<IntCounterVec> {
        let counters = self.counters(name, help, &[label])?;
        values.into_iter().for_each(|value| drop(counters.with_label_values(&[value])));
        Ok(counters)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::new(name, help))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> prometheus::Result<Histogram> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(options))
    }
}

impl Metrics {
    /// The metrics of a server with this model.
    ///
    /// # Errors
    /// None but a mistake in the names here.
    pub fn new(facts: &Facts) -> prometheus::Result<Metrics> {
        let make = Maker(Registry::new());
        let durations = exponential_buckets(15e-6, 1.5, 35)?;
        let powers = |most: usize| exponential_buckets(1.0, 2.0, most.max(2).ilog2() as usize + 2);
        let (lengths, sizes, tokens) = (powers(facts.n_ctx)?, powers(2048)?, powers(1 << 19)?);
        let stages = |of: &str| -> prometheus::Result<[Histogram; 4]> {
            let [a, b, c, d] = STAGES.map(|stage| {
                let name = format!("te_{of}_{stage}");
                make.histogram(&name, "Seconds, by TEI's name", &durations)
            });
            Ok([a?, b?, c?, d?])
        };
        let http_buckets =
            [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
        let http_duration = HistogramOpts::new(
            "monomorph_http_request_duration_seconds",
            "Time from a request's head to its answer",
        );
        let http_duration = http_duration.buckets(http_buckets.to_vec());
        let build = [
            ("version", &facts.version),
            ("model", &facts.name),
            ("fingerprint", &facts.fingerprint),
            ("isa", &facts.isa),
            ("path", &facts.path),
        ];
        let build = build.into_iter().fold(
            Opts::new("monomorph_build_info", "This binary and its model; always 1"),
            |options, (name, value)| options.const_label(name, value),
        );
        make.register(IntGauge::with_opts(build))?.set(1);
        let per_method =
            |name: &str| make.counters_of(name, "Requests, by TEI's name", "method", METHODS);
        Ok(Metrics {
            te_request_count: per_method("te_request_count")?,
            te_request_success: per_method("te_request_success")?,
            te_request_failure: make.counters_of(
                "te_request_failure",
                "Failed requests, by TEI's name",
                "err",
                failure::LABELS.into_iter().chain([DROPPED]),
            )?,
            te_embed_count: make.counter("te_embed_count", "Texts, by TEI's name")?,
            te_embed_success: make.counter("te_embed_success", "Embedded texts, by TEI's name")?,
            te_request: stages("request")?,
            te_embed: stages("embed")?,
            te_input_length: make.histogram(
                "te_request_input_length",
                "Tokens of a text, by TEI's name",
                &lengths,
            )?,
            te_batch_size: make.histogram("te_batch_next_size", "Texts of a pass", &sizes)?,
            te_batch_tokens: make.histogram("te_batch_next_tokens", "Tokens of a pass", &tokens)?,
            te_queue_size: make.gauge("te_queue_size", "Texts that wait, by TEI's name")?,
            http_requests: make.counters(
                "monomorph_http_requests_total",
                "Answers, by route and status",
                &["route", "status"],
            )?,
            http_duration: make.register(HistogramVec::new(http_duration, &["route"]))?,
            texts: make.counter("monomorph_texts_total", "Texts that passes embedded")?,
            tokens: make.counter("monomorph_tokens_total", "Tokens that passes embedded")?,
            truncated_texts: make
                .counter("monomorph_truncated_texts_total", "Texts that were cut to the context")?,
            queue_requests: make.gauge("monomorph_queue_requests", "Requests that wait")?,
            queue_texts: make.gauge("monomorph_queue_texts", "Texts that wait")?,
            queue_tokens: make.gauge("monomorph_queue_tokens", "Tokens that wait")?,
            queue_wait: make.register(Gauge::new(
                "monomorph_queue_wait_seconds",
                "How long a large request would wait if it came now",
            ))?,
            engine_rate: make.register(Gauge::new(
                "monomorph_engine_tokens_per_second",
                "The engine's speed, without the fixed cost of a pass",
            ))?,
            engine_busy: make.register(prometheus::Counter::new(
                "monomorph_engine_busy_seconds_total",
                "Time in passes",
            ))?,
            pass_budget: make
                .gauge("monomorph_pass_budget_tokens", "Tokens that a pass should have")?,
            pass_tokens: make.histogram("monomorph_pass_tokens", "Tokens of a pass", &tokens)?,
            pass_seconds: make.histogram("monomorph_pass_seconds", "Time of a pass", &durations)?,
            rejected: make.counters_of(
                "monomorph_rejected_total",
                "Requests that were not served, by reason",
                "reason",
                failure::LABELS,
            )?,
            cancelled_texts: make.counter(
                "monomorph_cancelled_texts_total",
                "Texts whose client left or whose time was up",
            )?,
            cache_hits: make.counter("monomorph_cache_hits_total", "Texts whose row was kept")?,
            cache_misses: make
                .counter("monomorph_cache_misses_total", "Texts whose row was not kept")?,
            cache_bytes: make.gauge("monomorph_cache_bytes", "Bytes of kept rows")?,
            connections: make.gauge("monomorph_connections", "Open connections")?,
            registry: make.0.clone(),
        })
    }

    /// A pass has run.
    pub fn pass(&self, texts: usize, tokens: usize, took: Duration) {
        self.texts.inc_by(texts as u64);
        self.tokens.inc_by(tokens as u64);
        self.te_batch_size.observe(texts as f64);
        self.te_batch_tokens.observe(tokens as f64);
        self.pass_tokens.observe(tokens as f64);
        self.pass_seconds.observe(took.as_secs_f64());
        self.engine_busy.inc_by(took.as_secs_f64());
    }

    /// So many texts had a row that was kept, and so many had none.
    pub fn cached(&self, hits: usize, misses: usize) {
        self.cache_hits.inc_by(hits as u64);
        self.cache_misses.inc_by(misses as u64);
    }

    /// So many bytes of rows are kept.
    pub fn cache_bytes(&self, bytes: usize) {
        self.cache_bytes.set(bytes as i64);
    }

    /// Texts are not wanted any more.
    pub fn cancelled(&self, texts: usize) {
        self.cancelled_texts.inc_by(texts as u64);
    }

    /// A request has so many texts.
    pub fn asked(&self, texts: usize) {
        self.te_request_count.with_label_values(&[method(texts)]).inc();
        self.te_embed_count.inc_by(texts as u64);
    }

    /// A text has so many tokens.
    pub fn text(&self, tokens: usize) {
        self.te_input_length.observe(tokens as f64);
    }

    /// A request was answered with vectors, after so long.
    pub fn embedded(&self, report: &Report, total: Duration) {
        self.te_request_success.with_label_values(&[method(report.texts)]).inc();
        self.te_embed_success.inc_by(report.texts as u64);
        self.truncated_texts.inc_by(report.truncated as u64);
        let times = [total, report.tokenization, report.queue, report.inference];
        for (i, time) in times.into_iter().enumerate() {
            self.te_request[i].observe(time.as_secs_f64());
            for _ in 0..report.texts {
                self.te_embed[i].observe(time.as_secs_f64());
            }
        }
    }

    /// A request was refused, or failed.
    pub fn failed(&self, failure: &Failure) {
        self.te_request_failure.with_label_values(&[failure.label()]).inc();
        self.rejected.with_label_values(&[failure.label()]).inc();
    }

    /// A client left before its answer.
    pub fn dropped(&self) {
        self.te_request_failure.with_label_values(&[DROPPED]).inc();
    }

    /// An answer has left.
    pub fn answered(&self, route: &str, status: &str, took: Duration) {
        self.http_requests.with_label_values(&[route, status]).inc();
        self.http_duration.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// A connection was opened; it is closed when the value is dropped.
    pub fn connection(&self) -> Connection {
        self.connections.inc();
        Connection(self.connections.clone())
    }

    /// Everything, for a scrape.
    pub fn write(&self, status: &Status) -> String {
        self.te_queue_size.set(status.waiting.texts as i64);
        self.queue_requests.set(status.waiting.requests as i64);
        self.queue_texts.set(status.waiting.texts as i64);
        self.queue_tokens.set(status.waiting.tokens as i64);
        self.queue_wait.set(status.wait.as_secs_f64());
        self.engine_rate.set(status.rate);
        self.pass_budget.set(status.budget.pass as i64);
        let mut text =
            TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default();
        process::write(&mut text);
        text
    }
}

/// An open connection, as long as it is counted.
pub struct Connection(IntGauge);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// TEI's label of a request.
fn method(texts: usize) -> &'static str {
    METHODS[usize::from(texts != 1)]
}
