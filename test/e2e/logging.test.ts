import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { OpenRun, type Speaker } from "./open-run.ts";
import { metricsOf, paramsOf, processesIn, programs, tagsOf, TrackRig, waitFor } from "./rig.ts";

const isFull = process.env["TRACK_TEST_FULL"] === "1";
const mebibyte = 1024 * 1024;

/** Values of a metric in the order of the history. */
async function historyOf(rig: TrackRig, key: string) {
  await using store = await rig.openStore();
  return (await store.getMetricHistory((await rig.run()).info.runId, key)).items;
}

async function artifactOf(rig: TrackRig, file: string, encoding: BufferEncoding = "utf8"): Promise<string> {
  return readFileSync(join((await rig.run()).info.artifactUri, file), encoding);
}

const noticesIn = (stderr: string, pattern: RegExp) => stderr.split("\n").filter((line) => pattern.test(line));

describe("programs that speak on the socket", () => {
  test("Python: everything that the contract names, each reply in order", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--", "python3", join(programs, "log-socket.py")]);
    expect(done.code).toBe(0);
    const replies = done.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(replies.map(({ id, ok }) => [id, ok])).toEqual([
      ["setup", true],
      [1, true],
      [2, true],
      [3, true],
      [4, true],
      [5, true],
      [6, true],
      [7, false],
    ]);
    const run = await rig.run();
    expect(replies[6]).toMatchObject({
      run: {
        info: { run_id: run.info.runId, run_name: run.info.runName, status: "RUNNING", experiment_id: "0" },
        data: {
          metrics: [{ key: "loss", value: "NaN", timestamp: 1_790_000_000_000, step: 3 }],
          params: [
            { key: "lr", value: "0.01" },
            { key: "layers", value: "[64,10]" },
          ],
        },
      },
    });
    expect(paramsOf(run)).toEqual({ lr: "0.01", layers: "[64,10]" });
    expect(tagsOf(run)["phase"]).toBe("warm-up");
    const points = (await historyOf(rig, "loss")).map(({ step, value }) => [step, value]);
    expect(points).toHaveLength(4);
    expect(points).toEqual(
      expect.arrayContaining([
        [0, 1],
        [1, 0.5],
        [2, 1 / 3],
        [3, Number.NaN],
      ]),
    );
    expect(await artifactOf(rig, "checkpoints/model.bin")).toBe("weights");
    expect(await artifactOf(rig, "notes/a.txt")).toBe("hello");
  });

  test("C", async () => {
    await using rig = TrackRig.setup();
    const built = spawnSync("gcc", ["-o", join(rig.cwd, "log"), join(programs, "log-socket.c")], { encoding: "utf8" });
    expect(built.stderr).toBe("");
    const done = await rig.track(["run", "--", "./log"]);
    expect(done).toMatchObject({ code: 0, stdout: '{"id":"from c","ok":true}\n' });
    expect((await historyOf(rig, "loss")).map(({ step, value }) => [step, value])).toEqual(
      expect.arrayContaining([
        [0, 1],
        [1, 0.5],
        [2, 0.333333],
      ]),
    );
  });

  test("Node, with an id that no number type holds", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--", process.execPath, join(programs, "log-socket.ts")]);
    expect(done).toMatchObject({ code: 0, stdout: '{"id":1.50,"ok":true}\n' });
    expect(metricsOf(await rig.run())).toEqual({ acc: 0.9 });
  });

  test("bash, by the append file", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--", "bash", join(programs, "log-append.sh"), "n", "300"]);
    expect(done.code).toBe(0);
    expect((await historyOf(rig, "n")).map(({ step }) => step).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 300 }, (_, index) => index + 1),
    );
  });

  test("a shell script, by track log", async () => {
    await using rig = TrackRig.setup();
    rig.script(
      "say.sh",
      `set -e
track log metric loss=0.5 acc=nan --step 3 --timestamp 1790000000000
track log param lr=0.01 "name=a b=c"
track log tag phase=warm-up & track log tag other=1 & wait
mkdir -p out/deep; echo one > out/a; echo two > out/deep/b
track log artifact out/a out --artifact-path kept
(cd out && track log artifact deep/b)
track log text notes/a.txt 'it works'
echo piped | track log text notes/b.txt
printf '%s\\n' '{"metrics":{"batch":1},"step":1}' '{"metrics":{"batch":2},"step":2}' | track log batch
`,
    );
    const done = await rig.track(["run", "--", "sh", "say.sh"]);
    expect(done).toMatchObject({ code: 0, stdout: "" });
    const run = await rig.run();
    expect(metricsOf(run)).toEqual({ loss: 0.5, acc: Number.NaN, batch: 2 });
    expect(paramsOf(run)).toEqual({ lr: "0.01", name: "a b=c" });
    expect(tagsOf(run)).toMatchObject({ phase: "warm-up", other: "1" });
    expect(await historyOf(rig, "loss")).toMatchObject([{ step: 3, timestamp: 1_790_000_000_000 }]);
    const files = { "kept/a": "one\n", "kept/out/a": "one\n", "kept/out/deep/b": "two\n", b: "two\n" };
    for (const [file, content] of Object.entries(files)) expect(await artifactOf(rig, file)).toBe(content);
    expect(await artifactOf(rig, "notes/a.txt")).toBe("it works");
    expect(await artifactOf(rig, "notes/b.txt")).toBe("piped\n");
  });

  test("eight on the socket and four on the append file at once lose and double nothing", async () => {
    await using rig = TrackRig.setup();
    const script = `python3 ${programs}/log-flood.py 500 8 & for i in a b c d; do bash ${programs}/log-append.sh $i 200 & done; wait`;
    const done = await rig.track(["run", "--", "sh", "-c", script]);
    expect(done).toMatchObject({ code: 0, stdout: "" });
    for (let number = 0; number < 8; number += 1) {
      const steps = (await historyOf(rig, `m${number}`)).map(({ step }) => step);
      expect(steps.sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, index) => index));
    }
    for (const name of ["a", "b", "c", "d"]) expect(await historyOf(rig, name)).toHaveLength(200);
  });

  test("200,000 points arrive, each once", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--", "python3", join(programs, "log-flood.py"), "50000", "4"]);
    expect(done).toMatchObject({ code: 0 });
    for (let number = 0; number < 4; number += 1) {
      const items = await historyOf(rig, `m${number}`);
      expect(items).toHaveLength(50_000);
      expect(items.every(({ step, value }) => step === value)).toBe(true);
      expect(new Set(items.map(({ step }) => step)).size).toBe(50_000);
    }
  });
});

