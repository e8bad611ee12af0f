import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  bin,
  type Finished,
  installed,
  metricsOf,
  paramsOf,
  processesIn,
  repository,
  type StartOptions,
  TrackRig,
  waitFor,
} from "./rig.ts";
import { isFull, testIf } from "../only-if.ts";

const isRoot = process.getuid?.() === 0;
const canMount = isRoot && spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
const nobody = 65_534;

/** The command of these tests; whatever happens around it, it says `out` and `err` and exits with 7. */
const script = "echo out; echo err >&2; exit 7";
const command = ["--", "sh", "-c", script];

const testWithMounts = testIf(canMount, "no file system can be mounted here");
const testAsRoot = testIf(isRoot, "only root can become another user");

/** The command's own exit code and output, and the lines of `track` that match `told` (none: `undefined`). */
function expectUnharmed(done: Finished, told?: RegExp): void {
  expect(done.stdout).toBe("out\n");
  const lines = done.stderr.split("\n").filter((line) => line !== "");
  expect(lines.filter((line) => !line.startsWith("track: "))).toEqual(["err"]);
  const faults = lines.filter((line) =>
    /cannot|unrecorded|not recorded|nothing is recorded|failed|a bug\b/u.test(line),
  );
  if (told === undefined) expect(faults).toEqual([]);
  else expect(faults).toEqual([expect.stringMatching(told)]);
  expect(done.code).toBe(7);
}

/** `track` behind some words of shell, such as a limit or a redirection: `"$@"` is the call. */
function shell(rig: TrackRig, words: string, args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  return rig.spawn("bash", ["-c", words, "bash", bin, ...args], options).finished;
}

