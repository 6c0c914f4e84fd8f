//! What arrives of a request: counted, and in bounded time.

use super::Kind;
use super::tally::Tally;
use crate::app::App;
use crate::body::Held;
use crate::failure::Failure;
use axum::body::Bytes;
use axum::extract::Request;
use futures_util::stream::unfold;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::Status;

/// A request's body.
pub type Arriving = UnsyncBoxBody<Bytes, Status>;

/// What arrived of a request and was not taken yet.
#[derive(Clone)]
pub struct Share {
    app: Arc<App>,
    held: Arc<Mutex<Held>>,
}

/// What a handler needs beside the message.
#[derive(Clone)]
pub struct Call {
    pub app: Arc<App>,
    pub tally: Tally,
    share: Share,
}

impl Share {
    fn new(app: &Arc<App>) -> Share {
        Share { app: app.clone(), held: Arc::new(Mutex::new(Held::nothing(app))) }
    }

    fn grow(&self, bytes: usize) -> Result<(), Failure> {
        let most = self.app.options.limits.bodies;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).grow(bytes, most)
    }

    /// Whether part of a message has arrived.
    fn holds(&self) -> bool {
        !self.held.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The share of what arrived since the last time.
    pub fn take(&self) -> Held {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut held, Held::nothing(&self.app))
    }
}

impl Call {
    /// What belongs to a request for work, which is refused when the server shuts down.
    pub fn of<T>(app: &Arc<App>, request: &tonic::Request<T>) -> Result<Call, Failure> {
        if app.is_draining() {
            return Err(Failure::Draining);
        }
        let extensions = request.extensions();
        Ok(Call {
            app: app.clone(),
            tally: extensions.get::<Tally>().cloned().unwrap_or_default(),
            share: extensions.get::<Share>().cloned().unwrap_or_else(|| Share::new(app)),
        })
    }

    /// The share of a message that has arrived.
    pub fn take(&self) -> Held {
        self.share.take()
    }
}

/// The request, with its body counted.
pub fn arriving(request: Request, app: &Arc<App>, kind: Kind) -> axum::http::Request<Arriving> {
    let (mut parts, body) = request.into_parts();
    // Open services are not counted: clients without a key could otherwise use up the room of those with one.
    let share = (kind != Kind::Open).then(|| Share::new(app));
    if let Some(share) = &share {
        parts.extensions.insert(share.clone());
    }
    let within = app.options.limits.body_time;
    // The messages of a stream come when the client likes, but one that has begun must not hold its room for ever.
    let until = (kind != Kind::Stream).then(|| Instant::now() + within);
    let frames = unfold(Some(body), move |body| {
        let share = share.clone();
        async move {
            let mut body = body?;
            let frame = match until {
                Some(until) => timeout_at(until, body.frame()).await,
                None if share.as_ref().is_some_and(Share::holds) => {
                    timeout(within, body.frame()).await
                }
                None => Ok(body.frame().await),
            };
            let counted = match frame {
                Ok(Some(Ok(frame))) => {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    share.map_or(Ok(()), |share| share.grow(bytes)).map(|()| frame)
                }
                Ok(Some(Err(_))) => Err(Failure::Invalid {
                    field: None,
                    reason: "the message ended early or is malformed".to_owned(),
                }),
                Ok(None) => return None,
                Err(_) => Err(Failure::SlowBody(within)),
            };
            let left = counted.is_ok().then_some(body);
            Some((counted.map_err(Status::from), left))
        }
    });
    axum::http::Request::from_parts(parts, StreamBody::new(frames).boxed_unsync())
}
