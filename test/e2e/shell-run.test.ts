import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { readLink, readOrUndefined } from "../../src/util/proc.ts";
import { type Finished, metricsOf, paramsOf, processesIn, tagsOf, TrackRig, waitFor } from "./rig.ts";
import { namesIn, posixShells } from "./shells.ts";

/** Nobody evaluates what this one has printed; it takes its ten seconds while the other tests run. */
let unheard: { readonly rig: TrackRig; readonly begun: number };

beforeAll(async () => {
  const rig = TrackRig.setup();
  unheard = { rig, begun: performance.now() };
  const { code, stdout } = await rig.track(["start", "-n", "unheard"]);
  expect(code).toBe(0);
  expect(stdout).toContain("TRACK_RUN_ID");
});

afterAll(() => unheard.rig[Symbol.asyncDispose]());

/** Runs a script of the rig by a shell. */
const runScript = (rig: TrackRig, shell: string, text: string): Promise<Finished> =>
  rig.spawn(shell, [rig.script("script.sh", text)]).finished;

/** No process, no socket, no journal. */
async function expectNothingLeft(rig: TrackRig): Promise<void> {
  const left = () => [...processesIn(rig.root), ...namesIn(join(rig.root, "run")), ...rig.journalNames()];
  await waitFor(() => left().length === 0, { what: `nothing is left: ${left().join(" ")}` }).catch((error: unknown) => {
    expect(left()).toEqual([]);
    throw error;
  });
}

const recorderOf = (rig: TrackRig): number | undefined =>
  processesIn(rig.root).find((pid) => readOrUndefined(`/proc/${pid}/cmdline`)?.includes("recorder.cjs"));

const byName = async (rig: TrackRig, name: string): Promise<Run> => {
  const run = (await rig.runs()).find(({ info }) => info.runName === name);
  if (run === undefined) throw new Error(`no run ${name}`);
  return run;
};

