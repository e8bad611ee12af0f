import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { waitFor } from "../rig.ts";
import { MatrixBench } from "./matrix-bench.ts";
import { isFull, testIf } from "../../only-if.ts";

const bench = new MatrixBench();
afterAll(() => bench[Symbol.asyncDispose]());

/** A fresh cgroup in which 400 MB of memory may be used; `undefined` where none can be made. */
const memoryGroup = makeMemoryGroup();

function makeMemoryGroup(): string | undefined {
  const script = `g=/sys/fs/cgroup/track-test-$$; [ -d /sys/fs/cgroup/memory ] && g=/sys/fs/cgroup/memory/track-test-$$
mkdir $g && (echo 400000000 >$g/memory.max || echo 400000000 >$g/memory.limit_in_bytes) && echo $g || { rmdir $g; exit 1; }`;
  const made = spawnSync("sh", ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return made.status === 0 ? made.stdout.trim() : undefined;
}

beforeEach(() => bench.remove("mlflow.db", "mlruns", "pid"));

describe("exit status", () => {
  test("E1 the command's exit code is the wrapper's", async () => {
    const some = [0, 1, 2, 7, 63, 64, 100, 123, 124, 125, 126, 127, 128, 129, 130, 137, 143, 160, 192, 254, 255];
    const codes = isFull ? Array.from({ length: 256 }, (_, code) => code) : some;
    const { stdout } = await bench.bash(`for n in ${codes.join(" ")}; do "$track" sh -c "exit $n"; echo $?; done`);
    expect(stdout.toString().trim().split("\n").map(Number)).toEqual(codes);
  }, 180_000);

  test("E2, E3 the wrapper dies of every signal that the command dies of, and writes no core file", async () => {
    const fatal = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31];
    const { stdout } = await bench.python(`
import subprocess, sys, os, resource
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
os.mkdir("cores"); os.chdir("cores")
for n in [${fatal.join(",")}]:
    code = "import os,resource,signal; resource.setrlimit(resource.RLIMIT_CORE,(0,0)); n=%d\\nif n not in (9,): signal.signal(n, signal.SIG_DFL)\\nos.kill(os.getpid(), n)" % n
    print(subprocess.run([os.environ["track"], sys.executable, "-S", "-c", code]).returncode)
print(os.listdir("."))
`);
    const lines = stdout.toString().trim().split("\n");
    expect(lines.slice(0, -1).map(Number)).toEqual(fatal.map((signal) => -signal));
    expect(lines.at(-1)).toBe("[]");
  });

  test("E4 a command that is killed: the wrapper is killed, the run is KILLED", async () => {
    expect(await bench.run([bench.track, "sh", "-c", "kill -9 $$"])).toMatchObject({ signal: "SIGKILL" });
    expect(await bench.lastRun()).toMatchObject({
      status: "KILLED",
      tags: { "track.signal": "SIGKILL", "track.end_reason": "killed" },
    });
  });

  testIf(memoryGroup !== undefined, "no memory cgroup can be made here")(
    "E4 a command that the kernel kills for lack of memory",
    async () => {
      const folder = memoryGroup ?? "";
      try {
        const hog = "x = []\nwhile True: x.append(bytearray(b'x' * 1000000))";
        const script = `echo 0 >${folder}/cgroup.procs && exec "$track" python3 -S -c "${hog}"`;
        expect(await bench.bash(script)).toMatchObject({ signal: "SIGKILL" });
        expect(await bench.lastRun()).toMatchObject({ status: "KILLED", tags: { "track.end_reason": "oom" } });
      } finally {
        await waitFor(() => rmdirSync(folder) === undefined, { what: "the cgroup is empty" });
      }
    },
  );

  test("E5 a reader that goes away ends the command by SIGPIPE", async () => {
    const { stdout } = await bench.bash('"$track" yes | head -1; echo "${PIPESTATUS[@]}"');
    expect(stdout.toString()).toBe("y\n141 0\n");
  });

  test("E6 ^C stops a bash loop around the wrapper", async () => {
    const steps = [{ expect: "turn 1" }, { send: "\u0003" }, { sleep: 0.3 }];
    const loop = 'for i in 1 2; do "$track" sh -c "echo turn $i; exec sleep 5"; done; echo end';
    const { output, status } = await bench.onTerminal(steps, ["bash", "-c", loop]);
    expect(output).not.toContain("turn 2");
    expect(output).not.toContain("end");
    expect(status).toBe(-2);
  });

  test("E7 make says Terminated, not Error 143", async () => {
    // Without a word for the shell in it, the recipe is what make itself starts.
    bench.script("dies", "#!/bin/sh\nkill -TERM $$\n");
    writeFileSync(bench.path("Makefile"), "all:\n\t@$(run) ./dies\n");
    const [bare, wrapped] = await Promise.all(["", bench.track].map((run) => bench.bash("make -C $D", { run })));
    expect(bare?.stderr).toMatch(/\*\*\* .*Terminated/u);
    expect(wrapped?.stderr).toBe(bare?.stderr);
  });

  test("E13 without a command: 125, one line and a hint, and nothing is left", async () => {
    await bench.idle();
    const before = readdirSync(bench.folder);
    for (const words of [["run", "--"], ["run"], ["run", "--quiet"]]) {
      const done = await bench.run([bench.launcher, ...words]);
      expect(done).toMatchObject({
        exitCode: 125,
        stderr: expect.stringMatching(/^track: no command to run\nhint: [^\n]+\n$/u),
      });
    }
    expect(readdirSync(bench.folder)).toEqual(before);
  });

  // A known limit (README, "What differs"): Node does not tell that signal.
  test("E14 a death by a real-time signal looks like exit code 0", async () => {
    const { stdout } = await bench.bash('sh -c "kill -34 \\$\\$"; echo $?; "$track" sh -c "kill -34 \\$\\$"; echo $?');
    expect(stdout.toString()).toBe("162\n0\n");
  });

  test("E17 a signal passes through three wrappers", async () => {
    const { stdout } = await bench.bash(`"$track" "$track" "$track" sh -c 'kill -TERM $$'; echo $?
"$track" "$track" env | grep -c _TRACK_LAUNCH
"$track" "$track" "$track" sh -c 'echo $$ >$D/pid; trap "echo got; exit 9" TERM; while :; do sleep 0.02; done' & w=$!
until [ -s $D/pid ]; do sleep 0.01; done
kill -TERM $w; wait $w; echo $?`);
    expect(stdout.toString()).toBe("143\n0\ngot\n9\n");
  });
});

