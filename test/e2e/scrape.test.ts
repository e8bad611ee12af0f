import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findRecorder } from "../bench/processes.ts";
import { metricsOf, paramsOf, repository, tagsOf, TrackRig, waitFor } from "./rig.ts";

const logs = join(repository, "fixtures/logs");
const events = join(repository, "fixtures/tensorboard");

/** `[step, value]` of one metric, in the order of the store. */
async function historyOf(rig: TrackRig, key: string): Promise<readonly (readonly [number, number])[]> {
  await using store = await rig.openStore();
  const { items } = await store.getMetricHistory((await rig.run()).info.runId, key);
  return items.map(({ step, value }) => [step, value] as const);
}

describe("--scrape", () => {
  test("logs what a program prints, on a terminal's bytes as well", async () => {
    await using rig = TrackRig.setup();
    const command = ["sh", "-c", `cat ${logs}/keras.log; echo 'auc: 0.25' >&2`];
    const done = await rig.track(["run", "--scrape", "auto", "--no-system-metrics", "--", ...command]);
    expect(done).toMatchObject({ code: 0, stdout: readFileSync(join(logs, "keras.log"), "utf8") });
    expect(done.stderr).toContain("auc: 0.25\n");
    expect(await historyOf(rig, "val_loss")).toEqual([
      [1, 0.8702],
      [2, 0.8642],
      [3, 0.8583],
    ]);
    expect(metricsOf(await rig.run())).toMatchObject({ accuracy: 0.625, eval_loss: 0.7593, auc: 0.25 });
    expect(JSON.parse(tagsOf(await rig.run())["track.options"] ?? "")).toEqual({
      scrape: "auto",
      systemMetrics: false,
    });
  });

  test("takes a pattern, and points without a step count up, over a resumed attempt as well", async () => {
    await using rig = TrackRig.setup();
    const program = rig.script("train", '#!/bin/sh\nfor i in 1 2 3; do echo "score now $TRACK_ATTEMPT.$i"; done\n');
    await rig.track(["run", "--quiet", "--scrape", "score now {score}", "--", program]);
    expect(await historyOf(rig, "score")).toEqual([
      [0, 1.1],
      [1, 1.2],
      [2, 1.3],
    ]);
    await rig.track(["resume", "@last"]);
    expect((await historyOf(rig, "score")).slice(3)).toEqual([
      [3, 2.1],
      [4, 2.2],
      [5, 2.3],
    ]);
  });

  test("nothing is taken unless it is asked for", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "--quiet", "--", "echo", "loss: 0.5"]);
    await rig.track(["run", "--quiet", "--scrape", "off", "--", "echo", "loss: 0.5"]);
    for (const run of await rig.runs()) expect(metricsOf(run)).toEqual({});
  });

  test("reads the files of a command whose output goes into files, from where it began", async () => {
    await using rig = TrackRig.setup();
    writeFileSync(join(rig.cwd, "out"), "loss: 99\n");
    const line = "track run --quiet --scrape auto -- sh -c 'echo loss: 0.5; echo acc: 0.75 >&2' >> out 2> err";
    expect((await rig.spawn("sh", ["-c", line]).finished).code).toBe(0);
    expect(metricsOf(await rig.run())).toEqual({ loss: 0.5, acc: 0.75 });
  });

  test("each point once, whatever happens to the recorder", async () => {
    await using rig = TrackRig.setup();
    const program = rig.script(
      "train",
      '#!/bin/sh\nfor i in 1 2 3 4 5; do echo "loss: 0.$i"; done\ntouch half\nwhile [ ! -e go ]; do sleep 0.02; done\n' +
        'for i in 6 7 8; do echo "loss: 0.$i"; done\n',
    );
    const started = rig.start(["run", "--quiet", "--no-system-metrics", "--scrape", "auto", "--", program]);
    const stored = async (count: number) => (await historyOf(rig, "loss")).length === count;
    await waitFor(() => stored(5), { what: "the first half is stored" });
    const recorder = findRecorder(rig.root) ?? 0;
    process.kill(recorder, "SIGKILL");
    await waitFor(() => ![undefined, recorder].includes(findRecorder(rig.root)), { what: "its successor runs" });
    writeFileSync(join(rig.cwd, "go"), "");
    expect((await started.finished).code).toBe(0);
    expect(await historyOf(rig, "loss")).toEqual(Array.from({ length: 8 }, (_, index) => [index, (index + 1) / 10]));
  });

  test("what wrapper and recorder could not read any more is read by the next command", async () => {
    await using rig = TrackRig.setup();
    const program = rig.script("train", "#!/bin/sh\necho 'loss: 0.5'\ntouch half\nwhile :; do sleep 0.02; done\n");
    const env = { API_TOKEN: "s3cr3t-value-123456" };
    const started = rig.start(["run", "--quiet", "--no-system-metrics", "--scrape", "auto", "--", program], { env });
    await waitFor(() => existsSync(join(rig.cwd, "half")));
    await waitFor(async () => (await historyOf(rig, "loss")).length === 1);
    const recorder = findRecorder(rig.root) ?? 0;
    process.kill(recorder, "SIGSTOP");
    const [name = ""] = rig.journalNames();
    appendFileSync(join(rig.journals, name, "console.raw"), "loss: 0.25\n");
    started.process.kill("SIGKILL");
    const { pid } = JSON.parse(readFileSync(join(rig.journals, name, "command.json"), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    process.kill(recorder, "SIGKILL");
    await waitFor(() => findRecorder(rig.root) === undefined);
    await rig.track(["ls"]);
    expect(await historyOf(rig, "loss")).toEqual([
      [0, 0.5],
      [1, 0.25],
    ]);
  });

  test("a pattern that would backtrack for ever holds up nothing", async () => {
    await using rig = TrackRig.setup();
    const text = `${"x".repeat(5000)}!`;
    const pattern = String.raw`(?<loss>(x+x+)+y)|end=(?<acc>\d+)`;
    const script = `i=0; while [ $i -lt 200 ]; do echo ${text}; i=$((i+1)); done; echo end=7`;
    const done = await rig.track(["run", "--quiet", "--scrape", pattern, "--", "sh", "-c", script]);
    expect(done.code).toBe(0);
    expect(metricsOf(await rig.run())).toEqual({ acc: 7 });
  });
});