describe.each(posixShells)("in %s", (shell) => {
  test("a run from start to the trap, with all that is said in between", async () => {
    await using rig = TrackRig.setup();
    const finished = await runScript(
      rig,
      shell,
      `set -eu
eval "$(track start -e sweep -n whole -p lr=0.1 -t team=vision)"
trap 'track end --status-from $?' EXIT
track log metric loss=0.5 --step 3
echo "acc=0.9 step=2" >> "$TRACK_LOG"
track log param opt=adam
echo out
exit 3
`,
    );
    expect(finished).toMatchObject({ code: 3, stdout: "out\n" });
    expect(finished.stderr).toContain("run whole (");
    expect(finished.stderr).toContain("without the shell's own output");
    expect(finished.stderr).toMatch(/track: FAILED in .* \| exit 3 \| .*loss 0\.5/u);
    const run = await rig.run();
    expect(run.info).toMatchObject({ status: "FAILED", runName: "whole" });
    expect(paramsOf(run)).toEqual({ lr: "0.1", opt: "adam" });
    expect(metricsOf(run)).toEqual({ loss: 0.5, acc: 0.9 });
    // Of the shell and what it has started.
    const processes = run.data.metrics.find(({ key }) => key === "system/process_count");
    expect(processes?.value).toBeGreaterThanOrEqual(1);
    expect(tagsOf(run)).toMatchObject({
      team: "vision",
      "track.exit_code": "3",
      "mlflow.source.name": join(rig.cwd, "script.sh"),
      "track.cwd": rig.cwd,
    });
    expect(tagsOf(run)).not.toHaveProperty("track.command");
    expect(tagsOf(run)).not.toHaveProperty("track.process");
    await expectNothingLeft(rig);
  });

  test("the shell's variables are put back as they were, whatever is in them", async () => {
    await using rig = TrackRig.setup();
    const nasty = `it's "a" $HOME \`b\` \\ c\n\n!x 'é`;
    const script = rig.script(
      "script.sh",
      `set -eu
env -0 | sort -z > before
eval "$(track start --quiet)"
env -0 | sort -z > within
eval "$(track end --print-env --quiet)"
env -0 | sort -z > after
`,
    );
    const env = {
      MLFLOW_TRACKING_PASSWORD: nasty,
      MLFLOW_RUN_CONTEXT: `{"own": "it's"}`,
      NO_PROXY: "a b",
      MLFLOW_EXPERIMENT_NAME: nasty,
    };
    expect(await rig.spawn(shell, [script], { env }).finished).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const [before, within, after] = ["before", "within", "after"].map((name) =>
      readFileSync(join(rig.cwd, name), "utf8"),
    );
    expect(after).toBe(before);
    expect(within).toContain(`MLFLOW_EXPERIMENT_NAME=${nasty}\0`);
    expect(within).toContain("NO_PROXY=a b,127.0.0.1,localhost\0");
    expect(within).toContain('MLFLOW_RUN_CONTEXT={"own":"it\'s","mlflow.parentRunId":"');
    expect(within).not.toMatch(/_track_outer/u);
    expect((await rig.run()).info.status).toBe("FINISHED");
  });

  test("a run within a run, a run of a command within both, and back", async () => {
    await using rig = TrackRig.setup();
    const finished = await runScript(
      rig,
      shell,
      `set -eu
eval "$(track start -n outer)"
track log metric at=1
eval "$(track start -n inner)"
track log metric at=2
track run -n command -- track log metric at=3
eval "$(track end --print-env)"
track log metric at=4 --step 1
track end
`,
    );
    expect(finished).toMatchObject({ code: 0 });
    const [outer, inner, command] = await Promise.all(["outer", "inner", "command"].map((name) => byName(rig, name)));
    expect([outer, inner, command].map((run) => run?.info.status)).toEqual(["FINISHED", "FINISHED", "FINISHED"]);
    expect([outer, inner, command].map((run) => metricsOf(run as Run)["at"])).toEqual([4, 2, 3]);
    const parents = [outer, inner, command].map((run) => tagsOf(run as Run)["mlflow.parentRunId"]);
    expect(parents).toEqual([undefined, outer?.info.runId, inner?.info.runId]);
    await expectNothingLeft(rig);
  });

  test("the run of a shell that is killed is KILLED within two seconds", async () => {
    await using rig = TrackRig.setup();
    const { process: script } = rig.spawn(shell, [
      rig.script(
        "script.sh",
        `eval "$(track start -n doomed)"\ntrack log metric a=1\necho ready > ready\nread line < fifo\n`,
      ),
    ]);
    rig.spawn("mkfifo", ["fifo"]);
    await waitFor(() => namesIn(rig.cwd).includes("ready"));
    script.kill("SIGKILL");
    const killed = performance.now();
    const run = await waitFor(async () => {
      const found = await rig.run();
      return found.info.status === "KILLED" ? found : undefined;
    });
    expect(performance.now() - killed).toBeLessThan(2000);
    expect(metricsOf(run)).toEqual({ a: 1 });
    expect(tagsOf(run)["track.end_reason"]).toBe("killed");
    await expectNothingLeft(rig);
  });

  test("subshells, one in the background, have runs of their own that end with them", async () => {
    await using rig = TrackRig.setup();
    const finished = await runScript(
      rig,
      shell,
      `set -eu
( eval "$(track start -n left)"; track log metric a=1 )
( eval "$(track start -n ended)"; track log metric a=2; sleep 0.5; track end --status failed ) &
( eval "$(track start -n beside)"; track log metric a=3; track end )
wait
echo "\${TRACK_RUN_ID-none}"
n=0
until [ "$(track get tag "$(track ls --filter "attributes.run_name = 'left'" --columns run_id | cut -f1)" track.end_reason)" = killed ]; do
  n=$((n + 1)); [ $n -lt 50 ]; sleep 0.1
done
`,
    );
    expect(finished).toMatchObject({ code: 0, stdout: "none\n" });
    const runs = await rig.runs();
    const facts = Object.fromEntries(runs.map((run) => [run.info.runName, [run.info.status, metricsOf(run)["a"]]]));
    expect(facts).toEqual({ left: ["KILLED", 1], ended: ["FAILED", 2], beside: ["FINISHED", 3] });
    await expectNothingLeft(rig);
  });

  test("a start that fails stops a script with set -e", async () => {
    await using rig = TrackRig.setup();
    const text = `set -e\neval "$(track start --experiment-id 77)"\necho never\n`;
    const finished = await runScript(rig, shell, text);
    expect(finished).toMatchObject({ code: 1, stdout: "" });
    expect(finished.stderr).toContain("experiment 77 does not exist");
    await expectNothingLeft(rig);
  });
});

