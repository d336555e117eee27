//! What can be asked over HTTP, and how it is answered.
//!
//! Every answer but `/livez`, `/readyz` and `/metrics` is JSON; what went wrong is `{"kind": …, "message": …}`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use amop_node::Stopped;
use amop_node::view::TopicView;
use amop_wire::{MsgId, Name, Topic, TopicError};
use axum::Json;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::info;

use super::metrics;
use super::{Desk, Order};

/// What everybody on the machine may see.
pub(crate) fn read_only(desk: Desk) -> Router {
    views().with_state(desk).layer(middleware::from_fn(only_for_this_machine))
}

/// All of it.
pub(crate) fn all(desk: Desk) -> Router {
    views()
        .route("/v1/trace", get(trace))
        .route("/v1/reach", get(reach))
        .route("/v1/reload", post(reload))
        .route("/v1/drain", post(drain))
        .route("/v1/kick", post(kick))
        .route("/v1/log-level", post(log_level))
        .with_state(desk)
}

fn views() -> Router<Desk> {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .route("/v1/status", get(status))
        .route("/v1/peers", get(peers))
        .route("/v1/clients", get(clients))
        .route("/v1/topics", get(topics))
        .route("/v1/who", get(who))
        .route("/v1/topology", get(topology))
        .fallback(unknown)
}

/// A page that a browser loaded from elsewhere can send requests here, but not without the name of that
/// elsewhere as the host.
async fn only_for_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let host = std::str::from_utf8(host).unwrap_or("not a host");
    let is_here = is_this_machine(host);
    match is_here {
        true => next.run(request).await,
        false => Problem::new(StatusCode::FORBIDDEN, "other-host", "ask 127.0.0.1").into_response(),
    }
}

/// Whether a host, with a port or without, is a loopback address or `localhost`. A name that only begins like an
/// address is somebody's.
fn is_this_machine(host: &str) -> bool {
    let name = host.parse::<SocketAddr>().map(|addr| addr.ip());
    let name = name.or_else(|_| host.trim_matches(['[', ']']).parse::<IpAddr>());
    let is_localhost = host == "localhost" || host.starts_with("localhost:");
    host.is_empty() || is_localhost || name.is_ok_and(|addr| addr.is_loopback())
}

/// What went wrong, for programs.
#[derive(Debug, Serialize)]
struct Problem {
    #[serde(skip)]
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

impl From<Stopped> for Problem {
    fn from(stopped: Stopped) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", stopped.to_string())
    }
}

async fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown-path", "see `docs/OPERATIONS.md` for the paths")
}

/// Whether the node's thread answers.
async fn livez(State(desk): State<Desk>) -> (StatusCode, &'static str) {
    match timeout(LIVE_WITHIN, desk.node.overview()).await {
        Ok(Ok(_)) => (StatusCode::OK, "live\n"),
        Ok(Err(Stopped)) => (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the node does not answer\n"),
    }
}

/// Whether the node takes clients in.
async fn readyz(State(desk): State<Desk>) -> Result<(StatusCode, String), Problem> {
    let state = desk.node.overview().await?.state;
    Ok(match state.as_str() {
        "serving" => (StatusCode::OK, "ready\n".into()),
        other => (StatusCode::SERVICE_UNAVAILABLE, format!("{other}\n")),
    })
}

async fn scrape(State(desk): State<Desk>) -> Result<Response, Problem> {
    let (overview, peers) = (desk.node.overview().await?, desk.node.peer_views().await?);
    let text = metrics::text(&overview, &peers, &desk.reloads);
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

async fn status(State(desk): State<Desk>) -> Result<Response, Problem> {
    Ok(Json(desk.node.overview().await?).into_response())
}

async fn peers(State(desk): State<Desk>) -> Result<Response, Problem> {
    Ok(Json(desk.node.peer_views().await?).into_response())
}

async fn clients(State(desk): State<Desk>) -> Result<Response, Problem> {
    Ok(Json(desk.node.client_views().await?).into_response())
}

async fn topology(State(desk): State<Desk>) -> Result<Response, Problem> {
    Ok(Json(desk.node.node_views().await?).into_response())
}

/// Which topics.
#[derive(Debug, Deserialize)]
struct Topics {
    #[serde(default)]
    beginning: String,
    #[serde(default = "topics_default")]
    limit: usize,
}

fn topics_default() -> usize {
    1_000
}

/// Some topics, and how many there are.
#[derive(Debug, Serialize)]
struct Found {
    total: usize,
    topics: Vec<TopicView>,
}

async fn topics(
    State(desk): State<Desk>,
    Query(Topics { beginning, limit }): Query<Topics>,
) -> Result<Response, Problem> {
    let (topics, total) = desk.node.topic_views(&beginning, limit).await?;
    Ok(Json(Found { total, topics }).into_response())
}

/// Which topic.
#[derive(Debug, Deserialize)]
struct Which {
    topic: String,
}

async fn who(
    State(desk): State<Desk>,
    Query(Which { topic }): Query<Which>,
) -> Result<Response, Problem> {
    Ok(Json(desk.node.subscriber_views(read_topic(&topic)?).await?).into_response())
}

fn read_topic(topic: &str) -> Result<Topic, Problem> {
    let wrong = |error: TopicError| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid-topic", error.to_string())
    };
    topic.parse::<Topic>().map_err(wrong)
}

/// Which topic, and who would publish to it.
#[derive(Debug, Deserialize)]
struct Ahead {
    topic: String,
    client: Option<String>,
}

async fn reach(
    State(desk): State<Desk>,
    Query(Ahead { topic, client }): Query<Ahead>,
) -> Result<Response, Problem> {
    let topic = read_topic(&topic)?;
    let whom = client.map(|name| name.parse::<Name>()).transpose().map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid-name", error.to_string())
    })?;
    let reach = desk.node.reach_view(topic, whom).await?;
    // The same for a topic that nobody knows.
    let refused = || {
        let message = "the rules of the node permit no such publish";
        Problem::new(StatusCode::FORBIDDEN, "not-permitted", message)
    };
    Ok(Json(reach.ok_or_else(refused)?).into_response())
}