describe("what a reply promises", () => {
  test("flush to the store: another process finds it there while the command lives", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    using speaker = await run.connect();
    for (let step = 0; step < 1000; step += 1) speaker.say({ metrics: { loss: step }, step });
    speaker.say({ params: { lr: "0.1" }, tags: { phase: "x" } });
    expect(await speaker.ask({ flush: "store", id: 1 })).toEqual({ id: 1, ok: true });
    expect(await historyOf(rig, "loss")).toHaveLength(1000);
    const stored = await rig.run();
    expect(paramsOf(stored)).toEqual({ lr: "0.1" });
    expect(tagsOf(stored)["phase"]).toBe("x");
    expect(stored.info.status).toBe("RUNNING");
    await run.end();
  });

  test("get: the run as it stands, and as MLflow says it, whatever is stored yet", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig, ["-p", "lr=0.1", "-n", "named"]);
    using speaker = await run.connect();
    speaker.say({ metrics: { loss: 3, best: "-Infinity" }, step: 7, timestamp: 5 });
    speaker.say({ metrics: { loss: 9 }, step: 2, timestamp: 9 });
    const { run: seen } = (await speaker.ask({ get: "run", id: 1 })) as {
      run: { info: object; data: { metrics: object[]; params: object[]; tags: { key: string; value: string }[] } };
    };
    expect(seen.info).toMatchObject({ run_id: run.runId, run_name: "named", status: "RUNNING" });
    expect(seen.data.metrics).toEqual(
      expect.arrayContaining([
        { key: "loss", value: 3, timestamp: 5, step: 7 },
        { key: "best", value: "-Infinity", timestamp: 5, step: 7 },
      ]),
    );
    expect(seen.data.params).toEqual([{ key: "lr", value: "0.1" }]);
    expect(seen.data.tags).toContainEqual({ key: "mlflow.runName", value: "named" });
    expect(await speaker.ask({ get: "run", run_id: "0".repeat(32), id: 2 })).toMatchObject({
      ok: false,
      error: { code: "RESOURCE_DOES_NOT_EXIST" },
    });
    await run.end();
  });

  test("get in a further attempt: nothing of how the last one ended", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "-p", "lr=0.1", "--", "sh", "-c", "echo loss=1 step=4 >> $TRACK_LOG; exit 3"]);
    const run = await OpenRun.start(rig, [], ["resume", "@last"]);
    using speaker = await run.connect();
    const reply = (await speaker.ask({ get: "run", id: 1 })) as { run: { data: Record<string, { key: string }[]> } };
    const { metrics = [], params, tags = [] } = reply.run.data;
    expect(metrics).toContainEqual(expect.objectContaining({ key: "loss", value: 1, step: 4 }));
    expect(params).toEqual([{ key: "lr", value: "0.1" }]);
    const keys = tags.map(({ key }) => key);
    expect(keys).toContain("track.attempt.1.exit_code");
    expect(keys).not.toContain("track.exit_code");
    await run.end();
  });

  test("an artifact is taken before its reply: what happens to the file afterwards does not matter", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    using speaker = await run.connect();
    const file = join(rig.cwd, "model.bin");
    const content = Buffer.alloc(3 * mebibyte, "first ");
    writeFileSync(file, content);
    expect(await speaker.ask({ artifact: file, id: 1 })).toEqual({ id: 1, ok: true });
    writeFileSync(file, "overwritten");
    expect(await speaker.ask({ artifact: "model.bin", artifact_path: "later", id: 2 })).toEqual({ id: 2, ok: true });
    await run.end();
    expect((await artifactOf(rig, "model.bin", "latin1")) === content.toString("latin1")).toBe(true);
    expect(await artifactOf(rig, "later/model.bin")).toBe("overwritten");
    expect(statSync(join((await rig.run()).info.artifactUri, "model.bin")).ino).not.toBe(statSync(file).ino);
  });

  test("relative paths: from the sender's cwd where it says one, else from the run's; folders with all that is in them", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    using speaker = await run.connect();
    mkdirSync(join(rig.cwd, "out/deep"), { recursive: true });
    writeFileSync(join(rig.cwd, "out/deep/a"), "a");
    writeFileSync(join(rig.cwd, "out/b"), "b");
    symlinkSync("b", join(rig.cwd, "out/link"));
    writeFileSync(join(rig.root, "home/c"), "c");
    expect(await speaker.ask({ artifact: "out", artifact_path: "x/y", id: 1 })).toMatchObject({ ok: true });
    expect(await speaker.ask({ artifact: "c", cwd: join(rig.root, "home"), id: 2 })).toMatchObject({ ok: true });
    expect(await speaker.ask({ artifact: "c", id: 3 })).toMatchObject({
      ok: false,
      error: { code: "RESOURCE_DOES_NOT_EXIST", message: expect.stringContaining(join(rig.cwd, "c")) },
    });
    expect(await speaker.ask({ artifact: "out/b", artifact_path: "../up", id: 4 })).toMatchObject({
      ok: false,
      error: { code: "INVALID_PARAMETER_VALUE" },
    });
    expect(await speaker.ask({ artifact: "/dev/null", id: 5 })).toMatchObject({ ok: false });
    const done = await run.end();
    const expected = { "x/y/out/deep/a": "a", "x/y/out/b": "b", "x/y/out/link": "b", c: "c" };
    for (const [path, content] of Object.entries(expected)) expect(await artifactOf(rig, path)).toBe(content);
    expect(noticesIn(done.stderr, /dropped|refused/u)).toEqual([]);
  });

  test("NaN is kept and infinities are stored as MLflow does; the closing line and the exit code survive them", async () => {
    await using rig = TrackRig.setup();
    const script = 'echo "loss=NaN worst=-Infinity best=inf last=1" >> "$TRACK_LOG"; exit 7';
    const done = await rig.track(["run", "--", "sh", "-c", script]);
    expect(done.code).toBe(7);
    expect(done.stderr).toMatch(/^track: FAILED in .*exit 7.*track show /mu);
    const { metrics } = (await rig.run()).data;
    const valueOf = (key: string) => metrics.find((metric) => metric.key === key)?.value;
    expect([valueOf("loss"), valueOf("worst"), valueOf("best")]).toEqual([
      Number.NaN,
      -Number.MAX_VALUE,
      Number.MAX_VALUE,
    ]);
  });
});

