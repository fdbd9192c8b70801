//! Builds the environment of a Flink version and prints where it lies: `build_environment FLINK PYTHON FOLDER [REQUIREMENT…]`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::PathBuf;
use std::sync::Arc;

use flinkproc_env::{
    AutoBuilder, EnvironmentRequest, LocalBuilder, MemoryBuilder, UvBuilder, provide,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(flink), Some(python), Some(folder)) = (words.next(), words.next(), words.next())
    else {
        return on_a_double().await;
    };
    #[expect(clippy::disallowed_methods, reason = "a program reads its environment")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let search: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let folder = PathBuf::from(folder);
    let builder = AutoBuilder::new(vec![
        Arc::new(LocalBuilder::new(search.clone())),
        Arc::new(UvBuilder::new(search, folder.join("interpreters"))),
    ]);
    let request = EnvironmentRequest {
        python: python.parse()?,
        flink: flink.parse()?,
        platform: format!("{}-linux-gnu", std::env::consts::ARCH),
        requirements: words.collect::<Vec<_>>().join("\n"),
        lock: None,
        index_url: None,
    };
    let start = std::time::Instant::now();
    let made = provide(&builder, &folder, &request).await?;
    println!(
        "{:#?}\nbuilt: {}, {:?}",
        made.archive,
        made.built,
        start.elapsed()
    );
    Ok(())
}

/// Without arguments: the same on the double, which builds in no time.
async fn on_a_double() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("flinkproc-env-{}", std::process::id()));
    let request = EnvironmentRequest {
        python: "3.10".parse()?,
        flink: "1.17.0".parse()?,
        platform: "x86_64-linux-gnu".to_owned(),
        requirements: "scipy==1.11.4".to_owned(),
        lock: None,
        index_url: None,
    };
    let made = provide(&MemoryBuilder::default(), &folder, &request).await?;
    println!("{}", made.lock.text);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
