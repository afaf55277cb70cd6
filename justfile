# Short names for the project's commands; `just` lists them. Each is one line, so they work without just too.

# List the recipes.
default:
    @just --list

# Start the server in development mode, or with the given command and options.
run *args:
    cargo run --release -- {{ args }}

# Run every test, on a PostgreSQL of its own: `just test`, `just test -p chat-http -- close_session`, `just test --long`.
test *args:
    cargo xtask test {{ args }}

# Check formatting, lints and the documentation's links; warnings are errors.
lint:
    cargo xtask lint

# Check licences, sources and vulnerabilities of the dependencies: the rules of deny.toml.
deny:
    cargo xtask deny

# Format the code.
fmt:
    cargo fmt --all

# Write the documents in docs/reference from the code, or check them: `just docs --check`.
docs *args:
    cargo xtask docs {{ args }}

# Do what continuous integration does.
ci:
    bash .ci/run

# Bring the database's schema up to date (`just migrate`), back (`just migrate down`), or show it (`just migrate status`).
migrate *args="up":
    cargo run --release -- migrate {{ args }}

# Print a token for a person: `just token --sub alice --role user`.
token *args:
    cargo run --release -- token {{ args }}

# Show the configuration that the server would start with, and where each value comes from.
check-config:
    cargo run --release -- check-config

# Measure a release build beside what it is compared with: all, or parts: `just bench --only writes`. See docs/benchmarks.md.
bench *args:
    cargo xtask bench {{ args }}