/** `track` in a mount namespace of its own, after `mounts`. */
function mounted(
  rig: TrackRig,
  mounts: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Finished> {
  const words = `set -e; ${mounts}\ncd "$WORK"; exec "$@"`;
  return rig.spawn("unshare", ["-m", "sh", "-c", words, "sh", bin, ...args], {
    ...options,
    env: { WORK: rig.cwd, ...options.env },
  }).finished;
}

const readOnly = (folder: string): string =>
  `mount --bind '${folder}' '${folder}'; mount -o remount,ro,bind '${folder}'`;

const expectStored = async (rig: TrackRig): Promise<void> => {
  await waitFor(async () => (await rig.run()).info.status === "FAILED", { what: "the run is stored" });
};

/** For a recorder that would wait for ever for what cannot heal. */
function killLeftRecorder(rig: TrackRig): void {
  for (const pid of processesIn(rig.root)) process.kill(pid, "SIGKILL");
}

async function makeStore(rig: TrackRig): Promise<void> {
  expect((await rig.track(["run", "--quiet", "-n", "first", "--", "true"])).code).toBe(0);
}

describe("the database", () => {
  const lockSeconds = isFull ? 30 : 3;

  async function lock(rig: TrackRig) {
    await makeStore(rig);
    const { runId } = (await rig.run()).info;
    const code = `import os, sqlite3, time
c = sqlite3.connect("mlflow.db", isolation_level=None)
c.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
while not os.path.exists("unlock"): time.sleep(0.01)
c.execute("COMMIT")`;
    const holder = rig.spawn("python3", ["-c", code]);
    await waitFor(() => holder.stdout().includes("locked"), { what: "the lock" });
    return { runId, release: () => writeFileSync(join(rig.cwd, "unlock"), "") };
  }

  test(`locked for ${lockSeconds} s: the command starts without waiting, and everything is stored afterwards`, async () => {
    await using rig = TrackRig.setup();
    const { release } = await lock(rig);
    const began = Date.now();
    const text = "date +%s%3N > started; echo loss=0.5 step=3 >> $TRACK_LOG; ";
    const started = rig.start([
      "run",
      "-e",
      "locked",
      "-p",
      "a=1",
      "--sync-timeout",
      "60s",
      "--",
      "sh",
      "-c",
      text + script,
    ]);
    await waitFor(() => existsSync(join(rig.cwd, "started")), { what: "the command starts" });
    await new Promise((settle) => setTimeout(settle, lockSeconds * 1000));
    release();
    const done = await started.finished;
    expectUnharmed(done, /the store cannot be used now, recording goes on: the database is locked/u);
    expect(Number(readFileSync(join(rig.cwd, "started"), "utf8")) - began).toBeLessThan(1500);
    const run = (await rig.runs()).find((one) => one.info.runName !== "first");
    expect(run?.info.status).toBe("FAILED");
    expect(run && paramsOf(run)).toEqual({ a: "1" });
    expect(run && metricsOf(run)).toEqual({ loss: 0.5 });
  }, 90_000);

  test("locked: --strict waits a moment, then refuses; a run that should be gone on with becomes no other one", async () => {
    await using rig = TrackRig.setup();
    const { release } = await lock(rig);
    const [strict, attached] = await Promise.all([
      rig.track(["run", "--strict", "--", "touch", "started"]),
      rig.track(["run", "--run-id", "ab".repeat(16), "--sync-timeout", "0s", ...command]),
    ]);
    expect(strict.code).toBe(125);
    expect(strict.stderr).toMatch(/^track: the store cannot be used: the database is locked.*\nhint: .*\n$/u);
    expect(existsSync(join(rig.cwd, "started"))).toBe(false);
    expectUnharmed(attached, /run (?:ab){16} cannot be looked up, recording goes on as a new run below it: .*locked/u);
    release();
    const run = await waitFor(async () => (await rig.runs()).find((one) => one.info.status === "FAILED"));
    expect(run.info.runId).not.toBe("ab".repeat(16));
    expect(run.data.tags).toContainEqual({ key: "mlflow.parentRunId", value: "ab".repeat(16) });
  });

  test.each(["run", "resume"])("locked for some ms: %s goes on with the run that was named", async (name) => {
    await using rig = TrackRig.setup();
    const { release, runId } = await lock(rig);
    setTimeout(release, 500);
    const words = name === "run" ? ["run", "--run-id", runId] : ["resume", runId];
    expectUnharmed(await rig.track([...words, ...command]));
    const run = await rig.run();
    expect(run.info).toMatchObject({ runId, status: "FAILED" });
  });

  testWithMounts("on a read-only file system: one line, --strict refuses", async () => {
    await using rig = TrackRig.setup();
    await makeStore(rig);
    const done = await mounted(rig, readOnly(rig.cwd), ["run", "--sync-timeout", "200ms", ...command]);
    expectUnharmed(done, /the store cannot be used now, recording goes on: the database is read-only: .*mlflow\.db/u);
    const strict = await mounted(rig, readOnly(rig.cwd), ["run", "--strict", "--", "touch", join(rig.root, "started")]);
    expect(strict.code).toBe(125);
    expect(strict.stderr).toMatch(/^track: the store cannot be used: .*read-only.*\nhint: /u);
    expect(existsSync(join(rig.root, "started"))).toBe(false);
    killLeftRecorder(rig);
  });

  testAsRoot("without write permission: one line; stored once it may be written", async () => {
    await using rig = TrackRig.setup();
    await makeStore(rig);
    chmodSync(join(rig.cwd, "mlflow.db"), 0o444);
    const done = await asNobody(rig, 'exec "$@"', ["run", "--sync-timeout", "200ms", ...command]);
    expectUnharmed(done, /the database is read-only/u);
    chmodSync(join(rig.cwd, "mlflow.db"), 0o666);
    await waitFor(async () => (await rig.runs()).some((run) => run.info.status === "FAILED"), { what: "it is stored" });
  });

  testAsRoot("in a folder that may not be written: one line", async () => {
    await using rig = TrackRig.setup();
    const uri = `sqlite:///${rig.root}/closed/mlflow.db`;
    mkdirSync(join(rig.root, "closed"), { mode: 0o555 });
    const done = await asNobody(rig, 'exec "$@"', [
      "run",
      "--tracking-uri",
      uri,
      "--sync-timeout",
      "200ms",
      ...command,
    ]);
    expectUnharmed(done, /the store cannot be used now, recording goes on: its folder cannot be written: .*closed/u);
    killLeftRecorder(rig);
  });

  test("corrupt, its header right and its pages rubbish: one line, --strict refuses", async () => {
    await using rig = TrackRig.setup();
    await makeStore(rig);
    const path = join(rig.cwd, "mlflow.db");
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xa5, 100));
    expectUnharmed(
      await rig.track(["run", "--sync-timeout", "200ms", ...command]),
      /the database is corrupt: .*mlflow\.db/u,
    );
    const strict = await rig.track(["run", "--strict", "--", "touch", "started"]);
    expect(strict.code).toBe(125);
    expect(strict.stderr).toMatch(/^track: the store cannot be used: the database is corrupt.*\nhint: /u);
    expect(existsSync(join(rig.cwd, "started"))).toBe(false);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    killLeftRecorder(rig);
  });
});

