import { closeSync, openSync, readSync } from "node:fs";

/** `bytes` random bytes as lower-case hex. From the kernel's device: loading node:crypto costs 4 ms, which the command would wait for. */
export function randomHex(bytes: number): string {
  const buffer = Buffer.alloc(bytes);
  const fd = openSync("/dev/urandom", "r");
  try {
    readSync(fd, buffer, 0, bytes, null);
  } finally {
    closeSync(fd);
  }
  return buffer.toString("hex");
}

/** A run id in MLflow's form: 32 lower-case hex digits of a version 4 UUID. */
export function newRunId(): string {
  const hex = randomHex(16);
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 12)}4${hex.slice(13, 16)}${variant}${hex.slice(17)}`;
}
