//! A network between a client and the server: a TCP proxy whose connections can go silent, as those of a phone that has left
//! the house. Silent ones stay open and carry nothing any more, in either direction; later ones are not affected.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    Works,
    /// New connections are accepted, and carry nothing either.
    IsSilent,
}

pub(super) struct Proxy {
    pub(super) addr: SocketAddr,
    network: watch::Sender<Network>,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts one in front of the server at `base`.
    pub(super) async fn start(base: &str) -> Self {
        let server: SocketAddr = base.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let network = watch::Sender::new(Network::Works);
        let accepted = Arc::new(AtomicUsize::new(0));
        let (state, count) = (network.clone(), Arc::clone(&accepted));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(client, server, state.subscribe()));
            }
        });
        Self { addr, network, accepted }
    }

    /// Every connection goes silent, and new ones are silent from the start.
    pub(super) fn fall_silent(&self) {
        self.network.send_replace(Network::IsSilent);
    }

    /// New connections work. Those that went silent stay so.
    pub(super) fn recover(&self) {
        self.network.send_replace(Network::Works);
    }

    /// How many connections there have been.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, mut network: watch::Receiver<Network>) {
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    tokio::select! {
        biased;
        gone = network.wait_for(|network| *network == Network::IsSilent) => {
            if gone.is_err() {
                return;
            }
        }
        _ = copy_bidirectional(&mut client, &mut upstream) => return,
    }
    // Both ends are held open, until the proxy itself goes.
    while network.changed().await.is_ok() {}
    drop((client, upstream));
}
