//! Starts an emulator on a folder, puts an object in, and lists what is there.

use gcs_emulator::{Emulator, Options};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let emulator = Emulator::start(Options::new(folder.path())).await?;
    emulator.create_bucket("example")?;
    let url = emulator.url();

    let client = reqwest::Client::new();
    let upload = format!("{url}/upload/storage/v1/b/example/o?name=greetings/hello.txt");
    let request = client.post(upload).body("hello");
    request.send().await?.error_for_status()?;

    let list = format!("{url}/storage/v1/b/example/o?prefix=greetings/");
    let list: serde_json::Value = client.get(list).send().await?.json().await?;
    let first = &list["items"][0];
    assert_eq!(first["name"], "greetings/hello.txt");
    assert_eq!(first["size"], "5");

    emulator.stop().await;
    Ok(())
}