/// Which message.
#[derive(Debug, Deserialize)]
struct Traced {
    id: String,
}

async fn trace(
    State(desk): State<Desk>,
    Query(Traced { id }): Query<Traced>,
) -> Result<Response, Problem> {
    let id = id
        .parse::<MsgId>()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid-id", error.to_string()))?;
    info!(%id, "traced by the operator");
    Ok(Json(desk.node.trace_view(id).await?).into_response())
}

async fn reload(State(desk): State<Desk>) -> Result<Response, Problem> {
    let stopping = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node stops");
    let (done, answer) = oneshot::channel();
    desk.orders.send(Order::Reload(done)).await.map_err(|_| stopping(()))?;
    match answer.await.map_err(|_| stopping(()))? {
        Ok(reloaded) => Ok(Json(reloaded).into_response()),
        Err(why) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-reloaded", why)),
    }
}

async fn drain(State(desk): State<Desk>) -> Result<StatusCode, Problem> {
    let stopping = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node stops");
    desk.orders.send(Order::Drain).await.map_err(|_| stopping(()))?;
    Ok(StatusCode::ACCEPTED)
}

/// Whom to kick.
#[derive(Debug, Deserialize)]
struct Whom {
    whom: String,
}

/// How many were kicked.
#[derive(Debug, Serialize)]
struct Kicked {
    links: usize,
}

async fn kick(
    State(desk): State<Desk>,
    Query(Whom { whom }): Query<Whom>,
) -> Result<Response, Problem> {
    let links = desk.node.kick(&whom).await?;
    if links == 0 {
        let message = format!("nobody here has the name or instance {whom:?}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown-party", message));
    }
    info!(whom, links, "kicked by the operator");
    Ok(Json(Kicked { links }).into_response())
}

/// What to log.
#[derive(Debug, Deserialize)]
struct Filter {
    filter: String,
}

async fn log_level(
    State(desk): State<Desk>,
    Query(Filter { filter }): Query<Filter>,
) -> Result<StatusCode, Problem> {
    (desk.set_log_level)(&filter)
        .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, "invalid-filter", why))?;
    info!(filter, "logging by another filter");
    Ok(StatusCode::NO_CONTENT)
}

/// A node whose thread is busy for so long is stuck.
const LIVE_WITHIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_only_begins_like_this_machine_is_another() {
        for host in ["", "localhost", "localhost:9", "127.0.0.1", "127.1.2.3:9", "[::1]", "[::1]:9"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "127.example.com",
            "127.0.0.1.example.com:9",
            "localhost.example.com",
            "10.0.0.1:9",
            "[::2]",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
