import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { OpenRun } from "./open-run.ts";
import { bin, paramsOf, repository, tagsOf, TrackRig, waitFor } from "./rig.ts";

const artifact = (run: Run, file: string) => readFileSync(join(run.info.artifactUri, file));

function artifactNames(run: Run): readonly string[] {
  if (!existsSync(run.info.artifactUri)) return [];
  const found = readdirSync(run.info.artifactUri, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(run.info.artifactUri.length + 1))
    .sort();
}

/** Every byte value, a line end of each kind, a cut UTF-8 character, and no newline at the end. */
const everyByte = Buffer.concat([
  Buffer.from("plain\r\nprogress 1\rprogress 2\n\u001b[31mred\u001b[0m ünï\n"),
  Buffer.from(Array.from({ length: 256 }, (_, index) => index)),
  Buffer.from([0xe2, 0x82]),
]);

describe("console output", () => {
  /** Leaves a process behind that says something once it is let, and ends once it is let. */
  const leaver = `echo first
(while [ ! -e go ]; do sleep 0.02; done; echo late; echo late=1 >> "$TRACK_LOG"; while [ ! -e bye ]; do sleep 0.02; done) &
while [ ! -e end ]; do sleep 0.02; done; exit 0`;

  const show = "track run --quiet -- sh -c 'cat bytes; cat bytes >&2'";

  test.each([
    ["a pipe", `${show} 2>&1 | cat > seen`],
    ["two pipes", `${show} 2> >(cat > seen2) | cat > seen; wait`],
    ["a file", `${show} > seen 2>&1`],
    ["the end of a file", `echo before > seen; ${show} >> seen 2>&1`],
    ["two files", `${show} > seen 2> seen2`],
    ["a file and a pipe", `{ ${show} 2>&1 >&3 | cat > seen2; } 3> seen`],
  ])("to %s: the artifact holds the very bytes", async (where, script) => {
    await using rig = TrackRig.setup();
    writeFileSync(join(rig.cwd, "bytes"), everyByte);
    const done = await rig.spawn("bash", ["-c", script]).finished;
    expect(done).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const seen = readFileSync(join(rig.cwd, "seen"));
    const twice = Buffer.concat([everyByte, everyByte]);
    const before = where === "the end of a file" ? "before\n" : "";
    const isSplit = existsSync(join(rig.cwd, "seen2"));
    expect(seen.equals(isSplit ? everyByte : Buffer.concat([Buffer.from(before), twice]))).toBe(true);
    if (isSplit) expect(readFileSync(join(rig.cwd, "seen2")).equals(everyByte)).toBe(true);
    expect(artifact(await rig.run(), "console/attempt-1.log").equals(twice)).toBe(true);
  });

  test("to a file that track speaks into as well: the artifact holds the command's bytes alone", async () => {
    await using rig = TrackRig.setup();
    const program = "printf 'half'; track log param lr=2 api_key=abcdefgh; sleep 0.5; printf ' line\\r50%%\\nno end'";
    rig.script("program.sh", program);
    await rig.spawn("bash", ["-c", "track run -p lr=1 -- sh program.sh > seen 2>&1"]).finished;
    const seen = readFileSync(join(rig.cwd, "seen"), "utf8");
    for (const said of ["track: run ", "lr is 1 already", "looks like a secret", "track: FINISHED in"])
      expect(seen).toContain(said);
    expect(artifact(await rig.run(), "console/attempt-1.log").toString()).toBe("half line\r50%\nno end");
  });

  test("to a terminal: the command still has one; the artifact has the program's own line ends", async () => {
    await using rig = TrackRig.setup();
    const program = `import sys; print(sys.stdout.isatty(), sys.stderr.isatty()); sys.stdout.buffer.write(b"a\\r50%\\rb\\n\\x1b[1mbold\\x1b[0m\\n"); sys.stdout.flush(); print("err", file=sys.stderr)`;
    writeFileSync(join(rig.cwd, "tty.py"), program);
    const done = await rig.spawn("script", ["-qec", "track run --quiet -- python3 tty.py", "/dev/null"]).finished;
    expect(done.code).toBe(0);
    expect(done.stdout).toBe("True True\r\na\r50%\rb\r\n\u001b[1mbold\u001b[0m\r\nerr\r\n");
    expect(artifact(await rig.run(), "console/attempt-1.log").toString()).toBe(
      "True True\na\r50%\rb\n\u001b[1mbold\u001b[0m\nerr\n",
    );
  });

  test("--capture off records none", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--capture", "off", "--", "sh", "-c", "echo out; echo err >&2"]);
    expect(done.stdout).toBe("out\n");
    expect(done.stderr).toMatch(/^err$/mu);
    expect(artifactNames(await rig.run()).filter((name) => name.startsWith("console"))).toEqual([]);
  });

  test("--console-limit cuts the middle and says so; the screen has it all", async () => {
    await using rig = TrackRig.setup();
    const script = "seq 100000 999999; touch up; while [ ! -e end ]; do sleep 0.02; done";
    const started = rig.start(["run", "--console-limit", "100KB", "--", "sh", "-c", script]);
    await waitFor(() => existsSync(join(rig.cwd, "up")) && started.stdout().length === 900_000 * 7);
    // Neither do 6 MB of output lie on the disk while the run lives.
    const journal = join(rig.journals, rig.journalNames()[0] ?? "");
    const names = readdirSync(journal, { recursive: true, encoding: "utf8" });
    const sizes = names.map((name) => statSync(join(journal, name), { throwIfNoEntry: false })?.size ?? 0);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_000_000);
    writeFileSync(join(rig.cwd, "end"), "");
    const done = await started.finished;
    const log = artifact(await rig.run(), "console/attempt-1.log").toString();
    expect(log.length).toBeGreaterThan(95_000);
    expect(log.length).toBeLessThan(100_200);
    const cut = /\n\.\.\. (\d+) bytes left out here by track's --console-limit \.\.\.\n/u.exec(log);
    expect(log.length - (cut?.[0].length ?? 0) + Number(cut?.[1])).toBe(done.stdout.length);
    expect(done.stdout.startsWith(log.slice(0, cut?.index))).toBe(true);
    expect(done.stdout.endsWith(log.slice((cut?.index ?? 0) + (cut?.[0].length ?? 0)))).toBe(true);
  });

  test("of a process that the command leaves behind is added to the log", async () => {
    await using rig = TrackRig.setup();
    writeFileSync(join(rig.cwd, "program.sh"), leaver);
    writeFileSync(join(rig.cwd, "end"), "");
    const started = rig.spawn("bash", ["-c", "track run --quiet -- sh program.sh > out 2>&1"]);
    await started.finished;
    expect(artifact(await rig.run(), "console/attempt-1.log").toString()).toBe("first\n");
    writeFileSync(join(rig.cwd, "go"), "");
    const hasMetric = async () => (await rig.run()).data.metrics.some(({ key }) => key === "late");
    await waitFor(hasMetric, { what: "the recorder listens on" });
    writeFileSync(join(rig.cwd, "bye"), "");
    await waitFor(() => rig.journalNames().length === 0, { what: "the recorder has ended" });
    expect(artifact(await rig.run(), "console/attempt-1.log").toString()).toBe("first\nlate\n");
  });

  test("of a process that ends while the store is waited for is in the log as well", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "-n", "first", "--", "true"]);
    await waitFor(() => rig.journalNames().length === 0, { what: "the first run is over" });
    writeFileSync(join(rig.cwd, "program.sh"), leaver);
    const started = rig.spawn("bash", ["-c", "track run -n late -- sh program.sh > out 2>&1"]);
    await waitFor(() => readFileSync(join(rig.cwd, "out"), "utf8").includes("first"), { what: "the command runs" });
    const lock = `const db = new (require("node:sqlite").DatabaseSync)("mlflow.db", { timeout: 10000 });
      db.exec("BEGIN EXCLUSIVE"); console.log("locked"); setTimeout(() => db.exec("ROLLBACK"), 1500);`;
    const holder = rig.spawn(process.execPath, ["-e", lock]);
    await waitFor(() => holder.stdout().includes("locked"), { what: "the database is locked" });
    writeFileSync(join(rig.cwd, "end"), "");
    const [journal] = rig.journalNames();
    const spool = join(rig.journals, journal ?? "", "spool");
    await waitFor(() => readdirSync(spool).some((name) => /^console-.*\.log$/u.test(name)), {
      what: "the log is taken",
    });
    writeFileSync(join(rig.cwd, "bye"), "");
    writeFileSync(join(rig.cwd, "go"), "");
    await started.finished;
    appendFileSync(join(rig.cwd, "out"), "somebody else's\n");
    await waitFor(() => rig.journalNames().length === 0, { what: "the recorder has ended" });
    const late = (await rig.runs()).find(({ info }) => info.runName === "late");
    const lines = late && artifact(late, "console/attempt-1.log").toString().split("\n");
    expect(lines?.filter((line) => line !== "" && !line.startsWith("track: "))).toEqual(["first", "late"]);
    expect(late?.data.metrics).toContainEqual(expect.objectContaining({ key: "late", value: 1 }));
  });
});

