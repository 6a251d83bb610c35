#!/usr/bin/env bash
# Lists your jobs and follows them over server-sent events; loses and repeats nothing when the connection is cut.
#
#   PLATFORM_USERNAME=maya PLATFORM_PASSWORD=... curl/watch.sh
#
# Prints the list, then an event per line, as JSON. The tokens are kept in a file, so the next start needs no password.
# Requires curl and jq.
set -euo pipefail
url=${PLATFORM_URL:-http://localhost:8080/graphql}
tokens=${PLATFORM_TOKENS:-$HOME/.platform-tokens.json}

log_in='mutation($input: LoginInput!) { tokens: login(input: $input) { accessToken refreshToken } }'
refresh='mutation($input: RefreshSessionInput!) { tokens: refreshSession(input: $input) { accessToken refreshToken } }'
list='{ eventCursor jobs(first: 100, filter: {mine: true}, orderBy: {field: SUBMITTED_AT, direction: DESC}) { nodes { id name phase } } }'
# Last-Event-ID says where to resume, so there is no need for a variable.
watch='subscription { jobEvents(filter: {mine: true}) { cursor job { id name phase } } }'

# send QUERY VARIABLES [OPTION...]: the response. Neither tokens nor passwords are arguments of curl, which others can read.
send() {
  jq -nc --arg query "$1" --argjson variables "$2" '{$query, $variables}' |
    curl -sS --connect-timeout 10 "$url" -H 'content-type: application/json' --data-binary @- "${@:3}"
}

authorized() {
  send "$1" '{}' --config <(jq -r '"header = \"authorization: Bearer \(.accessToken)\""' "$tokens") "${@:2}"
}

# keep RESPONSE: stores the tokens of a response, or ends with its error.
keep() {
  if ! jq -e .data.tokens <<<"$1" >/dev/null; then
    jq -r '.errors[0].message' <<<"$1" >&2
    rm -f "$tokens"
    exit 1
  fi
  (umask 077 && jq -c .data.tokens <<<"$1" >"$tokens")
}

# Without a token: an expired one must not get in the way.
renew() {
  local response
  response=$(send "$refresh" "$(jq -c '{input: {refreshToken}}' "$tokens")") && keep "$response"
}

code() { jq -r '[.errors[]?.extensions.code][0] // "OK"' <<<"$1"; }

# Prints the list and sets `cursor` to where its events begin; fails if there is no response.
cursor=
begin() {
  local response
  response=$(authorized "$list") || return 1
  case $(code "$response") in
    OK)
      cursor=$(jq -r .data.eventCursor <<<"$response")
      jq -c .data <<<"$response"
      ;;
    UNAUTHENTICATED) renew && begin ;;
    *) jq -r '.errors[0].message' <<<"$response" >&2 && exit 1 ;;
  esac
}

# Prints the events after `cursor` and moves it on, until the stream ends. The server sends something at least every 15 s,
# so a stream that is silent for 45 s is dead.
follow() {
  local id='' data='' line
  # The last line of a rejection has no end.
  while IFS= read -r -t 45 line || [ -n "$line" ]; do
    case $line in
      'id: '*) id=${line#id: } ;;
      'data: '*) data=${line#data: } ;;
      # A rejected request is not a stream. The response may have been cut off.
      '{'*) if jq -e . <<<"$line" >/dev/null 2>&1; then on_event "$line"; fi ;;
      # An event is complete with the empty line; one that is cut off before has not happened.
      '')
        if [ -n "$data" ]; then on_event "$data"; fi
        if [ -n "$id" ] && [ -n "$cursor" ]; then cursor=$id; fi
        id='' data=''
        ;;
    esac
  done < <(authorized "$watch" -N -H 'accept: text/event-stream' -H "last-event-id: $cursor")
  kill $! 2>/dev/null || true
}

on_event() {
  case $(code "$1") in
    OK) jq -c .data.jobEvents <<<"$1" ;;
    UNAUTHENTICATED) renew ;;
    # The event log does not reach back that far any more: list again.
    RESUME_EXPIRED) cursor= ;;
    *)
      if jq -e 'all(.errors[]; .extensions.retryable)' <<<"$1" >/dev/null; then return; fi
      jq -r '.errors[0].message' <<<"$1" >&2
      exit 1
      ;;
  esac
}

if [ ! -s "$tokens" ]; then
  account=$(jq -nc '{input: {username: env.PLATFORM_USERNAME, password: env.PLATFORM_PASSWORD}}')
  keep "$(send "$log_in" "$account")"
fi
while true; do
  if [ -n "$cursor" ] || begin; then follow || true; fi
  sleep 0.5
done
