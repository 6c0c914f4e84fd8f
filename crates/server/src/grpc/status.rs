//! Failures as gRPC has them.

use crate::failure::Failure;
use std::error::Error;
use std::sync::Arc;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// Tells clients that retry when to do so; less than nothing tells them not to.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

impl From<Failure> for Status {
    fn from(failure: Failure) -> Status {
        let mut status = Status::new(code(&failure), failure.reason());
        let pushback = match &failure {
            Failure::Overloaded { retry } => Some(MetadataValue::from(retry.as_millis() as u64)),
            // The same request would fail in the same way, after the same time.
            Failure::Timeout(_) | Failure::Engine(_) | Failure::NotFinite { .. } => {
                Some(MetadataValue::from(-1))
            }
            _ => None,
        };
        if let Some(pushback) = pushback {
            status.metadata_mut().insert(PUSHBACK, pushback);
        }
        status.set_source(Arc::new(failure));
        status
    }
}

fn code(failure: &Failure) -> Code {
    match failure {
        Failure::NotJson(_)
        | Failure::Invalid { .. }
        | Failure::TokenIds
        | Failure::NoTexts
        | Failure::TooManyTexts { .. }
        | Failure::TooLong { .. } => Code::InvalidArgument,
        Failure::TooLarge(_) | Failure::Overloaded { .. } => Code::ResourceExhausted,
        Failure::SlowBody(_) | Failure::Timeout(_) => Code::DeadlineExceeded,
        Failure::UnsupportedMedia(_)
        | Failure::NoRoute { .. }
        | Failure::Method { .. }
        | Failure::NotOffered(_) => Code::Unimplemented,
        Failure::Key => Code::Unauthenticated,
        Failure::Forbidden(_) => Code::PermissionDenied,
        Failure::UnknownModel(_) => Code::NotFound,
        Failure::Draining | Failure::Broken(_) => Code::Unavailable,
        Failure::Engine(_) | Failure::NotFinite { .. } => Code::Internal,
    }
}

/// A code's name in gRPC's documentation, for metrics and the log.
pub fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The failure behind a status: ours, or what tonic found wrong with a message, by the code that it has for it.
pub fn failure(status: &Status) -> Option<Failure> {
    if let Some(failure) = status.source().and_then(|source| source.downcast_ref::<Failure>()) {
        return Some(failure.clone());
    }
    let reason = status.message().to_owned();
    match status.code() {
        Code::Internal => Some(Failure::Invalid { field: None, reason }),
        Code::OutOfRange => Some(Failure::TooLarge(reason)),
        Code::Unimplemented => Some(Failure::UnsupportedMedia(reason)),
        _ => None,
    }
}