/** The same as another user, who owns the rig. */
function asNobody(rig: TrackRig, words: string, args: readonly string[]): Promise<Finished> {
  spawnSync("chown", ["-R", String(nobody), rig.root]);
  if (installed !== repository) chmodSync(installed, 0o755);
  const become = ["--reuid", String(nobody), "--regid", String(nobody), "--clear-groups"];
  return rig.spawn("setpriv", [...become, "bash", "-c", words, "bash", bin, ...args]).finished;
}

describe("places", () => {
  test.each<readonly [name: string, env: (rig: TrackRig) => StartOptions["env"]]>([
    [
      "neither HOME nor XDG folders nor TMPDIR",
      () => ({ HOME: undefined, XDG_RUNTIME_DIR: undefined, TMPDIR: undefined }),
    ],
    ["they are empty", () => ({ HOME: "", XDG_RUNTIME_DIR: "", TMPDIR: "", XDG_STATE_HOME: "" })],
    ["HOME is a file", (rig) => ({ HOME: rig.script("file", "") })],
    ["HOME is not there and cannot be made", () => ({ HOME: "/proc/none" })],
    ["TMPDIR and XDG_RUNTIME_DIR are missing", () => ({ TMPDIR: "/no/such", XDG_RUNTIME_DIR: "/no/such" })],
    ["an endless TMPDIR", (rig) => ({ TMPDIR: join(rig.root, "tmp", "x".repeat(200)), XDG_RUNTIME_DIR: "" })],
  ])("%s: the run is recorded all the same", async (_, env) => {
    await using rig = TrackRig.setup();
    const given = env(rig);
    expectUnharmed(await rig.track(["run", ...command], given === undefined ? {} : { env: given }));
    await expectStored(rig);
  });

  testWithMounts(
    "no place for a journal: the command runs unrecorded and without a run id, one line says so",
    async () => {
      await using rig = TrackRig.setup();
      const mounts = readOnly(rig.root);
      const tell = 'echo "${MLFLOW_RUN_ID-none} ${TRACK_LOG-none}" >&2; ';
      const done = await mounted(rig, mounts, ["run", "--", "sh", "-c", tell + script]);
      expect(done).toMatchObject({ code: 7, stdout: "out\n" });
      expect(done.stderr).toMatch(/^track: the run is not recorded, no journal can be written: .*\nnone none\nerr\n$/u);
      const strict = await mounted(rig, mounts, ["run", "--strict", "--", "sh", "-c", "echo started"]);
      expect(strict).toMatchObject({ code: 125, stdout: "" });
      expect(strict.stderr).toMatch(/^track: .*\nhint: .*\n$/u);
    },
  );

  testWithMounts("a read-only home: the journal lies beside the database, and nothing is to be told", async () => {
    await using rig = TrackRig.setup();
    const done = await mounted(rig, readOnly(join(rig.root, "home")), ["run", ...command]);
    expectUnharmed(done);
    await expectStored(rig);
    await waitFor(() => readdirSync(join(rig.cwd, ".track/journals")).length === 0, {
      what: "the journal is done with",
    });
  });

  testWithMounts(
    "a full disk for artifacts: told in one line, kept in the journal, stored once there is room",
    async () => {
      await using rig = TrackRig.setup();
      const place = join(rig.cwd, "mlruns");
      mkdirSync(place);
      writeFileSync(join(rig.cwd, "model.bin"), Buffer.alloc(1_000_000, 7));
      const text = `track log artifact model.bin --artifact-path out; track log metric last=1; ${script}`;
      const done = await mounted(rig, `mount -t tmpfs -o size=200k none '${place}'`, [
        "run",
        "--sync-timeout",
        "3s",
        "--",
        "sh",
        "-c",
        text,
      ]);
      expect(done).toMatchObject({ code: 7, stdout: "out\n" });
      expect(done.stderr.match(/^track: the store cannot be written for now, .*ENOSPC.*$/gmu)).toHaveLength(1);
      expect(done.stderr).toContain("not all is stored yet");
      // The mount has gone with its namespace.
      await waitFor(() => processesIn(rig.root).length === 0, { what: "the recorder has left" });
      expect((await rig.track(["ls"])).code).toBe(0);
      const run = await rig.run();
      expect(run.info.status).toBe("FAILED");
      expect(metricsOf(run)).toEqual({ last: 1 });
      expect(readFileSync(join(run.info.artifactUri, "out/model.bin"))).toHaveLength(1_000_000);
    },
  );

  testWithMounts("a disk that is full while a lot is logged: told in one line, the command unaffected", async () => {
    await using rig = TrackRig.setup();
    const state = join(rig.root, "home/.local/state/track");
    mkdirSync(state, { recursive: true });
    const text = `touch $HOME/.local/state/track/up; exec 3>&2 2>/dev/null
      i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo "loss=$i step=$i" >> "$TRACK_LOG"; done
      track log metric last=1; exec 2>&3; `;
    // Once the command is over, there is room again.
    const mounts = `mount -t tmpfs -o size=200k none '${state}'; cd "$WORK"; code=0; "$@" || code=$?
      mount -o remount,size=100m '${state}'
      for i in $(seq 100); do track ls 2>/dev/null | grep -q FAILED && break; sleep 0.1; done; exit $code`;
    const done = await mounted(rig, mounts, [
      "run",
      "--sync-timeout",
      "1s",
      "--capture",
      "off",
      "--",
      "sh",
      "-c",
      text + script,
    ]);
    expect(done).toMatchObject({ code: 7, stdout: "out\n" });
    expect(done.stderr.match(/the journal cannot be written: ENOSPC/gu)).toHaveLength(1);
    await expectStored(rig);
    killLeftRecorder(rig);
  });

  test("a working folder that has been deleted", async () => {
    await using rig = TrackRig.setup();
    mkdirSync(join(rig.cwd, "gone"));
    const words = 'cd gone; rmdir ../gone; "$@" 2> ../err; code=$?; grep -v getcwd ../err >&2; exit $code';
    const done = await shell(rig, words, ["run", "--tracking-uri", rig.trackingUri, ...command]);
    expectUnharmed(done);
    await expectStored(rig);
  });
});