describe("secrets", () => {
  const secret = "s3cr3t-Value/123456";
  const script = `echo "token $API_TOKEN"; printf %s "half $API_TOKEN" | head -c 12; sleep 0.1; printf %s "$API_TOKEN" | tail -c +8; echo
track log param "note=with $API_TOKEN" api_key=abcdefgh; track log tag "url=https://me:$API_TOKEN@host/x"
echo "tag.late=$API_TOKEN" >> "$TRACK_LOG"; track log text notes.txt "says $API_TOKEN"
track log batch <<END
{"params":{"nested":{"key":"$API_TOKEN"}},"id":1}
{"flush":true,"id":2}
END
`;

  function speak(rig: TrackRig, options: readonly string[]) {
    execFileSync("git", ["init", "-q"], { cwd: rig.cwd });
    writeFileSync(join(rig.cwd, "config.py"), "token = None\n");
    rig.script("say.sh", script);
    const identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
    execFileSync("git", ["add", "."], { cwd: rig.cwd });
    execFileSync("git", [...identity, "commit", "-qm", "one"], { cwd: rig.cwd });
    writeFileSync(join(rig.cwd, "config.py"), `token = "${secret}"\n`);
    const words = ["--", "sh", "say.sh", "--password", "hunter2hunter2", `--url=https://x/?token=${secret}`, secret];
    const given = ["-p", `cli=${secret}`, "-t", `t=${secret}`, "--description", `d ${secret}`];
    return rig.start(["run", ...given, ...options, ...words], { env: { API_TOKEN: secret } });
  }

  /** Files below a folder that hold the text. */
  function filesWith(folder: string, text: string): readonly string[] {
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return names.filter((name) => {
      const path = join(folder, name);
      return statSync(path).isFile() && readFileSync(path).includes(text);
    });
  }

  test("are masked in everything that is stored, and nowhere on the screen", async () => {
    await using rig = TrackRig.setup();
    const done = await speak(rig, []).finished;
    expect(done.code).toBe(0);
    expect(done.stdout).toBe(`token ${secret}\nhalf ${secret}\n`);
    expect(done.stderr).toMatch(/looks like a secret and is stored as \*\*\*/u);
    const run = await rig.run();
    expect(artifact(run, "console/attempt-1.log").toString()).toBe("token ***\nhalf ***\n");
    expect(artifact(run, "notes.txt").toString()).toBe("says ***");
    expect(artifact(run, "git/diff.patch").toString()).toContain('+token = "***"');
    expect(paramsOf(run)).toEqual({
      cli: "***",
      note: "with ***",
      api_key: "***",
      nested: '{"key":"***"}',
    });
    const tags = tagsOf(run);
    expect(tags).toMatchObject({ t: "***", late: "***", url: "https://me:***@host/x", "mlflow.note.content": "d ***" });
    expect(JSON.parse(tags["track.command"] ?? "")).toEqual([
      "sh",
      "say.sh",
      "--password",
      "***",
      "--url=https://x/?token=***",
      "***",
    ]);
    expect(filesWith(join(rig.cwd, "mlruns"), secret)).toEqual([]);
    expect(readFileSync(join(rig.cwd, "mlflow.db")).includes(secret)).toBe(false);
  });

  test("in the journal stand only in the raw console and append file, which nobody else can read", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig, ["-p", `cli=${secret}`]);
    using speaker = await run.connect();
    const journal = join(run.appendFile, "..");
    expect(readdirSync(journal)).toContain("header.json");
    appendFileSync(run.appendFile, "tag.api_token=abcdefgh12\n");
    await speaker.ask({ params: { password: "abcdefgh12" }, id: 1 });
    await speaker.ask({ text: "api_key=abcdefgh12", artifact_file: "a.txt", id: 2 });
    await speaker.ask({ flush: true, id: 3 });
    await waitFor(() => filesWith(journal, "api_token").length > 1, { what: "the append file is read" });
    expect(filesWith(journal, "abcdefgh12")).toEqual(["log"]);
    expect(statSync(journal).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(journal, { recursive: true, encoding: "utf8" })) {
      const stats = statSync(join(journal, name));
      expect([name, stats.mode & 0o77]).toEqual([name, 0]);
    }
    expect(statSync(run.env["TRACK_SOCKET"] ?? "").mode & 0o777).toBe(0o600);
    await run.end();
  });

  test("are stored with --no-redact", async () => {
    await using rig = TrackRig.setup();
    await speak(rig, ["--no-redact"]).finished;
    const run = await rig.run();
    expect(artifact(run, "console/attempt-1.log").toString()).toBe(`token ${secret}\nhalf ${secret}\n`);
    expect(artifact(run, "git/diff.patch").toString()).toContain(`+token = "${secret}"`);
    expect(paramsOf(run)).toMatchObject({ cli: secret, api_key: "abcdefgh" });
    expect(JSON.parse(tagsOf(run)["track.command"] ?? "")).toContain("hunter2hunter2");
  });
});

