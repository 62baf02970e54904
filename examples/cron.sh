#!/bin/sh
# A job every night, from cron:   15 2 * * *  /srv/extraction/examples/cron.sh jobs/invoices.toml
# The same command goes on where it stopped and never pays twice, and a second one meanwhile is refused (exit code 2):
# there is nothing to lock, and nothing to clean up.
set -u
cd "$(dirname "$0")/.." || exit 2
pipeline=${PIPELINE:-.venv/bin/pipeline}
job=${1:?which job file?}

tell() { # replace by what wakes somebody: mail -s, a pager's command
    echo "$job: $1"
}

"$pipeline" run "$job" --yes --max-usd "${MAX_USD:-20}" --log-format json 2>>"${LOG:-/var/log/extraction.log}"
code=$?
case $code in
0) ;;
1) tell "done, and more rows failed than it allows: $pipeline report $job" ;;
2) tell "the job or its input is wrong, or it is running already; nothing was sent" ;;
3) tell "the budget is used up: raise it, and the same command goes on" ;;
4) tell "parked by the provider or a full disk: tomorrow's run goes on, or run it by hand" ;;
5) tell "batches are at the provider: the same command collects them" ;;
130) tell "was stopped: the same command goes on" ;;
*) tell "ended with $code" ;;
esac
exit "$code"