describe("params that differ", () => {
  test("from the same client: an error, and what was in the line besides is not taken", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    using speaker = await run.connect();
    expect(await speaker.ask({ params: { lr: "0.1" }, id: 1 })).toMatchObject({ ok: true });
    expect(await speaker.ask({ params: { lr: "0.1" }, id: 2 })).toMatchObject({ ok: true });
    expect(await speaker.ask({ params: { opt: "adam", lr: "0.2" }, metrics: { m: 1 }, id: 3 })).toEqual({
      id: 3,
      ok: false,
      error: {
        code: "INVALID_PARAMETER_VALUE",
        message: expect.stringContaining("Param with key='lr' was already logged with value='0.1'"),
      },
    });
    const done = await run.end();
    const stored = await rig.run();
    expect(paramsOf(stored)).toEqual({ lr: "0.1" });
    expect(metricsOf(stored)).toEqual({});
    expect(tagsOf(stored)["track.attempt.1.param.lr"]).toBeUndefined();
    expect(noticesIn(done.stderr, /lr/u)).toEqual([]);
  });

  test("from others, the command line included: the later value is kept as a tag, with one warning", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig, ["-p", "seed=1"]);
    using one = await run.connect();
    using other = await run.connect();
    expect(await one.ask({ params: { lr: "0.1", seed: "2" }, id: 1 })).toMatchObject({ ok: true });
    expect(await other.ask({ params: { lr: "0.2", opt: "adam" }, id: 1 })).toMatchObject({ ok: true });
    appendFileSync(run.appendFile, "param.lr=0.3\nparam.lr=0.1\n");
    await waitFor(
      async () => {
        const { run: seen } = (await one.ask({ get: "run", id: 2 })) as {
          run: { data: { tags: { key: string; value: string }[] } };
        };
        return seen.data.tags.some(({ key, value }) => key === "track.attempt.1.param.lr" && value === "0.3");
      },
      { what: "the append file is read" },
    );
    const done = await run.end();
    const stored = await rig.run();
    expect(paramsOf(stored)).toEqual({ seed: "1", lr: "0.1", opt: "adam" });
    expect(tagsOf(stored)).toMatchObject({ "track.attempt.1.param.seed": "2", "track.attempt.1.param.lr": "0.3" });
    expect(noticesIn(done.stderr, /param \w+ is/u)).toHaveLength(1);
  });

  test("a value that the store got from elsewhere meanwhile is kept, and so is what was said here", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    using speaker = await run.connect();
    await speaker.ask({ flush: "store", id: 0 });
    await (async () => {
      await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
      await store.logBatch(run.runId, { params: [{ key: "lr", value: "0.1" }] });
    })();
    await speaker.ask({ params: { lr: "0.2", opt: "adam" }, metrics: { m: 1 }, tags: { a: "b" }, id: 1 });
    const done = await run.end();
    expect(done.code).toBe(0);
    const stored = await rig.run();
    expect(stored.info.status).toBe("FINISHED");
    expect(metricsOf(stored)).toEqual({ m: 1 });
    expect(tagsOf(stored)).toMatchObject({ a: "b", "track.attempt.1.param.lr": "0.2" });
    expect(paramsOf(stored)).toEqual({ lr: "0.1", opt: "adam" });
    expect(noticesIn(done.stderr, /param lr is 0\.1 already; 0\.2 is kept as tag/u)).toHaveLength(1);
    expect(noticesIn(done.stderr, /refused/u)).toEqual([]);
  });

  test("long values are cut with a warning, as MLflow does", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    using speaker = await run.connect();
    speaker.say({ params: { long: "p".repeat(7000), wide: "ü".repeat(7000) }, tags: { note: "t".repeat(9000) } });
    speaker.say({ params: { longer: "p".repeat(7000) } });
    expect(await speaker.ask({ flush: true, id: 1 })).toMatchObject({ ok: true });
    const done = await run.end();
    const stored = await rig.run();
    expect(paramsOf(stored)).toEqual({
      long: "p".repeat(6000),
      wide: "ü".repeat(6000),
      longer: "p".repeat(6000),
    });
    expect(tagsOf(stored)["note"]).toBe("t".repeat(8000));
    expect(noticesIn(done.stderr, /too long and was cut/u)).toHaveLength(2);
  });
});

