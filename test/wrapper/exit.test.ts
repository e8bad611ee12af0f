import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { WrapperBench } from "./harness.ts";

const bench = new WrapperBench();
afterAll(() => bench[Symbol.dispose]());

describe("exit status", () => {
  test("the command's exit code is the wrapper's", async () => {
    const { stdout } = await bench.bash(
      'for n in 0 1 2 7 124 125 126 127 128 130 255; do "$track" sh -c "exit $n"; echo $?; done',
    );
    expect(stdout.toString().trim().split("\n").map(Number)).toEqual([0, 1, 2, 7, 124, 125, 126, 127, 128, 130, 255]);
  });

  test("the wrapper dies of every signal that the command dies of, and writes no core file", async () => {
    const fatal = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31];
    const script = `
import subprocess, sys, os, resource
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
os.mkdir("cores"); os.chdir("cores")
for n in [${fatal.join(",")}]:
    code = "import os,resource,signal; resource.setrlimit(resource.RLIMIT_CORE,(0,0)); n=%d\\nif n not in (9,): signal.signal(n, signal.SIG_DFL)\\nos.kill(os.getpid(), n)" % n
    print(subprocess.run([os.environ["track"], sys.executable, "-S", "-c", code]).returncode)
print(os.listdir("."))
`;
    const { stdout } = await bench.run(["python3", "-c", script], {
      env: { ...process.env, track: bench.track },
      cwd: bench.folder,
    });
    const lines = stdout.toString().trim().split("\n");
    expect(lines.slice(0, -1).map(Number)).toEqual(fatal.map((signal) => -signal));
    expect(lines.at(-1)).toBe("[]");
  });

  test("a reader that goes away ends the command by SIGPIPE", async () => {
    const { stdout } = await bench.bash('"$track" yes | head -1; echo "${PIPESTATUS[@]}"', {
      WRAP_SPOOL: bench.path("pipe.raw"),
    });
    expect(stdout.toString()).toBe("y\n141 0\n");
  });

  test("^C stops a bash loop around the wrapper", async () => {
    const steps = [{ expect: "turn 1" }, { send: "\u0003" }, { sleep: 0.3 }];
    const loop = 'for i in 1 2; do "$track" sh -c "echo turn $i; exec sleep 5"; done; echo end';
    const { output, status } = await bench.onTerminal(steps, ["bash", "-c", loop]);
    expect(output).not.toContain("turn 2");
    expect(output).not.toContain("end");
    expect(status).toBe(-2);
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
    ["not on PATH", "nosuch-command"],
    ["not there", "./nosuch"],
    ["no name", ""],
    ["not executable", "./plain"],
    ["a folder", "."],
    ["below a file", "./plain/x"],
    ["missing interpreter", "./bad-interpreter"],
  ] as const)("%s", async ([, name]) => {
    const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
    const bare = await bench.run(["env", "--", name], { env, cwd: folder });
    const wrapped = await bench.run([bench.track, name], { env, cwd: folder });
    expect([126, 127]).toContain(bare.exitCode);
    expect(wrapped.exitCode).toBe(bare.exitCode);
    expect(wrapped.stderr).toMatch(/^track: [^\n]+\n$/u);
  });

  test("a script without a first line runs", async () => {
    const { stdout, exitCode } = await bench.run([bench.track, "./no-first-line", "now"], { cwd: folder });
    expect({ text: stdout.toString(), exitCode }).toEqual({ text: "ran now\n", exitCode: 0 });
  });

  test("an argument list that is too long gives 126 and one line", async () => {
    const argument = "x".repeat(120_000);
    const env = { ...process.env, PAD: "y".repeat(120_000) };
    const { exitCode, stderr } = await bench.bash('ulimit -s 1024; "$track" true "$A" "$A" "$A"; exit $?', {
      A: argument,
      ...env,
    });
    expect([exitCode, stderr.trim().split("\n").length]).toEqual([126, 1]);
  });
});
