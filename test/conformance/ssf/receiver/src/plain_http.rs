//! How easyssf reaches the service: hyper's client, over HTTP without TLS.

use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::Request;
use easyssf_receiver::BoxError;
use easyssf_receiver::http::{SsfHttpClient, SsfHttpRequest, SsfHttpResponse};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

/// As easyssf's own client has it, where a request says nothing else.
const TIMEOUT: Duration = Duration::from_secs(5);

pub struct PlainHttp(Client<HttpConnector, Full<Bytes>>);

impl PlainHttp {
    pub fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    async fn send(&self, request: SsfHttpRequest) -> Result<SsfHttpResponse, BoxError> {
        let mut built = Request::builder().method(request.method.as_str()).uri(request.url.as_str());
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        let body = Full::from(request.body.unwrap_or_default());
        let response = self.0.request(built.body(body)?).await?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| Ok((name.to_string(), value.to_str()?.to_owned())))
            .collect::<Result<_, BoxError>>()?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok(SsfHttpResponse { status, headers, body: String::from_utf8(body.to_vec())? })
    }
}

#[async_trait]
impl SsfHttpClient for PlainHttp {
    async fn execute(&self, request: SsfHttpRequest) -> Result<SsfHttpResponse, BoxError> {
        let timeout = request.timeout.unwrap_or(TIMEOUT);
        tokio::time::timeout(timeout, self.send(request)).await?
    }
}
