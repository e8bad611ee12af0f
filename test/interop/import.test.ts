import { spawnSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { createContext } from "../../src/cli/context.ts";
import { parsePyyamlMapping } from "../../src/cli/transfer/pyyaml-mapping.ts";
import { main } from "../../src/main.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { TestIo } from "../cli/test-io.ts";
import { dumpStore, type StoreDump } from "./dump-store.ts";
import { makeTestFolder, shareAgent, sqliteUri } from "./interop-folder.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { mlflowVersions, newestMlflow, venvProgram } from "./mlflow-versions.ts";
import { isFull, onlyFull, testIf } from "../only-if.ts";
import { describeWith } from "./with-mlflow.ts";

const oldest = mlflowVersions[0] ?? newestMlflow;

async function track(cwd: string, args: readonly string[], env: Record<string, string> = {}) {
  const io = new TestIo();
  const exitCode = await main(args, createContext({ io, cwd, env: { HOME: cwd, ...env } }));
  return { exitCode, stdout: io.stdout, stderr: io.stderr };
}

async function dump(uri: string): Promise<StoreDump> {
  await using store = await openTrackingStore(uri, { mode: "read" });
  return await dumpStore(store);
}

/** What an import keeps: all but where things lie, what experiments are numbered and when rows were made. */
function withoutPlaces(dumped: StoreDump): unknown {
  const names = new Map(dumped.experiments.map((one) => [one["experiment_id"], one["name"]]));
  const ofExperiment = (fields: Readonly<Record<string, unknown>>) => ({
    ...fields,
    experiment_id: names.get(fields["experiment_id"]),
  });
  const strip = (fields: Readonly<Record<string, unknown>>, ...keys: string[]) =>
    Object.fromEntries(Object.entries(fields).filter(([key]) => !keys.includes(key)));
  const sorted = (list: readonly object[]) => list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return {
    experiments: sorted(
      dumped.experiments.map((one) =>
        strip(one, "experiment_id", "artifact_location", "creation_time", "last_update_time"),
      ),
    ),
    runs: sorted(
      dumped.runs.map((run) => ({
        ...strip(ofExperiment(run), "artifact_uri"),
        // The file store answers in the order in which it was told.
        history: Object.fromEntries(
          Object.entries(run["history"] as Record<string, object[]>).map(([key, points]) => [key, sorted(points)]),
        ),
        datasets: (run["datasets"] as object[]).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      })),
    ),
    models: sorted(
      dumped.models.map((model) =>
        strip(ofExperiment(model), "artifact_location", "creation_timestamp", "last_updated_timestamp"),
      ),
    ),
  };
}

describeWith(oldest)(`a file store of MLflow ${oldest.version}`, () => {
  const mlflow = shareAgent(oldest);

  test("comes over whole, also from another place, and again changes nothing", async () => {
    const [folder, target] = [makeTestFolder(), makeTestFolder()];
    const uri = `file://${join(folder, "mlruns")}`;
    await mlflow().ask("make_runs", { uri });
    const theirs = await mlflow().ask("dump_store", { uri });
    cpSync(join(folder, "mlruns"), join(folder, "moved"), { recursive: true });
    rmSync(join(folder, "mlruns"), { recursive: true });

    expect(await track(target, ["import", join(folder, "moved")])).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "track: imported: 6 new, 0 there before, 0 skipped\n",
    });
    const first = await dump(sqliteUri(target));
    expect(withoutPlaces(first)).toEqual(withoutPlaces(theirs));
    expect(first.runs).toHaveLength(6);

    expect((await track(target, ["import", `file://${join(folder, "moved")}`])).stderr).toContain(
      "0 new, 6 there before",
    );
    expect(await dump(sqliteUri(target))).toEqual(first);
    expect(await mlflow().ask("dump_store", { uri: sqliteUri(target) })).toEqual(first);
  });

  test("PyYAML's mappings are read as they were meant", () => {
    const program = `
import json, random, sys, yaml
r = random.Random(7)
alphabet = list("abz019 '\\"\\\\:#-?{}[]!&*%@|>~,.") + ["\\n", "\\t", "ñ", "🚀", "  ", ": ", " #", "null", "\\u00a0", "\\x00", "\\x7f"]
def text():
    return "".join(r.choice(alphabet) for _ in range(r.choice([0, 1, 3, 12, 60, 300])))
made = []
for _ in range(1500):
    values = {"key%d" % n: text() for n in range(3)}
    values["none"] = None
    values["empty"] = {}
    values["list"] = ["a", "b: c"]
    values["tags"] = {"k%d.%s" % (n, r.choice(["x", "mlflow-a", "a b"])): text() for n in range(2)}
    made.append([values, yaml.safe_dump(values, default_flow_style=False, allow_unicode=True, sort_keys=True)])
json.dump(made, sys.stdout)
`;
    const done = spawnSync(venvProgram(oldest, "python"), ["-c", program], { encoding: "utf8", maxBuffer: 1e8 });
    const made = JSON.parse(done.stdout) as readonly [Readonly<Record<string, unknown>>, string][];
    expect(made).toHaveLength(1500);
    for (const [values, text] of made) expect(parsePyyamlMapping(text), text).toEqual({ ...values, list: {} });
  });
});

