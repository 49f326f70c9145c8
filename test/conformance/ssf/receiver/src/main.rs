//! A receiver of security events: all that it does is done by easyssf, over hyper. `ssf-receiver CONFIG` reads
//! easyssf's own settings (the table `easyssf.receiver`, as JSON) and writes a line of JSON for each event that
//! it took: which it is in easyssf's reading, and the claims. `verify` on the standard input asks for a
//! verification event, and the end of that input ends the receiver.

mod plain_http;

use easyssf_core::caep::SsfCaepEvent;
use easyssf_receiver::config::SsfReceiverConfig;
use easyssf_receiver::event::SsfEventContext;
use easyssf_receiver::{BoxError, SsfReceiver};
use easyssf_receiver_axum::push_router_for;
use plain_http::PlainHttp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let path = std::env::args().nth(1).ok_or("usage: ssf-receiver CONFIG")?;
    let config: SsfReceiverConfig = serde_json::from_slice(&std::fs::read(path)?)?;
    let receiver = SsfReceiver::builder(config)
        .http_client(PlainHttp::new())
        .handler(|context: SsfEventContext| async move {
            tell(describe(&context));
            Ok(())
        })
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tell(json!({ "listening": listener.local_addr()?.port() }));
    let pushes = push_router_for(&receiver);
    tokio::spawn(async move { axum::serve(listener, pushes).await });
    receiver.start();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "verify" => tell(json!({ "asked": verify(&receiver).await.map_err(|error| error.to_string()) })),
            _ => return Err(format!("no command: {line}").into()),
        }
    }
    receiver.shutdown().await;
    Ok(())
}

/// The state that the event has to bring back, which easyssf holds it to.
async fn verify(receiver: &SsfReceiver) -> Result<String, BoxError> {
    let transmitter = receiver.transmitters().primary().ok_or("no transmitter")?;
    let client = transmitter.stream_client().ok_or("no client of streams")?;
    let stream = transmitter.receiver_stream().stream_id().ok_or("no stream yet")?;
    Ok(transmitter.stream_verification().request_verification(client, &stream).await?)
}

fn describe(context: &SsfEventContext) -> Value {
    let token = context.event_token();
    let caep: Vec<Value> = SsfCaepEvent::in_token(token)
        .iter()
        .map(|event| json!({ "kind": format!("{:?}", event.kind()), "status": event.current_status() }))
        .collect();
    let subject = context.subject().identifier().and_then(|one| one.value());
    json!({ "caep": caep, "claims": token.claims(), "subject": subject })
}

fn tell(line: Value) {
    println!("{line}");
}
