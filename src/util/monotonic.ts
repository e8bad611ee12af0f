/** Milliseconds of a clock that never jumps. `performance.now` would load perf_hooks, half a millisecond before the command. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