test.each([
  ["0", "FINISHED", {}],
  ["1", "FAILED", {}],
  ["130", "KILLED", { "track.signal": "SIGINT" }],
  ["137", "KILLED", { "track.signal": "SIGKILL" }],
  ["139", "FAILED", {}],
  ["143", "KILLED", { "track.signal": "SIGTERM" }],
])("exit code %s means %s", async (code, status, tags) => {
  await using rig = TrackRig.setup();
  const text = `eval "$(track start --quiet --no-system-metrics)"\ntrap 'track end --quiet --status-from $?' EXIT\nexit ${code}\n`;
  expect(await runScript(rig, "sh", text)).toMatchObject({ code: Number(code), stderr: "" });
  const run = await rig.run();
  expect(run.info.status).toBe(status);
  expect(tagsOf(run)).toMatchObject({ "track.exit_code": code, ...tags });
});

test("mistakes print false alone, with the exit code of a command that starts nothing", async () => {
  await using rig = TrackRig.setup();
  for (const [words, hint] of [
    [["--bogus"], "hint: "],
    [["-p", "lr"], "hint: write -p key=value"],
    [["--shell", "tcsh"], "hint: one of bash, dash, fish, sh, zsh"],
    [["--run-id", "0".repeat(32)], "hint: "],
    [["--tracking-uri", "ftp://x"], "hint: "],
    [["--capture", "off"], "hint: "],
    [["word"], "hint: "],
  ] as const) {
    const finished = await rig.track(["start", ...words]);
    expect(finished, words.join(" ")).toMatchObject({ code: 2, stdout: "false\n" });
    expect(finished.stderr.split("\n"), words.join(" ")).toHaveLength(3);
    expect(finished.stderr).toContain(hint);
  }
});

test("a database that is locked holds up neither start nor script, and has all at the end", async () => {
  await using rig = TrackRig.setup();
  await rig.track(["run", "--quiet", "--", "true"]);
  const database = new DatabaseSync(join(rig.cwd, "mlflow.db"));
  database.exec("BEGIN EXCLUSIVE");
  const text = `set -eu\neval "$(track start -n locked)"\ntrack log metric a=1\n: > ready\ntrack end\n`;
  const script = rig.spawn("sh", [rig.script("script.sh", text)]);
  await waitFor(() => namesIn(rig.cwd).includes("ready"));
  database.exec("ROLLBACK");
  database.close();
  expect(await script.finished).toMatchObject({ code: 0 });
  const run = await byName(rig, "locked");
  expect([run.info.status, metricsOf(run)]).toEqual(["FINISHED", { a: 1 }]);
});

test("an end that may not wait leaves the store to the recorder", async () => {
  await using rig = TrackRig.setup();
  await rig.track(["run", "--quiet", "--", "true"]);
  const database = new DatabaseSync(join(rig.cwd, "mlflow.db"));
  database.exec("BEGIN EXCLUSIVE");
  const text = `set -eu\neval "$(track start -n late --quiet)"\ntrack end --sync-timeout 0 --status failed\n`;
  const finished = await runScript(rig, "sh", text);
  expect(finished).toMatchObject({ code: 0 });
  expect(finished.stderr).toContain("track: not all is stored yet, the recorder goes on\n");
  database.exec("ROLLBACK");
  database.close();
  await waitFor(async () => (await byName(rig, "late")).info.status === "FAILED");
});

