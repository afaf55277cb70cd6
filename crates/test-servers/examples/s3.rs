//! An S3 server that runs until it is killed: prints the variables of a client and the bucket's name, a line each, and an
//! empty line.

#![expect(clippy::print_stdout, reason = "it prints how to reach it")]

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::thread;

use test_servers::s3::S3Server;

fn main() -> Result<Infallible, Box<dyn Error>> {
    let server = S3Server::start()?;
    for (name, value) in server.variables() {
        println!("{name}={value}");
    }
    println!("bucket={}\n", server.bucket());
    std::io::stdout().flush()?;
    loop {
        thread::park();
    }
}
