import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runHelper } from "../../src/util/run-helper.ts";

const env = { PATH: process.env["PATH"] };
const shell = (script: string, options: Partial<Parameters<typeof runHelper>[2]> = {}): ReturnType<typeof runHelper> =>
  runHelper("sh", ["-c", script], { env, ...options });

it("gives exit code and output, in the folder and environment asked for, stderr dropped", async () => {
  const result = await shell('echo "$PWD $X"; echo noise >&2; read line || echo end; exit 3', {
    cwd: "/",
    env: { ...env, X: "x" },
  });
  expect(result).toEqual({ exitCode: 3, stdout: Buffer.from("/ x\nend\n"), isTruncated: false, isTimedOut: false });
});

it("hands down no descriptor of ours", async () => {
  const ours = [openSync("/dev/null", "r"), openSync("/dev/null", "r")];
  const { stdout } = await shell("for fd in /proc/$$/fd/*; do readlink $fd; done; echo; ls /proc/$$/fd");
  const [targets = "", numbers = ""] = stdout.toString().split("\n\n");
  expect(targets.split("\n").slice(0, 3)).toEqual([
    "/dev/null",
    expect.stringMatching(/^(?:pipe|socket):/u),
    "/dev/null",
  ]);
  for (const fd of ours) expect(numbers.split("\n")).not.toContain(String(fd));
  for (const fd of ours) closeSync(fd);
});

it("answers for a program or folder that is not there", async () => {
  expect(await runHelper("no-such-program", [], { env })).toMatchObject({ exitCode: undefined, isTimedOut: false });
  expect(await runHelper("true", ["\0"], { env })).toMatchObject({ exitCode: undefined });
  expect(await shell("true", { cwd: "/nowhere" })).toMatchObject({ exitCode: undefined });
});

it("keeps as much as wanted and ends the rest", async () => {
  const result = await shell("yes", { maxBytes: 1000 });
  expect(result).toMatchObject({ exitCode: undefined, isTruncated: true, isTimedOut: false });
  expect(result.stdout.length).toBe(1000);
  const seen: number[] = [];
  const streamed = await shell("yes", { onChunk: (chunk) => seen.push(chunk.length) < 3 });
  expect(streamed).toMatchObject({ isTruncated: true });
  expect(seen.length).toBe(3);
});

it("kills the whole group when the time is up, and does not wait for one that holds the pipe", async () => {
  const folder = mkdtempSync(join(tmpdir(), "track-helper-"));
  const pidFile = join(folder, "pid");
  const start = performance.now();
  const result = await shell(`sleep 1000 & echo $! > ${pidFile}; echo out`, { timeoutMs: 300 });
  expect(result).toMatchObject({ isTimedOut: true, stdout: Buffer.from("out\n") });
  expect(performance.now() - start).toBeLessThan(5000);
  const pid = Number(readFileSync(pidFile, "utf8"));
  await expect.poll(() => isRunning(pid)).toBe(false);
  rmSync(folder, { recursive: true });
});

it("starts nothing for a signal that has fired", async () => {
  expect(await shell("echo x", { signal: AbortSignal.abort() })).toMatchObject({
    isTimedOut: true,
    stdout: Buffer.alloc(0),
  });
});

function isRunning(pid: number): boolean {
  try {
    return !/\) Z /u.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