describe("limits", () => {
  test.each([14, 16, 20, 24, 25, 26, 28, 30, 32, 40, 64, 65, 80])("ulimit -n %i", async (limit) => {
    await using rig = TrackRig.setup();
    const done = await shell(rig, `ulimit -n ${limit}; exec "$@"`, ["run", "--sync-timeout", "1s", ...command]);
    expect(done).toMatchObject({ code: 7, stdout: "out\n" });
    const lines = done.stderr.split("\n").filter((line) => line !== "");
    expect(lines.filter((line) => !line.startsWith("track: "))).toEqual(["err"]);
    const told = lines.filter((line) => /unrecorded|nothing is recorded|failed three times|a bug\b/u.test(line));
    expect(told.slice(1)).toEqual([]);
    if (limit <= 20) expect(done.stderr).toContain("nothing is recorded");
    if (limit >= 40) await expectStored(rig);
  });

  test("ulimit -Sn 24, the hard limit as usual: recorded, and the command has its own limit", async () => {
    await using rig = TrackRig.setup();
    const done = await shell(rig, 'ulimit -Sn 24; exec "$@"', ["run", "--", "sh", "-c", `ulimit -n >&2; ${script}`]);
    expect(done.stderr).toContain("\n24\n");
    expect(done).toMatchObject({ code: 7, stdout: "out\n" });
    await expectStored(rig);
  });

  test.each([200_000, 1_000_000, 4_000_000])("ulimit -v %i", async (limit) => {
    await using rig = TrackRig.setup();
    const done = await shell(rig, `ulimit -v ${limit}; exec "$@"`, ["run", ...command]);
    expectUnharmed(done, limit < 2_000_000 ? /nothing is recorded/u : undefined);
    if (limit > 2_000_000) await expectStored(rig);
  });

  testAsRoot("few processes", async () => {
    await using rig = TrackRig.setup();
    for (const limit of [1, 4, 200, 260]) {
      const done = await asNobody(rig, `exec prlimit --nproc=${limit} "$@"`, ["run", ...command]);
      expectUnharmed(done, limit < 200 ? /nothing is recorded/u : undefined);
    }
    await waitFor(async () => (await rig.runs()).filter(({ info }) => info.status === "FAILED").length === 2);
  });

  test("the bare command has the caller's environment and what follows the options, whatever they are", async () => {
    await using rig = TrackRig.setup();
    const args = ["run", "-e", "x", "--quiet", "--tracking-uri=sqlite:///x.db", "-p", "a=1"];
    const tell = ["sh", "-c", 'env | grep -E "TRACK|NODE_OPTIONS"; printf "%s|" "$@"', "sh", "-n", "--", "a b"];
    const env = { NODE_OPTIONS: "--no-such-option" };
    for (const words of [
      [...args, ...tell],
      [...args, "--", ...tell],
    ]) {
      const done = await shell(rig, 'ulimit -n 20; exec "$@"', words, { env });
      expect(done).toMatchObject({ code: 0, stdout: "NODE_OPTIONS=--no-such-option\n-n|--|a b|" });
    }
    const strict = await shell(rig, 'ulimit -n 20; exec "$@"', ["run", "--strict", "--", "touch", "started"]);
    expect(strict.code).toBe(125);
    expect(existsSync(join(rig.cwd, "started"))).toBe(false);
  });
});