const gitEnv = {
  GIT_AUTHOR_NAME: "a",
  GIT_AUTHOR_EMAIL: "a@b",
  GIT_COMMITTER_NAME: "a",
  GIT_COMMITTER_EMAIL: "a@b",
  GIT_CONFIG_NOSYSTEM: "1",
};

const gitIn =
  (rig: TrackRig, cwd: string) =>
  (...words: string[]) =>
    execFileSync("git", words, { cwd, encoding: "utf8", env: { ...rig.env, ...gitEnv } });

describe("git", () => {
  /** A repository with changes of all kinds, and a clone of it without them. */
  function makeRepository(rig: TrackRig) {
    const git = gitIn(rig, rig.cwd);
    const write = (name: string, content: string | Buffer) => writeFileSync(join(rig.cwd, name), content);
    git("init", "-q", "-b", "topic/x");
    mkdirSync(join(rig.cwd, "sub dir"));
    for (const name of ["changed.py", "staged.py", "gone.py", "sub dir/ü.txt"]) write(name, `# ${name}\n1\n2\n3\n`);
    write("model.bin", Buffer.from([0, 1, 2, 255]));
    write(".gitignore", "*.tmp\n");
    git("add", ".");
    git("commit", "-qm", "one");
    git("remote", "add", "origin", "https://user:pa55word@example.org/team/project.git");
    git("clone", "-q", rig.cwd, join(rig.root, "clone"));
    write("changed.py", "# changed.py\n1\n2 changed\n3\n");
    write("sub dir/ü.txt", "no newline");
    write("staged.py", "# staged\n");
    write("added.py", "print()\n");
    git("add", "staged.py", "added.py");
    write("staged.py", "# staged, then changed\n");
    rmSync(join(rig.cwd, "gone.py"));
    chmodSync(join(rig.cwd, "changed.py"), 0o755);
    write("model.bin", Buffer.from(Array.from({ length: 2000 }, (_, index) => (index * 7) % 256)));
    write("new file.txt", "untracked");
    write("ignored.tmp", "ignored");
    return git;
  }

  const stateOf = (rig: TrackRig) =>
    readdirSync(join(rig.cwd, ".git"), { recursive: true, encoding: "utf8" })
      .map((name) => `${name} ${statSync(join(rig.cwd, ".git", name)).mtimeMs}`)
      .sort();

  test("tags say what was run, and the patch makes a clean clone the same tree", async () => {
    await using rig = TrackRig.setup();
    const git = makeRepository(rig);
    const before = stateOf(rig);
    for (const folder of [".", "sub dir"]) {
      const uri = { env: { MLFLOW_TRACKING_URI: rig.trackingUri } };
      expect(await rig.track(["run", "--quiet", "--", "true"], { cwd: join(rig.cwd, folder), ...uri })).toMatchObject({
        code: 0,
        stderr: "",
      });
    }
    expect(stateOf(rig)).toEqual(before);
    for (const run of await rig.runs()) {
      expect(tagsOf(run)).toMatchObject({
        "mlflow.source.git.commit": git("rev-parse", "HEAD").trim(),
        "mlflow.source.git.branch": "topic/x",
        "mlflow.source.git.repoURL": "https://example.org/team/project.git",
        "mlflow.source.git.dirty": "true",
      });
      expect(artifact(run, "git/untracked.txt").toString()).toBe("new file.txt\n");
      const clone = join(rig.root, `clone-${run.info.runId}`);
      cpSync(join(rig.root, "clone"), clone, { recursive: true });
      const inClone = gitIn(rig, clone);
      inClone("update-index", "-q", "--refresh");
      inClone("apply", "--index", join(run.info.artifactUri, "git/diff.patch"));
      git("add", "-u");
      expect(inClone("write-tree")).toBe(git("write-tree"));
      git("reset", "-q");
      git("add", "staged.py", "added.py");
    }
  });

  test("a clean tree is not dirty and has no patch, whatever of ours lies in it", async () => {
    await using rig = TrackRig.setup();
    const git = gitIn(rig, rig.cwd);
    git("init", "-q", "-b", "main");
    writeFileSync(join(rig.cwd, "a"), "a");
    git("add", "a");
    git("commit", "-qm", "one");
    for (let round = 0; round < 2; round += 1) await rig.track(["run", "--", "true"]);
    for (const run of await rig.runs()) {
      expect(tagsOf(run)["mlflow.source.git.dirty"]).toBe("false");
      expect(artifactNames(run).filter((name) => name.startsWith("git"))).toEqual([]);
    }
  });

  test.each([
    ["outside a repository", () => ({})],
    ["without a commit", (rig: TrackRig) => void gitIn(rig, rig.cwd)("init", "-q")],
    ["in a bare one", (rig: TrackRig) => void gitIn(rig, rig.cwd)("init", "-q", "--bare")],
    [
      "with git missing",
      (rig: TrackRig) => {
        gitIn(rig, rig.cwd)("init", "-q");
        const folder = join(rig.root, "programs");
        mkdirSync(folder);
        for (const name of readdirSync("/usr/bin").filter((found) => !found.startsWith("git"))) {
          symlinkSync(join("/usr/bin", name), join(folder, name));
        }
        return { PATH: folder };
      },
    ],
  ])("%s: no tags, no files, no noise", async (_where, prepare) => {
    await using rig = TrackRig.setup();
    const env = prepare(rig) ?? {};
    const done = await rig.track(["run", "--", "true"], { env });
    expect(done.code).toBe(0);
    expect(done.stderr.split("\n").filter((line) => /git/iu.test(line))).toEqual([]);
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(Object.keys(tagsOf(run)).filter((key) => key.startsWith("mlflow.source.git"))).toEqual([]);
    expect(artifactNames(run).filter((name) => name.startsWith("git") && name !== "git/untracked.txt")).toEqual([]);
  });

  test("that hangs holds up the end by its five seconds at most, and the command not at all", async () => {
    await using rig = TrackRig.setup();
    gitIn(rig, rig.cwd)("init", "-q");
    mkdirSync(join(rig.root, "programs"));
    const fake = join(rig.root, "programs/git");
    writeFileSync(fake, '#!/bin/sh\necho $$ >> "$HANGING"\nexec sleep 60\n');
    chmodSync(fake, 0o755);
    const hanging = join(rig.root, "hanging");
    const env = { PATH: `${join(rig.root, "programs")}:${rig.env["PATH"]}`, HANGING: hanging };
    const began = Date.now();
    const started = rig.spawn(bin, ["run", "--", "sh", "-c", "date +%s%3N; exit 3"], { env });
    const done = await started.finished;
    expect(done.code).toBe(3);
    expect(Number(done.stdout) - began).toBeLessThan(2000);
    expect(done.durationMs).toBeLessThan(7500);
    expect(done.stderr).not.toMatch(/git/iu);
    expect((await rig.run()).info.status).toBe("FAILED");
    const pids = readFileSync(hanging, "utf8").trim().split("\n");
    expect(pids.length).toBeGreaterThan(0);
    await waitFor(() => pids.every((pid) => !existsSync(`/proc/${pid}`)), { what: "the hanging git is ended" });
  });
});