describe("a command that cannot be started ends like under env", () => {
  const folder = bench.path("commands");
  mkdirSync(folder);
  writeFileSync(`${folder}/plain`, "echo no\n");
  writeFileSync(`${folder}/bad-interpreter`, "#!/nowhere/at/all\n");
  chmodSync(`${folder}/bad-interpreter`, 0o755);
  writeFileSync(`${folder}/no-first-line`, "echo ran $1\n");
  chmodSync(`${folder}/no-first-line`, 0o755);

  test.for([
    ["E8 not on PATH", "nosuch-command"],
    ["E8 not there", "./nosuch"],
    ["E8 no name", ""],
    ["E9 not executable", "./plain"],
    ["E9 a folder", "."],
    ["E9 below a file", "./plain/x"],
    ["E10 missing interpreter", "./bad-interpreter"],
  ] as const)("%s", async ([, name]) => {
    const env = { PATH: `${folder}:${process.env["PATH"]}` };
    const bare = await bench.run(["env", "--", name], { env, cwd: folder });
    const wrapped = await bench.run([bench.launcher, "run", "--", name], { env, cwd: folder });
    expect([126, 127]).toContain(bare.exitCode);
    expect(wrapped.exitCode).toBe(bare.exitCode);
    const lines = wrapped.stderr.split("\n").filter((line) => !/^track: (?:run .* -> |not sampled: )|^$/u.test(line));
    expect(lines).toEqual([expect.stringMatching(/^track: FAILED in .* \| not started: .*track show/u)]);
    const quiet = await bench.run([bench.track, name], { env, cwd: folder });
    expect(quiet).toMatchObject({ exitCode: bare.exitCode, stderr: expect.stringMatching(/^track: [^\n]+\n$/u) });
  });

  test("E11 a script without a first line runs", async () => {
    const { stdout, exitCode } = await bench.run([bench.track, "./no-first-line", "now"], { cwd: folder });
    expect({ text: stdout.toString(), exitCode }).toEqual({ text: "ran now\n", exitCode: 0 });
  });

  test("E12 an argument list that is too long gives 126 and one line", async () => {
    const argument = "x".repeat(120_000);
    const env = { PAD: "y".repeat(120_000) };
    const { exitCode, stderr } = await bench.bash('ulimit -s 1024; "$track" true "$A" "$A" "$A"; exit $?', {
      A: argument,
      ...env,
    });
    expect([exitCode, stderr]).toEqual([126, expect.stringMatching(/^[^\n]*too long\n$/u)]);
  });
});
