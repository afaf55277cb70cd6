#!/bin/sh
# collect.sh PROGRAM TREE: makes the directory TREE, which is the whole content of the image: the program, the shared
# libraries that it is linked with, certificates of authorities, and the few files that these read. Run it as root.
set -eu

program=$1
tree=$2
# The account of the node, as in the Dockerfile.
id=65532

if [ -e "$tree" ]; then
    echo "collect.sh: $tree exists; name a directory that does not" >&2
    exit 1
fi

install -D -m 0755 "$program" "$tree/usr/local/bin/chat-server"

# The loader and the libraries, by the paths where the loader looks for them.
libraries=$(ldd "$program")
case $libraries in
    *'not found'*)
        echo "collect.sh: a library of $program is missing on this machine: $libraries" >&2
        exit 1
        ;;
esac
for library in $(echo "$libraries" | grep -o '/[^ ]*'); do
    install -D -m 0755 "$(readlink -f "$library")" "$tree$library"
done

# Authorities, for TLS to PostgreSQL, Redis and identity providers.
install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"

# Names of hosts come from /etc/hosts, which the container engine writes, and from DNS.
echo 'hosts: files dns' >"$tree/etc/nsswitch.conf"
cat >"$tree/etc/passwd" <<END
root:x:0:0:root:/:/nonexistent
chat:x:$id:$id:chat-server:/var/lib/chat:/nonexistent
END
cat >"$tree/etc/group" <<END
root:x:0:
chat:x:$id:
END

install -d -m 1777 "$tree/tmp"
# A volume that is mounted here for the first time takes over the owner.
install -d -m 0750 -o "$id" -g "$id" "$tree/var/lib/chat" "$tree/var/lib/chat/attachments"

du -sb "$tree" | awk '{ printf "collect.sh: %.1f MB\n", $1 / 1000000 }'