describe("--tensorboard", () => {
  test("takes files as they grow, once, and nothing that was there before", async () => {
    await using rig = TrackRig.setup();
    const folder = join(rig.cwd, "runs");
    mkdirSync(join(folder, "old"), { recursive: true });
    copyFileSync(
      join(events, "x/events.out.tfevents.1700000000.host.1"),
      join(folder, "old/events.out.tfevents.1.old"),
    );
    const source = readFileSync(join(events, "torch/events.out.tfevents.1700000000.host.2"));
    const growing = join(folder, "now/events.out.tfevents.2.now");
    const waiting = "mkdir -p runs/now; touch up; while [ ! -e go ]; do sleep 0.02; done";
    const options = ["--quiet", "--no-system-metrics", "--tensorboard", "runs"];
    const started = rig.start(["run", ...options, "--", "sh", "-c", waiting]);
    await waitFor(() => existsSync(join(rig.cwd, "up")));
    writeFileSync(growing, source.subarray(0, 200));
    await waitFor(async () => (await historyOf(rig, "old")).length > 0, { what: "the first points are stored" });
    appendFileSync(growing, source.subarray(200));
    writeFileSync(join(rig.cwd, "go"), "");
    expect((await started.finished).code).toBe(0);
    expect(await historyOf(rig, "old")).toEqual([
      [0, 0],
      [1, 2],
      [2, 4],
    ]);
    expect(await historyOf(rig, "new")).toEqual([
      [0, 0],
      [1, 3],
      [2, 6],
    ]);
    expect(Object.keys(metricsOf(await rig.run())).sort()).toEqual(["broken", "double", "new", "old"]);

    // The next attempt takes only what its own command writes.
    const before = await historyOf(rig, "old");
    await rig.track(["resume", "@last", "--", "sh", "-c", `mkdir runs/next; cp ${events}/x/* runs/next`]);
    expect(await historyOf(rig, "old")).toEqual(before);
    expect(await historyOf(rig, "Loss/train")).toHaveLength(3);
  });

  test("hyperparameters become params; a folder that stays empty is told", async () => {
    await using rig = TrackRig.setup();
    const options = ["--tensorboard", "logs", "--tensorboard", "nothing"];
    const done = await rig.track(["run", ...options, "--", "sh", "-c", `cp -r ${events}/hparams logs`]);
    expect(done.code).toBe(0);
    expect(done.stderr).toContain(`track: no TensorBoard event file has come in ${rig.cwd}/nothing\n`);
    expect(paramsOf(await rig.run())).toEqual({ lr: "0.01", batch_size: "32", optimizer: "adam", amp: "1" });
    expect(metricsOf(await rig.run())).toMatchObject({ "hparam/accuracy": Math.fround(0.9) });
  });

  test("rubbish under the name of an event file is told, and nothing else suffers", async () => {
    await using rig = TrackRig.setup();
    const command = `mkdir logs; cp -r ${events}/rubbish ${events}/damaged ${events}/x logs`;
    const done = await rig.track(["run", "--tensorboard", "logs", "--", "sh", "-c", command]);
    expect(done.stderr).toMatch(/track: .*rubbish.* is no event file of TensorBoard/u);
    expect(done.stderr).toMatch(/track: .*damaged.*: a damaged record was left out, at byte 40\n/u);
    expect(await historyOf(rig, "loss")).toEqual([
      [0, 0],
      [2, 2],
    ]);
    expect(metricsOf(await rig.run())).toHaveProperty(["x/Loss/train"]);
  });
});

