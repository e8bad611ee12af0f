#!/bin/sh
# Runs the tests and ends with the line `N passed, N failed, N skipped`, taken from the runner's own report.
# `full` adds what takes long: soaks, every MLflow version, benches.
set -u
cd "$(dirname "$0")/.." || exit 1
if [ "${1:-}" = full ]; then TRACK_TEST_FULL=1; export TRACK_TEST_FULL; fi
report=test-results/report.json
rm -rf test-results
npm run --silent check && npm run --silent lint && npm run --silent build || exit 1
vitest run --reporter=default --reporter=json --outputFile.json="$report"
code=$?
if [ "${1:-}" = full ]; then node test/bench/main.ts || code=1; fi
node test/summary.ts "$report" || code=1
exit $code