describe("rubbish", () => {
  test("on the socket: answered, told once per kind, and neither the run nor the command notices", async () => {
    await using rig = TrackRig.setup();
    const program = join(programs, "log-rubbish.py");
    const script = `python3 ${program} && python3 ${program}; python3 ${program} hang-up; python3 ${program} hang-up; exit 3`;
    const done = await rig.track(["run", "--", "sh", "-c", script]);
    expect(done.code).toBe(3);
    const replies = done.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: unknown; ok: boolean });
    const once = [...Array.from({ length: 7 }, () => [null, false]), ["last", true]];
    expect(replies.map(({ id, ok }) => [id, ok])).toEqual([...once, ...once]);
    const notices = noticesIn(done.stderr, /^track: a log line was dropped/u);
    expect(notices).toHaveLength(3);
    expect(notices.join("\n")).toMatch(/UTF-8[^]*1048576 bytes[^]*half-way/u);
    const run = await rig.run();
    expect(run.info.status).toBe("FAILED");
    expect(metricsOf(run)).toEqual({ good: 1, before: 1 });
  });

  test("with an id: an error reply names the mistake, and the connection lives on", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    using speaker = await run.connect();
    const bad: readonly object[] = [
      { metrics: { "a\u0001b": 1 } },
      { metrics: { loss: "0.3" } },
      { metrics: { loss: 1 }, step: 1.5 },
      { metrics: { loss: 1 }, timestamp: -1 },
      { params: [] },
      { artifact: "x", metrics: { loss: 1 } },
      { text: 1, artifact_file: "a" },
      { text: "x", artifact_file: "/abs" },
      { flush: "soon" },
      { get: "everything" },
      { speed: 1 },
      {},
    ];
    for (const [id, line] of bad.entries()) {
      expect(await speaker.ask({ ...line, id }), JSON.stringify(line)).toEqual({
        id,
        ok: false,
        error: { code: "INVALID_PARAMETER_VALUE", message: expect.stringMatching(/./u) },
      });
    }
    speaker.say(`{"params":{"huge":"${"x".repeat(2 * mebibyte)}"},"id":"huge"}\n`);
    expect(await speaker.reply()).toMatchObject({ id: null, ok: false });
    expect(await speaker.ask({ metrics: { good: 1 }, id: "end" })).toEqual({ id: "end", ok: true });
    await run.end();
    const stored = await rig.run();
    expect(metricsOf(stored)).toEqual({ good: 1 });
    expect(paramsOf(stored)).toEqual({});
  });

  test("in the append file: the good lines count, the last one without a newline too", async () => {
    await using rig = TrackRig.setup();
    rig.script(
      "say.sh",
      `{ echo 'loss=0.5 acc=0.25 step=1'; echo; echo 'no word of ours'; echo 'loss=high'; echo 'speed=low'
echo '{"metrics":{"json":2},"params":{"p":1},"step":4}'; echo '{"metrics":{"json":tru'; printf '\\377\\376\\n'
head -c 2097152 /dev/zero | tr '\\0' x; echo
echo 'param.lr=0.01 tag.phase=warm-up'; echo '{"text":"hello","artifact_file":"notes/a.txt"}'
printf 'last=1 step=9'; } >> "$TRACK_LOG"`,
    );
    const done = await rig.track(["run", "--", "sh", "say.sh"]);
    expect(done.code).toBe(0);
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ loss: 0.5, acc: 0.25, json: 2, last: 1 });
    expect(paramsOf(run)).toEqual({ p: "1", lr: "0.01" });
    expect(tagsOf(run)["phase"]).toBe("warm-up");
    expect(await artifactOf(rig, "notes/a.txt")).toBe("hello");
    expect(await historyOf(rig, "last")).toMatchObject([{ step: 9 }]);
    expect(noticesIn(done.stderr, /^track: a log line was dropped/u)).toHaveLength(3);
  });

  test("binary bytes, from clients that never read, leave the run alone", async () => {
    await using rig = TrackRig.setup();
    const run = await OpenRun.start(rig);
    const clients = await Promise.all(Array.from({ length: 4 }, () => run.connect()));
    for (const client of clients) {
      client.socket.pause();
      client.say(Buffer.alloc(100_000, '\u00ff\n{"', "latin1"));
    }
    using speaker = await run.connect();
    expect(await speaker.ask({ metrics: { good: 1 }, id: 1 })).toEqual({ id: 1, ok: true });
    for (const client of clients) client[Symbol.dispose]();
    const done = await run.end(4);
    expect(done.code).toBe(4);
    expect(metricsOf(await rig.run())).toEqual({ good: 1 });
    expect(noticesIn(done.stderr, /^track: a log line was dropped/u).length).toBeLessThanOrEqual(2);
  });
});

