//! The health service, which says what `/health` says. tonic-health's own must be told of every change; this one looks
//! when it is asked.

use super::stream::Answers;
use crate::app::{App, Stage};
use crate::routes::operations::unready;
use futures_util::stream::unfold;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// The services that there are; the first stands for all of them.
const SERVICES: [&str; 4] = ["", "tei.v1.Info", "tei.v1.Embed", "tei.v1.Tokenize"];
/// How often the status is checked for a watcher.
const PERIOD: Duration = Duration::from_secs(1);

/// The service.
pub struct Service(pub Arc<App>);

#[tonic::async_trait]
impl Health for Service {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match SERVICES.contains(&request.get_ref().service.as_str()) {
            true => Ok(Response::new(answer(status(&self.0)))),
            false => Err(Status::not_found("there is no such service")),
        }
    }

    type WatchStream = Answers<HealthCheckResponse>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let is_known = SERVICES.contains(&request.get_ref().service.as_str());
        let app = self.0.clone();
        let told = unfold(None, move |before| {
            let app = app.clone();
            async move {
                loop {
                    let now = if is_known { status(&app) } else { ServingStatus::ServiceUnknown };
                    if before != Some(now) {
                        return Some((Ok(answer(now)), Some(now)));
                    }
                    tokio::select! {
                        () = tokio::time::sleep(PERIOD) => {}
                        () = app.reaches(Stage::Closing), if now == ServingStatus::Serving => {}
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(told)))
    }
}

fn status(app: &App) -> ServingStatus {
    match unready(app) {
        None => ServingStatus::Serving,
        Some(_) => ServingStatus::NotServing,
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
