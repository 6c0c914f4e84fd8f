//! What the model is, and what a request may be.

use super::tei::info_server::Info;
use super::tei::{InfoRequest, InfoResponse, ModelType};
use crate::app::App;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service.
pub struct Service(pub Arc<App>);

#[tonic::async_trait]
impl Info for Service {
    async fn info(&self, _: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let app = &self.0;
        let (facts, limits) = (app.facts(), app.options.limits);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Response::new(InfoResponse {
            version: facts.version.clone(),
            sha: None,
            docker_label: None,
            model_id: app.name().to_owned(),
            model_sha: Some(facts.fingerprint.clone()),
            model_dtype: facts.format.clone(),
            model_type: ModelType::Embedding.into(),
            max_concurrent_requests: number(limits.connections),
            max_input_length: number(facts.n_ctx),
            max_batch_tokens: number(app.most_pass_tokens()),
            max_batch_requests: None,
            max_client_batch_size: number(limits.batch),
            tokenization_workers: number(facts.threads),
        }))
    }
}