describe("track end", () => {
  test("twice, and where there is nothing to end, is one line and no failure", async () => {
    await using rig = TrackRig.setup();
    const text = `set -eu
eval "$(track start -n once)"
track end --quiet
track end
eval "$(track end --print-env)"
track end
`;
    const { code, stderr } = await runScript(rig, "sh", text);
    expect(code).toBe(0);
    const { runId } = (await rig.run()).info;
    const again = `track: ended already: ${runId} (once), FINISHED`;
    expect(stderr.trim().split("\n").slice(-3)).toEqual([again, again, "track: there is no run to end here"]);
  });

  test("in a script's trap ends that script's run, not the one it was started in", async () => {
    await using rig = TrackRig.setup();
    rig.script(
      "inner.sh",
      `#!/bin/sh
eval "$(track start -n inner)"
trap 'track end --status-from $?' EXIT
eval "$(track end --print-env)"
`,
    );
    const text = `set -eu\neval "$(track start -n outer)"\n./inner.sh\ntrack log metric a=1\ntrack end --status failed\n`;
    const { code, stderr } = await runScript(rig, "bash", text);
    expect(code).toBe(0);
    expect(stderr).toContain("is another shell's, which ends it");
    expect((await byName(rig, "inner")).info.status).toBe("FINISHED");
    const outer = await byName(rig, "outer");
    expect([outer.info.status, metricsOf(outer)]).toEqual(["FAILED", { a: 1 }]);
  });

  test("by name ends it from anywhere within, also behind another program", async () => {
    await using rig = TrackRig.setup();
    rig.script("end.sh", `#!/bin/sh\nexec track end "$TRACK_RUN_ID" --status killed\n`);
    const text = `eval "$(track start -n one)"; ./end.sh\neval "$(track start -n two --no-nested)"; timeout 50 track end\n`;
    expect(await runScript(rig, "bash", text)).toMatchObject({ code: 0 });
    expect([(await byName(rig, "one")).info.status, (await byName(rig, "two")).info.status]).toEqual([
      "KILLED",
      "FINISHED",
    ]);
  });

  test("is nothing to the command of track run", async () => {
    await using rig = TrackRig.setup();
    const finished = await rig.track([
      "run",
      "--",
      "sh",
      "-c",
      'track end --status failed; eval "$(track end --print-env)"; echo $TRACK_RUN_ID',
    ]);
    const { info } = await rig.run();
    expect(finished).toMatchObject({ code: 0, stdout: `${info.runId}\n` });
    expect(finished.stderr).toContain("ends with its command, not by track end");
    expect(info.status).toBe("FINISHED");
  });

  test("does the work of a recorder that was killed", async () => {
    await using rig = TrackRig.setup();
    const script = `set -eu
eval "$(track start -n bereft -p lr=1)"
track log metric a=1
: > ready
while [ ! -e killed ]; do sleep 0.02; done
track log metric b=2
track end --status failed
`;
    const started = rig.spawn("sh", [rig.script("script.sh", script)]);
    await waitFor(() => namesIn(rig.cwd).includes("ready"));
    const recorder = recorderOf(rig);
    process.kill(recorder ?? 0, "SIGKILL");
    await waitFor(() => !processesIn(rig.root).includes(recorder ?? 0));
    writeFileSync(join(rig.cwd, "killed"), "");
    expect(await started.finished).toMatchObject({ code: 0 });
    const run = await rig.run();
    expect([run.info.status, metricsOf(run)]).toEqual(["FAILED", { a: 1, b: 2 }]);
    await expectNothingLeft(rig);
  });
});

test.each(["hand-over", "journal", "store", "socket", "monitor"])(
  "a fault in %s costs neither the script nor what it says",
  async (place) => {
    await using rig = TrackRig.setup();
    const text = `set -eu
eval "$(TRACK_TEST_FAULT=${place} track start -n faulty -p lr=1)"
track log metric a=1
sleep 0.7
track log metric b=2
track end --status-from 4 --sync-timeout 2
`;
    const finished = await runScript(rig, "sh", text);
    expect(finished).toMatchObject({ code: 0 });
    // A store that cannot be had by then is left to the next command.
    await waitFor(async () => (await rig.track(["ls", "--status", "failed"])).stdout.includes("faulty"));
    const run = await rig.run();
    expect([run.info.status, paramsOf(run), metricsOf(run)]).toEqual(["FAILED", { lr: "1" }, { a: 1, b: 2 }]);
    expect(tagsOf(run)["track.exit_code"]).toBe("4");
    await expectNothingLeft(rig);
  },
);

test("--strict does not start without a recorder", async () => {
  await using rig = TrackRig.setup();
  const env = { TRACK_TEST_FAULT: "hand-over" };
  const finished = await rig.track(["start", "--strict"], { env });
  expect(finished).toMatchObject({ code: 1, stdout: "false\n" });
  expect(finished.stderr).toContain("the recorder cannot be started");
});