test("--params-from-args: the command's own options, secrets masked, -p wins", async () => {
  await using rig = TrackRig.setup();
  const program = rig.script("train.sh", "#!/bin/sh\nexit 0\n");
  const args = ["--lr", "0.01", "--epochs=5", "+model.depth=3", "--amp", "--api-key", "hunter2hunter2", "--seed", "1"];
  const done = await rig.track(["run", "--params-from-args", "-p", "seed=7", "--", program, ...args]);
  expect(done.code).toBe(0);
  expect(paramsOf(await rig.run())).toEqual({
    lr: "0.01",
    epochs: "5",
    "model.depth": "3",
    amp: "true",
    "api-key": "***",
    seed: "7",
  });
});

test.each<[readonly string[], string, string]>([
  [["--scrape", "loss"], "--scrape is no pattern: loss: it names no metric", "auto, off, a template"],
  [["--scrape", "(?<loss>["], "--scrape is no pattern: (?<loss>[: missing", "auto, off, a template"],
  [["--scrape", "auto", "--capture", "off"], "--scrape needs the output that --capture off leaves alone", "give one"],
  [["--tensorboard", "file"], "--tensorboard is not a folder: ", "name the folder"],
  [["--tensorboard", "file/below"], "--tensorboard is not a folder: ", "name the folder"],
  [["--tensorboard", ""], "--tensorboard needs a value", "track --help"],
  [["--scrape", ""], "--scrape needs a value", "track --help"],
])("run %j is a mistake", async (options, message, hint) => {
  await using rig = TrackRig.setup();
  writeFileSync(join(rig.cwd, "file"), "");
  const done = await rig.track(["run", ...options, "--", "touch", "started"]);
  expect(done).toMatchObject({ code: 125, stdout: "" });
  expect(done.stderr).toContain(`track: ${message}`);
  expect(done.stderr).toContain(`hint: ${hint}`);
  expect(existsSync(join(rig.cwd, "started"))).toBe(false);
});