describe("environment", () => {
  test("variables of the allow-list, the packages of the interpreter, the system", async () => {
    await using rig = TrackRig.setup();
    execFileSync("python3", ["-m", "venv", "--without-pip", "venv"], { cwd: rig.cwd });
    const [site] = readdirSync(join(rig.cwd, "venv/lib")).map((name) =>
      join(rig.cwd, "venv/lib", name, "site-packages"),
    );
    for (const [name, version] of [
      ["torch", "2.9.0"],
      ["my_pkg", "0.1"],
    ]) {
      mkdirSync(join(site ?? "", `${name}-${version}.dist-info`));
      const metadata = `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`;
      writeFileSync(join(site ?? "", `${name}-${version}.dist-info/METADATA`), metadata);
    }
    writeFileSync(join(rig.cwd, "uv.lock"), "lock");
    const env = {
      CUDA_VISIBLE_DEVICES: "0,1",
      SLURM_JOB_ID: "77",
      RANK: "0",
      SLURM_JWT_TOKEN: "abcdefgh1234",
      OTHER: "x",
    };
    await rig.track(["run", "--", "venv/bin/python", "-c", "print(1)"], { env });
    const run = await rig.run();
    expect(JSON.parse(artifact(run, "environment/variables.json").toString())).toEqual({
      CUDA_VISIBLE_DEVICES: "0,1",
      RANK: "0",
      SLURM_JOB_ID: "77",
      SLURM_JWT_TOKEN: "***",
    });
    expect(artifact(run, "environment/python-packages.txt").toString()).toMatch(/my[-_]pkg==0\.1\ntorch==2\.9\.0\n$/u);
    const system = JSON.parse(artifact(run, "environment/system.json").toString()) as Record<string, unknown>;
    expect(JSON.stringify(system)).toContain("uv.lock");
    expect(system["python"]).toMatchObject({ executable: expect.stringContaining("venv/bin/python") });
    expect(tagsOf(run)).toMatchObject({
      "track.host": execFileSync("hostname", { encoding: "utf8" }).trim(),
      "track.platform": expect.stringMatching(/^Linux /u),
      "track.cpu": expect.stringMatching(/\(\d+ logical\)$/u),
      "track.memory_megabytes": expect.stringMatching(/^\d+$/u),
      "track.cwd": rig.cwd,
      "mlflow.source.type": "LOCAL",
      "mlflow.user": "rigger",
    });
  });
});