describe("track log outside", () => {
  test("names a run with --run; without it, exit code 2 and a hint", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "-p", "lr=0.1", "--", "true"]);
    writeFileSync(join(rig.cwd, "model.bin"), "weights");
    for (const words of [
      ["metric", "late=1", "--step", "5"],
      ["tag", "quality=good"],
      ["param", "added=1"],
      ["artifact", "model.bin", "--artifact-path", "late"],
      ["text", "notes/late.txt", "said later"],
    ]) {
      const done = await rig.track(["log", ...words, "--run", "@last"]);
      expect(done, words.join(" ")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    }
    const refused = await rig.track(["log", "param", "lr=0.2", "--run", "@last"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^track: .*'lr'.*\n$/u);
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ late: 1 });
    expect(paramsOf(run)).toEqual({ lr: "0.1", added: "1" });
    expect(tagsOf(run)["quality"]).toBe("good");
    expect(await artifactOf(rig, "late/model.bin")).toBe("weights");
    expect(await artifactOf(rig, "notes/late.txt")).toBe("said later");
    const lost = await rig.track(["log", "metric", "x=1"]);
    expect(lost).toMatchObject({ code: 2, stdout: "" });
    expect(lost.stderr).toMatch(/^track: .*TRACK_SOCKET.*\nhint: .*--run.*\n$/u);
    expect((await rig.track(["log", "metric", "x=1", "--run", "nobody"])).code).toBe(1);
  });
});

