import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bin, TrackRig } from "./rig.ts";
import { testIf } from "../only-if.ts";

const isThere = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined;

async function seed(rig: TrackRig): Promise<string> {
  for (const name of ["my exp", "it's"]) await rig.track(["experiments", "create", name]);
  await rig.track(["run", "-n", "swift-owl", "--", "true"]);
  return (await rig.run()).info.runId;
}

async function candidates(rig: TrackRig, ...words: string[]): Promise<readonly string[]> {
  const { stdout } = await rig.track(["completion", "candidates", "--", ...words]);
  return stdout.split("\n").slice(0, -1);
}

test("what is offered where", async () => {
  await using rig = TrackRig.setup();
  const runId = await seed(rig);
  const shortId = runId.slice(0, 8);
  const values = async (...words: string[]) => (await candidates(rig, ...words)).map((line) => line.split("\t")[0]);
  expect(await values("re")).toEqual(["resume", "restore"]);
  expect(await values("experiments", "re")).toEqual(["rename", "restore"]);
  expect(await values("get", "")).toEqual(["metric", "param", "tag"]);
  expect(await values("ls", "--sta")).toEqual(["--status"]);
  expect(await values("end", "x", "--status", "f")).toEqual(["finished", "failed"]);
  expect(await values("ls", "--experiment", "")).toEqual(["it's", "my exp", "Default"]);
  expect(await values("ls", "--experiment=my")).toEqual(["--experiment=my exp"]);
  expect(await values("ls", "--experiment", "=", "my\\ ")).toEqual(["my exp"]);
  expect(await values("experiments", "delete", '"my e')).toEqual(["my exp"]);
  expect(await candidates(rig, "show", "")).toEqual(["@last\tswift-owl", `${shortId}\tswift-owl FINISHED`]);
  expect(await values("wait", "x", runId.slice(0, 10))).toEqual([runId]);
  expect(await values("compare", "x", "sw")).toEqual(["swift-owl"]);
  expect(await values("run", "--run-id", "")).toEqual([runId]);
  expect(await values("run", "-e", "x", "")).toEqual([":command"]);
  expect(await values("run", "--", "")).toEqual([":command"]);
  expect(await values("run", "python", "--sta")).toEqual([]);
  expect(await values("log", "artifact", "")).toEqual([]);
  expect(await values("nonsense", "")).toEqual([]);
  expect(await values("completion", "f")).toEqual(["fish"]);
});

test("in a folder without runs nothing is offered, said or made", async () => {
  await using rig = TrackRig.setup();
  const done = await rig.track(["completion", "candidates", "--", "show", ""]);
  expect([done.code, done.stdout, (await rig.track(["completion", "candidates"])).code]).toEqual([0, "", 0]);
  expect(await rig.track(["completion", "tcsh"])).toMatchObject({
    code: 2,
    stderr: "track: no completion for tcsh\nhint: one of bash, zsh, fish\n",
  });
});

/** What an interactive shell makes of keys: each line is typed, tabs and all. */
async function type(rig: TrackRig, shell: string, lines: readonly string[]) {
  return await rig.spawn("script", ["-qec", shell, "/dev/null"], {
    input: [...lines, "exit", ""].join("\n"),
    env: { TERM: "dumb", PS1: "$ " },
  }).finished;
}

const shells = [
  ["bash", "bash --norc --noprofile -i", ["source <(track completion bash)"]],
  ["zsh", "zsh -f -i", ["autoload -Uz compinit", "compinit -u -D", "source <(track completion zsh)"]],
] as const;

describe.each(shells)("%s, interactive", (program, command, setUp) => {
  testIf(isThere(program), `${program} is not installed`)(
    "completes commands, names with blanks, and run ids",
    async () => {
      await using rig = TrackRig.setup();
      const runId = await seed(rig);
      await type(rig, command, [
        ...setUp,
        "track experiments renam\tmy\trenamed",
        `track log tag checked=yes --run ${runId.slice(0, 5)}\t`,
      ]);
      await using store = await rig.openStore();
      expect((await store.getExperiment("1")).name).toBe("renamed");
      expect((await store.getRun(runId)).data.tags).toContainEqual({ key: "checked", value: "yes" });
    },
  );

  testIf(isThere(program), `${program} is not installed`)(
    "leaves files and the wrapped command's words to the shell",
    async () => {
      await using rig = TrackRig.setup();
      writeFileSync(join(rig.cwd, "some-input.txt"), "x");
      await type(rig, command, [...setUp, "track run --quiet -- cp some-inp\tcopy.txt"]);
      expect(spawnSync("cat", [join(rig.cwd, "copy.txt")]).stdout.toString()).toBe("x");
    },
  );
});

testIf(isThere("fish"), "fish is not installed")("fish offers the same, and commands after `track run`", async () => {
  await using rig = TrackRig.setup();
  await seed(rig);
  const complete = async (line: string) => {
    const script = `'${bin}' completion fish | source; complete -C '${line}'`;
    return (await rig.spawn("fish", ["--no-config", "-c", script]).finished).stdout.split("\n").slice(0, -1);
  };
  expect(await complete("track sho")).toEqual(["show\teverything about one run"]);
  expect(await complete("track ls --experiment my")).toEqual(["my exp\tid 1"]);
  expect((await complete("track run sle")).map((line) => line.split("\t")[0])).toContain("sleep");
  writeFileSync(join(rig.cwd, "some-input.txt"), "x");
  expect(await complete("track import some-in")).toEqual(["some-input.txt"]);
});