const mlflowMetrics = [
  "cpu_utilization_percentage",
  "system_memory_usage_megabytes",
  "system_memory_usage_percentage",
  "disk_usage_percentage",
  "disk_usage_megabytes",
  "disk_available_megabytes",
  "network_receive_megabytes",
  "network_transmit_megabytes",
].map((name) => `system/${name}`);

async function stepsOf(rig: TrackRig, run: Run, key: string): Promise<readonly number[]> {
  await using store = await rig.openStore();
  return (await store.getMetricHistory(run.info.runId, key)).items.map(({ step }) => step);
}

describe("system metrics", () => {
  test("the shortest run has one sample of everything, and its summary", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--", "python3", "-c", "import time; time.sleep(0.2)"]);
    const run = await rig.run();
    const keys = run.data.metrics.map(({ key }) => key);
    expect(keys).toEqual(expect.arrayContaining(mlflowMetrics));
    for (const key of mlflowMetrics) expect(await stepsOf(rig, run, key), key).toEqual([0]);
    const valueOf = (key: string) => run.data.metrics.find((metric) => metric.key === `system/${key}`)?.value ?? -1;
    expect(valueOf("system_memory_usage_percentage")).toBeLessThan(100);
    expect(valueOf("disk_available_megabytes")).toBeGreaterThan(0);
    const tags = tagsOf(run);
    expect(Number(tags["track.peak.process_memory_rss_megabytes"])).toBeGreaterThan(1);
    expect(tags["track.mean.cpu_utilization_percentage"]).toMatch(/^\d+(?:\.\d)?$/u);
    expect(done.stderr).toMatch(/peak \d+ MB/u);
  });

  test("--no-system-metrics: none at all", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track([
      "run",
      "--no-system-metrics",
      "--",
      "sh",
      "-c",
      "echo $MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING",
    ]);
    expect(done.stderr).not.toContain("not sampled");
    const run = await rig.run();
    expect(run.data.metrics).toEqual([]);
    expect(Object.keys(tagsOf(run)).filter((key) => /peak|mean/u.test(key))).toEqual([]);
  });

  test("--sampling-interval 0.2: a step for each sample; a further attempt goes on behind them", async () => {
    await using rig = TrackRig.setup();
    const hold = "import time; x = bytearray(50_000_000); time.sleep(1.1)";
    await rig.track(["run", "--sampling-interval", "0.2", "--", "python3", "-c", hold]);
    const first = await stepsOf(rig, await rig.run(), "system/cpu_utilization_percentage");
    expect(first.length).toBeGreaterThanOrEqual(4);
    expect(first).toEqual(first.map((_, index) => index));
    expect(Number(tagsOf(await rig.run())["track.peak.process_memory_rss_megabytes"])).toBeGreaterThan(50);
    expect((await rig.track(["resume", "@last", "--", "true"])).code).toBe(0);
    const all = await stepsOf(rig, await rig.run(), "system/cpu_utilization_percentage");
    expect(all.length).toBeGreaterThan(first.length);
    expect(all).toEqual(all.map((_, index) => index));
  });

  test("GPUs as nvidia-smi tells them: metrics, inventory, the closing line", async () => {
    await using rig = TrackRig.setup();
    const gpu = join(repository, "fixtures/gpu");
    const env = {
      PATH: `${gpu}:${rig.env["PATH"]}`,
      FAKE_GPUS: join(gpu, "mixed-x2.csv"),
      FAKE_CALLS: join(rig.root, "calls"),
    };
    const started = rig.spawn(bin, ["run", "--sampling-interval", "0.2", "--", "sleep", "1"], { env });
    const done = await started.finished;
    const run = await rig.run();
    const keys = run.data.metrics.map(({ key }) => key);
    const fields = ["utilization_percentage", "memory_usage_megabytes", "memory_usage_percentage"];
    expect(keys).toEqual(
      expect.arrayContaining(["0", "1"].flatMap((gpu) => fields.map((f) => `system/gpu_${gpu}_${f}`))),
    );
    const rows = readFileSync(join(gpu, "mixed-x2.csv"), "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(", "));
    const inventory = JSON.parse(tagsOf(run)["track.gpus"] ?? "[]") as { uuid: string; name: string }[];
    expect(inventory.map(({ uuid, name }) => [uuid, name])).toEqual(rows.map((row) => [row[1], row[7]]));
    expect(tagsOf(run)).toHaveProperty(["track.peak.gpu_0_utilization_percentage"]);
    expect(done.stderr).toMatch(/GPU0 \d+ %/u);
    const calls = readFileSync(env.FAKE_CALLS, "utf8").trim().split("\n");
    expect(calls.filter((call) => call.includes("--loop-ms")).length).toBeLessThanOrEqual(2);
    for (const call of calls) expect(existsSync(`/proc/${call.split(" ")[0] ?? ""}`), call).toBe(false);
  });
});

