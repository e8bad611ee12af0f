import { spawn, type ChildProcess } from "node:child_process";

export interface HelperOptions {
  readonly cwd?: string;
  /** The helper's whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the helper when aborted. */
  readonly signal?: AbortSignal;
  /** Ends the helper after so long; ms. */
  readonly timeoutMs?: number;
  /** Keep this much of stdout and end the helper when it says more; default 1 MiB. */
  readonly maxBytes?: number;
  /** Gets stdout as it comes, instead of `stdout`; `false` ends the helper as if `maxBytes` were reached. It must not throw. */
  readonly onChunk?: (chunk: Buffer) => boolean;
}

export interface HelperResult {
  /** `undefined`: it could not be started, was killed, or is not waited for any longer. */
  readonly exitCode: number | undefined;
  readonly stdout: Buffer;
  /** It had more to say than was wanted. */
  readonly isTruncated: boolean;
  /** It was ended because of `signal` or `timeoutMs`. */
  readonly isTimedOut: boolean;
}

/**
 * Runs a small program for what it prints: no stdin, stderr dropped, none of our descriptors, a process group of its own
 * that is killed whole when the time is up. Never throws: a missing or failing program is in the result.
 */
export function runHelper(program: string, args: readonly string[], options: HelperOptions): Promise<HelperResult> {
  const none = { exitCode: undefined, stdout: Buffer.alloc(0), isTruncated: false, isTimedOut: false };
  if (options.signal?.aborted === true) return Promise.resolve({ ...none, isTimedOut: true });
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
      env: { ...options.env },
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    });
  } catch {
    // Any refusal to start (a NUL in an argument, EAGAIN, E2BIG) is an answer here, never an error of the run.
    return Promise.resolve(none);
  }
  return collect(child, options);
}

function collect(child: ChildProcess, options: HelperOptions): Promise<HelperResult> {
  const maxBytes = options.maxBytes ?? 1024 * 1024;
  const chunks: Buffer[] = [];
  let size = 0;
  let isTruncated = false;
  let isTimedOut = false;
  return new Promise((resolve) => {
    const finish = (exitCode: number | undefined): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", expire);
      resolve({ exitCode, stdout: Buffer.concat(chunks), isTruncated, isTimedOut });
    };
    const stop = (): void => {
      killGroup(child);
      // What it started may hold the pipe open, and a process in uninterruptible sleep never ends: neither is waited for.
      child.stdout?.destroy();
      child.unref();
      finish(undefined);
    };
    const expire = (): void => {
      isTimedOut = true;
      stop();
    };
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(expire, options.timeoutMs);
    options.signal?.addEventListener("abort", expire, { once: true });
    child.stdout?.on("data", (chunk: Buffer) => {
      const isWanted = options.onChunk?.(chunk) ?? size + chunk.length <= maxBytes;
      if (options.onChunk === undefined) chunks.push(chunk.subarray(0, maxBytes - size));
      size += chunk.length;
      if (isWanted) return;
      isTruncated = true;
      stop();
    });
    child.stdout?.on("error", stop);
    child.on("error", () => finish(undefined));
    child.on("close", (code) => finish(code ?? undefined));
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Gone already, or not ours any more (ESRCH, EPERM): nothing is left to kill.
  }
}
