//! The SDK's requests on our own way out, so that AWS and GitHub are reached alike.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, Request};

use crate::net::{Exchange, Http, Trouble};
use stategate_core::network::Network;

/// The client for every service, credentials included.
#[derive(Debug, Clone)]
pub(super) struct AwsHttp(Http<SdkBody>);

impl AwsHttp {
    pub(super) fn new(network: &Network, connect: Duration) -> AwsHttp {
        AwsHttp(Http::new(network, connect))
    }
}

impl HttpClient for AwsHttp {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let limit = match (settings.connect_timeout(), settings.read_timeout()) {
            (Some(connect), Some(read)) => Some(connect + read),
            // The limit of the whole attempt then holds.
            _ => None,
        };
        SharedHttpConnector::new(Limited { http: self.0.clone(), limit })
    }
}

/// With the time that one service has to answer: a machine's own metadata service is near or not
/// there at all.
#[derive(Debug)]
struct Limited {
    http: Http<SdkBody>,
    limit: Option<Duration>,
}

impl HttpConnector for Limited {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (http, limit) = (self.http.clone(), self.limit.unwrap_or(Duration::MAX));
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            match tokio::time::timeout(limit, send(&http, request)).await {
                Ok(answered) => answered,
                Err(late) => Err(ConnectorError::timeout(late.into())),
            }
        })
    }
}

async fn send(http: &Http<SdkBody>, request: Request<SdkBody>) -> Result<HttpResponse, ConnectorError> {
    let exchange = Exchange::begin(request.method().as_str(), request.uri(), attempt(request.headers()));
    let sent = http.send(request).await;
    exchange.end(sent.as_ref().map(|response| response.status().as_u16()));
    let response = sent.map_err(|trouble| match trouble {
        Trouble::Slow { .. } => ConnectorError::timeout(trouble.into()),
        Trouble::Connection(_) | Trouble::Unreached { .. } | Trouble::Proxy { .. } => {
            ConnectorError::io(trouble.into())
        }
        Trouble::Setup(_) | Trouble::Certificate { .. } => ConnectorError::other(trouble.into(), None),
    })?;
    HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
        .map_err(|error| ConnectorError::other(error.into(), None))
}

/// The SDK's own count: `attempt=2; max=5`.
fn attempt(headers: &HeaderMap) -> u32 {
    let header = headers.get("amz-sdk-request").and_then(|value| value.to_str().ok());
    let count = header.and_then(|text| text.split(';').find_map(|part| part.trim().strip_prefix("attempt=")));
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}