describe("looking at real runs", () => {
  async function makeRuns(rig: TrackRig) {
    await rig.track([
      "run",
      "-e",
      "digits",
      "-n",
      "good",
      "-p",
      "lr=0.1",
      "--",
      "sh",
      "-c",
      "echo loss=0.5 >> $TRACK_LOG",
    ]);
    await rig.track(["run", "-e", "digits", "-n", "bad", "--", "sh", "-c", "exit 3"]);
  }

  test("ls and show, for people's programs and as MLflow's JSON", async () => {
    await using rig = TrackRig.setup();
    await makeRuns(rig);
    const listed = await rig.track(["ls"]);
    expect(listed.stderr).toBe("");
    const rows = listed.stdout
      .trim()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(rows.flat()).toEqual(expect.arrayContaining(["good", "bad", "FINISHED", "FAILED"]));
    const json = JSON.parse((await rig.track(["ls", "--json"])).stdout) as {
      runs: { info: Record<string, unknown> }[];
    };
    expect(json.runs.map(({ info }) => [info["run_name"], info["status"]])).toEqual([
      ["bad", "FAILED"],
      ["good", "FINISHED"],
    ]);
    const filtered = await rig.track(["ls", "--json", "--filter", "metrics.loss < 1 and params.lr = '0.1'"]);
    expect(filtered.stdout).toContain('"good"');
    expect(filtered.stdout).not.toContain('"bad"');
    const shown = JSON.parse((await rig.track(["show", "good", "--json"])).stdout) as {
      run: { info: object; data: { params: object[]; metrics: object[] } };
    };
    expect(shown.run.info).toMatchObject({ run_name: "good", status: "FINISHED", lifecycle_stage: "active" });
    expect(shown.run.data.params).toEqual([{ key: "lr", value: "0.1" }]);
    expect(shown.run.data.metrics).toContainEqual(expect.objectContaining({ key: "loss", value: 0.5, step: 0 }));
    expect((await rig.track(["show", "good"])).stdout).toMatch(/^param\tlr\t0\.1$/mu);
  });

  test("rm and restore, experiments", async () => {
    await using rig = TrackRig.setup();
    await makeRuns(rig);
    expect(await rig.track(["rm", "bad"])).toMatchObject({ code: 0 });
    expect((await rig.track(["ls", "--json"])).stdout).not.toContain('"bad"');
    expect((await rig.track(["ls", "--json", "--deleted"])).stdout).toContain('"bad"');
    const deleted = (await rig.runs()).find((run) => run.info.runName === "bad");
    expect(deleted?.info.lifecycleStage).toBe("deleted");
    const resumed = await rig.track(["resume", deleted?.info.runId ?? "", "--", "true"]);
    expect(resumed.code).toBe(125);
    expect(resumed.stderr).toMatch(/^track: .*deleted.*\nhint: .*restore/u);
    expect(await rig.track(["restore", deleted?.info.runId ?? ""])).toMatchObject({ code: 0 });
    expect((await rig.track(["ls", "--json"])).stdout).toContain('"bad"');
    const experiments = JSON.parse((await rig.track(["experiments", "ls", "--json"])).stdout) as {
      experiments: { name: string; lifecycle_stage: string }[];
    };
    expect(experiments.experiments.map(({ name }) => name)).toEqual(expect.arrayContaining(["Default", "digits"]));
  });

  test("rm leaves a live run alone", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    using speaker = await run.connect();
    await speaker.ask({ flush: "store", id: 1 });
    await waitFor(async () => tagsOf(await rig.run())["track.process"], { what: "its processes are named" });
    const refused = await rig.track(["rm", run.runId]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/--force/u);
    expect((await run.end()).code).toBe(0);
    expect((await rig.run()).info).toMatchObject({ status: "FINISHED", lifecycleStage: "active" });
  });

  test("experiments delete leaves one with a live run alone, and all that were named with it", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "-e", "over", "--", "true"]);
    const run = await OpenRun.start(rig, ["-e", "digits", "-n", "alive"]);
    using speaker = await run.connect();
    await speaker.ask({ flush: "store", id: 1 });
    const refused = await rig.track(["experiments", "delete", "over", "digits"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toBe(
      `track: the run is alive: ${run.runId} (alive)\nhint: wait for its end, or give --force\n`,
    );
    await speaker.ask({ metrics: { m: 1 }, flush: "store", id: 2 });
    expect((await run.end()).code).toBe(0);
    const deleted = await rig.track(["experiments", "delete", "over", "digits"]);
    expect(deleted).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^track: deleted: over .*\ntrack: deleted: digits /u),
    });
    await rig.track(["experiments", "restore", "digits"]);
    expect((await rig.runs()).find(({ info }) => info.runId === run.runId)?.info).toMatchObject({ status: "FINISHED" });
  });

  test.each([
    { name: "rm --force", words: (id: string) => ["rm", "--force", id] },
    { name: "experiments delete --force", words: () => ["experiments", "delete", "--force", "digits"] },
  ])(
    "$name deletes a live run: its command goes on, what it says from now on is set aside and told once",
    async ({ words }) => {
      await using rig = TrackRig.setup();
      const run = await OpenRun.start(rig, ["-e", "digits"]);
      using speaker = await run.connect();
      await speaker.ask({ metrics: { before: 1 }, id: 1 });
      await speaker.ask({ flush: "store", id: 2 });
      expect(await rig.track(words(run.runId))).toMatchObject({ code: 0 });
      expect(await speaker.ask({ metrics: { after: 1 }, id: 3 })).toMatchObject({ ok: true });
      const done = await run.end();
      expect(done.code).toBe(0);
      expect(done.stderr.match(/the store refused what was said \(log-batch\)/gu)).toHaveLength(1);
      const [journal = ""] = rig.journalNames();
      await waitFor(() => existsSync(join(rig.journals, journal, "finished")), { what: "the journal is done with" });
      expect(readFileSync(join(rig.journals, journal, "refused.ndjson"), "utf8")).toContain('"after"');
      const stored = (await rig.runs()).find(({ info }) => info.runId === run.runId);
      expect(stored?.info.lifecycleStage).toBe("deleted");
      expect(stored?.data.metrics.map(({ key }) => key)).toContain("before");
    },
  );

  test("an inner run lands in the outer one's store, wherever it is started", async () => {
    await using rig = TrackRig.setup();
    mkdirSync(join(rig.cwd, "elsewhere"));
    const script =
      "cd elsewhere && track run -n inner -- sh -c 'echo inner; echo m=2 >> $TRACK_LOG'; echo m=1 >> $TRACK_LOG";
    const done = await rig.track(["run", "-e", "outer experiment", "-n", "outer", "--", "sh", "-c", script]);
    expect(done).toMatchObject({ code: 0, stdout: "inner\n" });
    expect(existsSync(join(rig.cwd, "elsewhere/mlflow.db"))).toBe(false);
    const [inner, outer] = ["inner", "outer"].map(async (name) =>
      (await rig.runs()).find((run) => run.info.runName === name),
    );
    const [one, two] = [await inner, await outer];
    expect(one?.info.experimentId).toBe(two?.info.experimentId);
    expect(one && tagsOf(one)["mlflow.parentRunId"]).toBe(two?.info.runId);
    const valueOf = (run?: Run) => run?.data.metrics.find(({ key }) => key === "m")?.value;
    expect([valueOf(one), valueOf(two)]).toEqual([2, 1]);
    expect((await rig.track(["show", "outer"])).stdout).toContain("inner");
  });
});

test("pages fit an 80-column terminal and wrap nothing", async () => {
  await using rig = TrackRig.setup();
  const long = "a-very-long-run-name-that-somebody-thought-was-a-good-idea";
  await rig.track([
    "run",
    "-n",
    long,
    "-p",
    `path=/data/${"deep/".repeat(30)}`,
    "--",
    "sh",
    "-c",
    "echo loss=0.123456789 >> $TRACK_LOG",
  ]);
  const done = await rig.spawn("script", ["-qec", "stty cols 80; track ls; track show @last", "/dev/null"]).finished;
  const lines = done.stdout.replaceAll(/\u001b\[[\d;]*m/gu, "").split("\r\n");
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  expect(done.stdout).toContain("FINISHED");
});
