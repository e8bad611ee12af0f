const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;

/** `12 s ago`, `5 min ago`, `3 h ago`, `2 d ago`; the date from 30 days on. */
export function formatRelativeTime(time: number, now: number): string {
  const age = now - time;
  if (age < 0 || age >= 30 * dayMs) return formatLocalTime(time).slice(0, 10);
  if (age < minuteMs) return `${Math.floor(age / 1000)} s ago`;
  if (age < hourMs) return `${Math.floor(age / minuteMs)} min ago`;
  if (age < dayMs) return `${Math.floor(age / hourMs)} h ago`;
  return `${Math.floor(age / dayMs)} d ago`;
}

/** ISO 8601 in UTC with milliseconds; empty for a time that no calendar has. */
export function formatIsoTime(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** `2025-11-24 22:05:09` where the reader sits. */
export function formatLocalTime(time: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `0.4 s`, `12.4 s`, `3m20s`, `1h02m`, `2d03h`. */
export function formatDuration(ms: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  // 59.96 s would be shown as 60.0 s.
  if (ms < minuteMs - 50) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${two((seconds % 86_400) / 3600)}h`;
}