describe("descriptors", () => {
  test.each([
    ["<&-", "out\n", "err\n"],
    ["2>&-", "out\n", ""],
    [">&- 2>&- <&-", "", ""],
    [">/dev/full", "", /err\n/u],
    ["2>/dev/full", "out\n", ""],
  ])("%s is as for the bare command", async (redirection, stdout, stderr) => {
    await using rig = TrackRig.setup();
    const done = await shell(rig, `"$@" ${redirection}`, ["run", "--quiet", ...command]);
    const bare = await rig.spawn("bash", ["-c", `sh -c '${script}' ${redirection}`]).finished;
    expect(done).toMatchObject({ code: 7, stdout, stderr: expect.stringMatching(stderr) });
    expect(done).toMatchObject({ code: bare.code, stdout: bare.stdout, stderr: bare.stderr });
    await expectStored(rig);
  });

  test(">&- does not stop it", async () => {
    await using rig = TrackRig.setup();
    const done = await shell(rig, '"$@" >&-', ["run", "--quiet", "--", "sh", "-c", "echo err >&2; exit 7"]);
    expect(done).toMatchObject({ code: 7, stdout: "", stderr: "err\n" });
    await expectStored(rig);
  });
});

describe("node", () => {
  const fakeNode = (rig: TrackRig, text: string): string => {
    mkdirSync(join(rig.root, "fake"), { recursive: true });
    writeFileSync(join(rig.root, "fake/node"), `#!/bin/sh\n${text}\n`);
    chmodSync(join(rig.root, "fake/node"), 0o755);
    return join(rig.root, "fake");
  };

  test("an old one on PATH, or none: track brings its own", async () => {
    await using rig = TrackRig.setup();
    const fake = fakeNode(rig, "echo v18.20.0");
    expectUnharmed(await rig.track(["run", ...command], { env: { PATH: `${fake}:/usr/bin:/bin` } }));
    await expectStored(rig);
    const bare = await rig.track(["run", "--quiet", "--", "/bin/echo", "out"], { env: { PATH: "/nowhere" } });
    expect(bare).toMatchObject({ code: 0, stdout: "out\n", stderr: "" });
  });

  test.each([
    ["an old one", "echo v18.20.0", "found v18.20.0"],
    ["one that is broken", "exit 1", "found none"],
    ["one that says rubbish", "echo hello", "found none"],
  ])("without its own and with %s: one line, 125, nothing started", async (_, text, told) => {
    await using rig = TrackRig.setup();
    const copy = join(rig.root, "copy");
    cpSync(join(repository, "bin"), join(copy, "bin"), { recursive: true });
    symlinkSync(join(repository, "dist"), join(copy, "dist"));
    const env = { PATH: `${fakeNode(rig, text)}:/usr/bin:/bin` };
    const done = await rig.spawn(join(copy, "bin/track"), ["run", "--", "touch", "started"], { env }).finished;
    expect(done).toMatchObject({ code: 125, stdout: "", stderr: `track: needs Node 24 or newer, ${told}\n` });
    expect(existsSync(join(rig.cwd, "started"))).toBe(false);
  });
});
