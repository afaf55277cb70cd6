#!/bin/sh
# make-secrets.sh [HOST]: makes the files in `secrets/` that compose.yml reads: random passwords, the key of tokens, and
# a certificate of HOST (localhost) that browsers do not trust, to be replaced by one of a public authority. Existing
# files stay as they are. It needs openssl.
set -eu
cd "$(dirname "$0")"

host=${1:-localhost}
# The directory is closed to other users of the machine. The files are not, since the accounts in the containers read
# them: Compose mounts them as they are.
umask 077
mkdir -p secrets
cd secrets
umask 022

# write NAME CONTENT: writes a file unless it exists.
write() {
    [ -e "$1" ] || printf '%s\n' "$2" >"$1"
}

write jwt-secret "$(openssl rand -hex 32)"
write postgres-password "$(openssl rand -hex 24)"
write redis-password "$(openssl rand -hex 24)"
# The network between the containers does not leave the machine, so it needs no TLS.
write database-url "postgres://chat:$(cat postgres-password)@postgres:5432/chat?sslmode=disable"
write redis-url "redis://chat:$(cat redis-password)@redis:6379"
# The channels begin with CHAT_REDIS_PREFIX, which is `chat` unless it is set.
write redis-users "user default off
user chat on >$(cat redis-password) resetchannels &chat:* resetkeys -@all +@connection +@pubsub -@dangerous"

if [ ! -e tls-certificate ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 \
        -subj "/CN=$host" -addext "subjectAltName=DNS:$host" -keyout tls-key -out tls-certificate 2>/dev/null
    chmod 0644 tls-key
fi
