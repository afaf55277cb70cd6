//! What a private cluster promises, and a server with TLS.

use std::net::TcpStream;

use test_servers::redis::{PrivateCluster, PrivateRedis};

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn a_cluster_has_all_slots_and_leaves_nothing() {
    let cluster = PrivateCluster::start(3, &[]).unwrap();
    let (slot, owner) = cluster.owner("{chat}:1").unwrap();
    assert!(slot < 16_384);
    for (index, member) in cluster.members().iter().enumerate() {
        let answer = member.command(&["EXISTS", "{chat}:1"]);
        assert_eq!(answer.is_ok(), index == owner, "{answer:?}");
    }
    let ports: Vec<u16> = cluster.members().iter().map(PrivateRedis::port).collect();
    assert_eq!(
        cluster.url_from(4),
        format!("redis://127.0.0.1:{},127.0.0.1:{},127.0.0.1:{}", ports[1], ports[2], ports[0])
    );
    drop(cluster);
    for port in ports {
        for port in [port, port + 10_000] {
            assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        }
    }
}

#[test]
#[ignore = "needs Redis: cargo xtask test"]
fn an_encrypted_server_has_an_authority_of_its_own() {
    let (one, other) = (PrivateRedis::start_encrypted(&[]).unwrap(), PrivateRedis::start_encrypted(&[]).unwrap());
    assert_eq!(one.command(&["PING"]).unwrap(), "PONG");
    assert_eq!(one.url(), format!("rediss://localhost:{}", one.port()));
    let authorities = [&one, &other].map(|server| server.authority().unwrap().unwrap());
    assert_ne!(authorities[0], authorities[1]);
    assert!(String::from_utf8_lossy(&authorities[0]).contains("BEGIN CERTIFICATE"));
    assert_eq!(PrivateRedis::start(&[]).unwrap().authority().unwrap(), None);
}
