//! Attachments, on the local disk and on S3, beside nginx with the same bytes on the same disk: uploads and downloads, their
//! memory, what thumbnails cost other requests, what a download ticket costs, and how fast files move to S3.

mod memory;
mod moving;
mod s3;
mod thumbnails;
mod tickets;
mod transfer;

use test_servers::nginx::PrivateNginx;

use self::s3::S3;
use self::transfer::{Service, TransferTarget, WebServer, download, upload};
use super::BenchRun;
use super::chat::{Chat, Database};
use super::figures::Figures;

/// The sizes and numbers of the files, and how many connections carry them.
const LOADS: [TransferLoad; 2] = [
    TransferLoad { name: "25 MB, one after the other", bytes: 25_000_000, files: 4, connections: 1 },
    TransferLoad { name: "100 × 20 KB, 8 at a time", bytes: 20_000, files: 100, connections: 8 },
];

/// Files to transfer.
#[derive(Clone, Copy)]
struct TransferLoad {
    name: &'static str,
    bytes: usize,
    files: usize,
    connections: usize,
}

/// Where a service keeps its files.
#[derive(Clone, Copy)]
enum Place<'a> {
    Disk,
    S3(&'a S3),
}

impl Place<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::S3(_) => "S3",
        }
    }

    /// Starts a service that keeps its files here.
    fn start(self, run: &BenchRun, name: &str) -> anyhow::Result<Chat> {
        let settings = match self {
            Self::Disk => Vec::new(),
            Self::S3(s3) => s3.settings(name),
        };
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        let data = run.path(&format!("files-{name}-{}", self.name()));
        Chat::start_with(Database::Sqlite, &data, &[], &settings)
    }
}

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let s3 = S3::start()?;
    transfers(run, &s3, &mut figures)?;
    for place in [Place::Disk, Place::S3(&s3)] {
        memory::measure(run, place, &mut figures)?;
    }
    tickets::measure(run, &mut figures)?;
    thumbnails::measure(run, &mut figures)?;
    moving::measure(run, &s3, &mut figures)?;
    Ok(figures)
}

fn transfers(run: &BenchRun, s3: &S3, figures: &mut Figures) -> anyhow::Result<()> {
    let root = run.path("nginx");
    std::fs::create_dir(&root)?;
    let shown = root.display();
    let nginx = PrivateNginx::start(|site| {
        let port = site.port;
        format!(
            "server {{\n listen 127.0.0.1:{port};\n root {shown};\n sendfile on;\n client_max_body_size 64m;\n \
             location / {{ dav_methods PUT; create_full_put_path on; }}\n}}\n"
        )
    })?;
    let on_disk = Place::Disk.start(run, "transfers")?;
    let on_s3 = Place::S3(s3).start(run, "transfers")?;
    let targets: [(&str, Box<dyn TransferTarget>); 3] = [
        ("nginx", Box::new(WebServer::at(nginx.port()))),
        ("chat-server on disk", Box::new(Service::of(&on_disk)?)),
        ("chat-server on S3", Box::new(Service::of(&on_s3)?)),
    ];
    for _ in run.rounds("uploads and downloads") {
        for load in LOADS {
            for (name, target) in &targets {
                let (paths, up) = upload(&**target, load)?;
                figures.record(of(name, "upload", load), "MB/s", up);
                figures.record(of(name, "download", load), "MB/s", download(&**target, load, &paths)?);
            }
        }
    }
    for load in LOADS {
        for way in ["upload", "download"] {
            for (name, _) in targets.iter().skip(1) {
                figures.ratio(&of(name, way, load), &of("nginx", way, load), None)?;
            }
        }
    }
    Ok(())
}

fn of(target: &str, way: &str, load: TransferLoad) -> String {
    format!("{way} of {}, {target}", load.name)
}