test("track end finds its recorder without a socket, too", async () => {
  await using rig = TrackRig.setup();
  const text = `set -eu\neval "$(track start -n mute)"\nrm "$TRACK_SOCKET"\ntrack log metric a=1\ntrack end --status failed\n`;
  const finished = await runScript(rig, "sh", text);
  expect(finished).toMatchObject({ code: 0 });
  expect(finished.stderr).toMatch(/track: ended already: [0-9a-f]{32} \(mute\), FAILED\n$/u);
  const run = await rig.run();
  expect([run.info.status, metricsOf(run)]).toEqual(["FAILED", { a: 1 }]);
});

test("--run-id goes on with a run as its next attempt, unless it is alive", async () => {
  await using rig = TrackRig.setup();
  const text = `set -eu
eval "$(track start -n again)"
id=$TRACK_RUN_ID
until track show "$id" > /dev/null 2>&1; do sleep 0.1; done
if track start --no-nested --run-id "$id" > refused; then exit 9; fi
track log metric a=1
eval "$(track end --print-env --status failed)"
eval "$(track start --run-id "$id")"
echo "$TRACK_ATTEMPT"
track log metric a=2 --step 1
track end
`;
  const finished = await runScript(rig, "bash", text);
  expect(finished).toMatchObject({ code: 0, stdout: "2\n" });
  expect(finished.stderr).toContain("is alive right now");
  expect(readFileSync(join(rig.cwd, "refused"), "utf8")).toBe("false\n");
  const run = await rig.run();
  expect([run.info.status, metricsOf(run)["a"]]).toEqual(["FINISHED", 2]);
  expect(tagsOf(run)).toMatchObject({ "track.attempt": "2", "track.attempt.1.status": "FAILED" });
});

test("a shell that keeps the variables of a run that is over finds the store all the same", async () => {
  await using rig = TrackRig.setup();
  const text = `set -eu
eval "$(track start -n over --quiet)"
track end --quiet
while [ -e "$TRACK_LOG" ]; do sleep 0.05; done
timeout 20 track ls --columns run_name,status
`;
  const finished = await runScript(rig, "sh", text);
  expect(finished).toMatchObject({ code: 0, stderr: "" });
  expect(finished.stdout).toContain("over\tFINISHED");
});

test("two runs in one job of a scheduler's are two runs", async () => {
  await using rig = TrackRig.setup();
  const env = {
    SLURM_JOB_ID: "7",
    SLURM_RESTART_COUNT: "1",
    SLURM_PROCID: "1",
    SLURM_NTASKS: "2",
    WORLD_SIZE: "2",
    RANK: "1",
  };
  const text = `set -eu
for name in one two; do
  eval "$(track start -n $name)"
  track log metric a=1
  eval "$(track end --print-env)"
done
`;
  const finished = await rig.spawn("sh", [rig.script("script.sh", text)], { env }).finished;
  expect(finished).toMatchObject({ code: 0 });
  const runs = await rig.runs();
  expect(runs.map((run) => [run.info.runName, run.info.status, metricsOf(run)["a"]])).toEqual([
    ["two", "FINISHED", 1],
    ["one", "FINISHED", 1],
  ]);
});

test("descriptors of the script are not held by the recorder", async () => {
  await using rig = TrackRig.setup();
  const text = `exec 5> held\neval "$(track start --quiet)"\necho ready >&2\nread line\n`;
  const started = rig.spawn("sh", ["-c", `${text}exec sleep 60`]);
  started.process.stdout?.resume();
  await waitFor(() => recorderOf(rig));
  await waitFor(() => started.stderr().includes("ready"));
  const fds = namesIn(`/proc/${recorderOf(rig)}/fd`).map((fd) => readLink(`/proc/${recorderOf(rig)}/fd/${fd}`));
  expect(fds.length).toBeGreaterThan(3);
  expect(fds.filter((link) => link?.startsWith(rig.cwd) === true && link.includes("held"))).toEqual([]);
});

test("a run that no shell enters is KILLED after ten seconds", async () => {
  const { rig, begun } = unheard;
  await waitFor(async () => (await rig.run()).info.status === "KILLED", { timeoutMs: 20_000 });
  expect(performance.now() - begun).toBeGreaterThan(9000);
  await expectNothingLeft(rig);
});