/** Says numbers, a hundred at a time, waits for a flush behind each hundred, until the connection breaks. */
class Flood {
  /** The last number that a flush has vouched for. */
  acknowledged = -1;
  readonly over: Promise<void>;

  constructor(speaker: Speaker) {
    this.over = this.#speak(speaker).catch(() => speaker[Symbol.dispose]());
  }

  async #speak(speaker: Speaker): Promise<void> {
    for (let number = 0; ; number += 100) {
      for (let step = number; step < number + 100; step += 1) speaker.say({ metrics: { n: step }, step });
      const { ok } = await speaker.ask({ flush: true, id: number });
      if (ok !== true) throw new Error("a flush failed");
      this.acknowledged = number + 99;
    }
  }
}

const recorderPid = (rig: TrackRig) =>
  processesIn(rig.root).find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("recorder.cjs");
    } catch {
      return false;
    }
  });

describe("kill -9 in the middle of a flood", () => {
  const rounds = isFull ? 50 : 10;

  /** Kills what `victims` names some milliseconds after the first acknowledgement; others in each round. */
  async function floodAndKill(rig: TrackRig, round: number, victims: (run: OpenRun, recorder: number) => number[]) {
    const run = await OpenRun.start(rig, ["--no-system-metrics", "--quiet"]);
    const flood = new Flood(await run.connect());
    await waitFor(() => flood.acknowledged >= 0, { what: "a first acknowledgement" });
    const recorder = await waitFor(() => recorderPid(rig), { what: "the recorder" });
    await new Promise((settle) => setTimeout(settle, 13 * (round % 16)));
    for (const victim of victims(run, recorder)) process.kill(victim, "SIGKILL");
    await flood.over;
    return { run, recorder, last: flood.acknowledged };
  }

  async function expectOnce(rig: TrackRig, last: number): Promise<void> {
    const steps = (await historyOf(rig, "n")).map(({ step }) => step).sort((a, b) => a - b);
    expect(new Set(steps).size).toBe(steps.length);
    expect(steps.slice(0, last + 1)).toEqual(Array.from({ length: last + 1 }, (_, index) => index));
  }

  test(
    `of the recorder: what was acknowledged is stored once, ${rounds} times`,
    async () => {
      for (let round = 0; round < rounds; round += 1) {
        await using rig = TrackRig.setup();
        const { run, recorder, last } = await floodAndKill(rig, round, (_run, pid) => [pid]);
        await waitFor(() => (recorderPid(rig) ?? recorder) !== recorder, { what: "another recorder" });
        expect(await run.end(5)).toMatchObject({ code: 5, stdout: "", stderr: "" });
        expect((await rig.run()).info.status).toBe("FAILED");
        await expectOnce(rig, last);
      }
    },
    rounds * 6000,
  );

  test(
    `of wrapper and recorder: the next track ls stores what was acknowledged, once, ${rounds} times`,
    async () => {
      for (let round = 0; round < rounds; round += 1) {
        await using rig = TrackRig.setup();
        const { run, last } = await floodAndKill(rig, round, ({ started }, pid) =>
          round % 2 === 0 ? [started.process.pid ?? 0, pid] : [pid, started.process.pid ?? 0],
        );
        await run.end();
        await waitFor(() => processesIn(rig.root).length === 0, { what: "the command is gone" });
        const listed = await rig.track(["ls", "--json"]);
        expect(JSON.parse(listed.stdout)).toMatchObject({ runs: [{ info: { run_id: run.runId, status: "KILLED" } }] });
        await expectOnce(rig, last);
        expect(rig.journalNames()).toEqual([]);
      }
    },
    rounds * 6000,
  );
});

test("nothing is left of a run: no journal, no socket, no process", async () => {
  await using rig = TrackRig.setup();
  await rig.track(["run", "--", "sh", "-c", "track log metric a=1; echo b=1 >> $TRACK_LOG"]);
  await waitFor(() => processesIn(rig.root).length === 0, { what: "all processes are gone" });
  expect(rig.journalNames()).toEqual([]);
  expect(readdirSync(join(rig.root, "run"))).toEqual([]);
  expect(readdirSync(join(rig.root, "tmp"))).toEqual([]);
});
