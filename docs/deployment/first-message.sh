#!/bin/sh
# first-message.sh URL TOKEN [AUTHORITY]: opens a session at the service, sends a message, and reads it back. AUTHORITY
# is a file with the certificate to trust, where it is none of a public authority. It needs curl.
set -eu

url=$1
token=$2
authority=${3:-}

# call METHOD PATH [BODY]: makes a request, and fails unless the response is a success.
call() {
    curl --silent --show-error --fail-with-body ${authority:+--cacert "$authority"} --request "$1" "$url$2" \
        --header "Authorization: Bearer $token" --header 'Content-Type: application/json' ${3:+--data "$3"}
}

session=$(call POST /api/chat/sessions '{"subject":"The first one"}' | sed 's/^{"id":"\([^"]*\)".*/\1/')
call POST "/api/chat/sessions/$session/messages" '{"content":"Hello"}' >/dev/null
page=$(call GET "/api/chat/sessions/$session/messages")
case $page in
    *'"content":"Hello"'*) echo "The first message is in session $session." ;;
    *)
        echo "first-message.sh: the message is not in $page" >&2
        exit 1
        ;;
esac