describeWith(newestMlflow)(`a database of MLflow ${newestMlflow.version}`, () => {
  const mlflow = shareAgent(newestMlflow);

  test("goes through an export and its artifacts into another one, and back over the first", async () => {
    const [folder, target] = [makeTestFolder(), makeTestFolder()];
    await mlflow().ask("make_runs", { uri: sqliteUri(folder) });
    const theirs = await dump(sqliteUri(folder));
    const ids = theirs.runs.map((run) => String(run["run_id"]));
    const exported = await track(folder, ["export", ...ids, "--artifacts", "files"]);
    expect(exported).toMatchObject({ exitCode: 0, stderr: "" });
    const file = join(target, "runs.ndjson");
    writeFileSync(file, exported.stdout);

    const artifacts = ["--artifacts", join(folder, "files")];
    expect((await track(target, ["import", file, ...artifacts])).stderr).toContain("6 new");
    const first = await dump(sqliteUri(target));
    // An experiment without runs is not part of any run.
    const kept = { ...theirs, experiments: theirs.experiments.filter(({ name }) => name !== "old") };
    expect(withoutPlaces(first)).toEqual(withoutPlaces(kept));
    expect((await track(target, ["import", "runs.ndjson", ...artifacts])).stderr).toContain("0 new, 6 there before");
    expect(await dump(sqliteUri(target))).toEqual(first);

    expect((await track(folder, ["import", sqliteUri(target)])).stderr).toContain("0 new, 6 there before");
    expect(await dump(sqliteUri(folder))).toEqual(theirs);
  });

  test("gc leaves what MLflow needs, and no row of what is gone in any of its tables", async () => {
    const folder = makeTestFolder();
    await mlflow().ask("make_runs", { uri: sqliteUri(folder) });
    const before = await dump(sqliteUri(folder));
    const full = String(before.runs.find((run) => run["run_name"] === "full 🚀")?.["run_id"]);
    await track(folder, ["rm", full]);
    expect((await track(folder, ["gc", "--yes"])).stderr).toBe("track: removed: 2 runs, 0 journals\n");
    const left = await mlflow().ask("dump_store", { uri: sqliteUri(folder) });
    expect(left.runs).toEqual(
      before.runs.filter((run) => run["run_id"] !== full && run["lifecycle_stage"] === "active"),
    );
    const db = new DatabaseSync(join(folder, "mlflow.db"), { readOnly: true });
    expect(db.prepare("PRAGMA foreign_key_check").all()).toEqual([]);
    db.close();
  });

  // The server takes half a minute to start and to answer each of some hundred calls.
  testIf(isFull, onlyFull)("goes to a tracking server and home again, each once", async () => {
    const [folder, serverFolder, home] = [makeTestFolder(), makeTestFolder(), makeTestFolder()];
    await mlflow().ask("make_runs", { uri: sqliteUri(folder) });
    await using server = await MlflowServer.start(newestMlflow, sqliteUri(serverFolder), serverFolder);
    for (const said of ["6 new, 0 there before", "0 new, 6 there before"]) {
      const done = await track(folder, ["import", sqliteUri(folder), "--tracking-uri", server.url]);
      expect(done.stderr).toBe(`track: imported: ${said}, 0 skipped\n`);
    }
    expect((await track(home, ["import", server.url])).stderr).toContain("6 new");
    const [theirs, ours] = [await dump(sqliteUri(folder)), await dump(sqliteUri(home))];
    const facts = ({ runs }: StoreDump) =>
      runs
        .map((run) => ({
          ...Object.fromEntries(
            ["run_name", "status", "start_time", "lifecycle_stage", "params", "history", "artifacts"].map((key) => [
              key,
              run[key],
            ]),
          ),
          made: (run["models_made"] as unknown[]).length,
        }))
        .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    expect(facts(ours)).toEqual(facts(theirs));
    expect(ours.models).toHaveLength(1);
    expect(ours.models[0]).toMatchObject({ name: "net", params: { depth: "3" }, metrics: [["score", 0.75, 50, 4]] });
    const child = ours.runs.find((run) => run["run_name"] === "child");
    const parent = ours.runs.find((run) => run["run_name"] === "full 🚀");
    expect(child?.["tags"]).toMatchObject({ "mlflow.parentRunId": parent?.["run_id"] });
  });
});
