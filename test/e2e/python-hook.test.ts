import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Finished, installed, TrackRig } from "./rig.ts";

/** Every Python that this machine has: under a shell script each of them loads the hook. */
const pythons = [
  "python2.7",
  "python3.6",
  "python3.8",
  "python3.9",
  "python3.11",
  "python3.12",
  "python3.13",
  "python3.14",
]
  .flatMap((name) => [name, ...pyenvNames(name)])
  .filter((path) => spawnSync(path, ["-c", "pass"]).status === 0);

function pyenvNames(name: string): readonly string[] {
  const root = join(process.env["HOME"] ?? "/", ".pyenv/versions");
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((version) => version.startsWith(`${name.slice("python".length)}.`))
    .map((version) => join(root, version, "bin/python"));
}

const hookFolder = join(installed, "dist/python-hook");

let rig: TrackRig;
let folder: string;
beforeAll(() => {
  rig = TrackRig.setup();
  folder = join(rig.root, "own");
  mkdirSync(folder);
  writeFileSync(join(folder, "sitecustomize.py"), "import sys\nsys.owner = __file__\n");
  return () => rig[Symbol.asyncDispose]();
});

/** Standard output and error of a Python program, bare and under `track run`. */
async function bareAndTracked(
  command: readonly string[],
  env: Record<string, string | undefined> = {},
): Promise<readonly [bare: Finished, tracked: Finished]> {
  const [program = "", ...args] = command;
  const options = { env: { PYTHONDONTWRITEBYTECODE: "1", ...env } };
  const bare = await rig.spawn(program, args, options).finished;
  return [bare, await rig.track(["run", "--quiet", "--", ...command], options)];
}

/** Where the hook is not loaded its folder stays on the path, with nothing else in it to be found. */
const looks = [
  "import sys",
  "theirs = sys.modules.get('sitecustomize')",
  "print(getattr(sys, 'owner', None))",
  "print([p for p in sys.path if p and not p.endswith('/python-hook')])",
  "print([n for n in ('json', 'threading', 'functools', 'inspect') if n in sys.modules])",
].join("; ");

describe("V9 a Python program under track finds what it would find bare", () => {
  test.each(pythons)("%s", async (python) => {
    // To Python 2 an empty PYTHONPATH is the working folder, to Python 3 it is none.
    const empty = python.includes("2.7") ? [] : [{ PYTHONPATH: "" }];
    for (const env of [{}, { PYTHONPATH: `${folder}:/nowhere` }, ...empty]) {
      const [bare, tracked] = await bareAndTracked([python, "-c", looks], env);
      expect(tracked).toMatchObject({ code: 0, stdout: bare.stdout, stderr: bare.stderr });
      if ("PYTHONPATH" in env && env.PYTHONPATH !== "") expect(tracked.stdout).toContain(`${folder}/sitecustomize.py`);
    }
  });

  test.each([["-S"], ["-I"], ["-E"], ["-s"], ["-sB"], ["-X", "utf8"]])("with %s", async (...flags) => {
    const [bare, tracked] = await bareAndTracked(["python3", ...flags, "-c", looks], { PYTHONPATH: folder });
    expect(tracked).toMatchObject({ code: 0, stdout: bare.stdout, stderr: bare.stderr });
  });

  test("with PYTHONSAFEPATH, in a virtual environment", async () => {
    const venv = join(rig.root, "venv");
    expect(spawnSync("python3", ["-m", "venv", "--without-pip", venv]).status).toBe(0);
    const env = { PYTHONPATH: folder, PYTHONSAFEPATH: "1" };
    const [bare, tracked] = await bareAndTracked([join(venv, "bin/python"), "-c", looks], env);
    expect(tracked).toMatchObject({ code: 0, stdout: bare.stdout, stderr: bare.stderr });
    expect(tracked.stdout).toContain(`${folder}/sitecustomize.py`);
  });

  test.each([
    ["fails", "raise RuntimeError('mine')"],
    ["misses a module", "import no_such_module"],
    ["is no Python", "this is no Python"],
    ["imports it again", "import sitecustomize; assert sitecustomize.__file__ == __file__"],
  ])("where the user's own sitecustomize %s", async (name, text) => {
    const own = join(rig.root, name.replaceAll(" ", "-"));
    mkdirSync(own);
    writeFileSync(join(own, "sitecustomize.py"), `${text}\n`);
    const [bare, tracked] = await bareAndTracked(["python3", "-c", looks], { PYTHONPATH: own });
    expect(tracked).toMatchObject({ code: bare.code, stdout: bare.stdout, stderr: bare.stderr });
  });

  test("where the user's own sitecustomize ends the program", async () => {
    const own = join(rig.root, "ends");
    mkdirSync(own);
    writeFileSync(join(own, "sitecustomize.py"), "import os; os.write(1, b'ends'); os._exit(7)\n");
    const [bare, tracked] = await bareAndTracked(["python3", "-c", looks], { PYTHONPATH: own });
    expect(tracked).toMatchObject({ code: 7, stdout: "ends", stderr: bare.stderr });
  });

  test("when it looks for a package without importing it", async () => {
    const code =
      "import importlib.util as u; s = u.find_spec('mlflow'), u.find_spec('xml.dom'); " +
      "print([type(x.loader).__name__ for x in s if x], [x for x in __import__('sys').modules if x == 'mlflow'])";
    const [bare, tracked] = await bareAndTracked(["python3", "-c", code], { PYTHONPATH: fakeMlflow() });
    expect(tracked).toMatchObject({ code: 0, stdout: bare.stdout, stderr: bare.stderr });
    expect(tracked.stdout).toBe("['SourceFileLoader', 'SourceFileLoader'] []\n");
  });

  test("when MLflow is not what the hook expects", async () => {
    const code = "import mlflow.tracking.fluent as f; print(f.start_run(), type(f.__loader__).__name__)";
    const [bare, tracked] = await bareAndTracked(["python3", "-c", code], { PYTHONPATH: fakeMlflow() });
    expect(tracked).toMatchObject({ code: 0, stdout: bare.stdout, stderr: bare.stderr });
    expect(tracked.stdout).toBe("plain SourceFileLoader\n");
  });
});

describe("V9 which processes load it", () => {
  const watched = "print([type(f).__name__ for f in __import__('sys').meta_path][:1])";
  const loaded = "['Watcher']\n";

  test("each Python below the command, in shells, inner runs and workers", async () => {
    const worker =
      "import multiprocessing, sys\n" +
      "def look(_): return type(sys.meta_path[0]).__name__\n" +
      "if __name__ == '__main__':\n" +
      "  for method in ('fork', 'spawn', 'forkserver'):\n" +
      "    with multiprocessing.get_context(method).Pool(1) as pool: print(pool.map(look, [0]))\n";
    const script = rig.script("worker.py", worker);
    const shell = `python3 -c "${watched}"; track run --quiet -- python3 -c "${watched}"; python3 ${script}`;
    const done = await rig.track(["run", "--quiet", "--", "sh", "-c", shell]);
    expect(done.stdout).toBe(loaded.repeat(5));
  });

  test("none with --no-python-hook, -S, -I, -E, or with an environment of its own", async () => {
    const ways = [
      ["--no-python-hook", "--", "python3"],
      ["--", "python3", "-S"],
      ["--", "python3", "-I"],
      ["--", "python3", "-E"],
      ["--", "env", "-i", "PATH=/usr/bin:/bin", "python3"],
    ];
    for (const way of ways) {
      const done = await rig.track(["run", "--quiet", ...way, "-c", watched], { env: { PYTHONPATH: folder } });
      expect(done.stdout, way.join(" ")).not.toContain("Watcher");
      expect(done.code).toBe(0);
    }
  });

  test("--no-python-hook leaves PYTHONPATH alone", async () => {
    const command = ["run", "--quiet", "--no-python-hook", "--", "sh", "-c", "echo $PYTHONPATH"];
    expect((await rig.track(command, { env: { PYTHONPATH: "/a:" } })).stdout).toBe("/a:\n");
    const inner = ["run", "--quiet", "--", "sh", "-c", "track run --quiet -- sh -c 'echo $PYTHONPATH'"];
    expect((await rig.track(inner, { env: { PYTHONPATH: "/a" } })).stdout).toBe(`${hookFolder}:/a\n`);
  });

  test("its folder holds nothing else", () => {
    expect(readdirSync(hookFolder).filter((name) => !/pyc/u.test(name))).toEqual(["sitecustomize.py"]);
  });
});

/** The names that the hook waits for, with nothing behind them that it could use. */
function fakeMlflow(): string {
  const root = join(rig.root, "fake");
  mkdirSync(join(root, "mlflow/tracking"), { recursive: true });
  writeFileSync(join(root, "mlflow/__init__.py"), "");
  writeFileSync(join(root, "mlflow/tracking/__init__.py"), "");
  writeFileSync(join(root, "mlflow/tracking/fluent.py"), "def start_run():\n    return 'plain'\n");
  return root;
}

test("a start with it costs less than a millisecond, compiled code or none", async () => {
  const cost = async (env: Record<string, string>): Promise<number> => {
    const own = async (): Promise<number> => {
      const done = await rig.spawn("python3", ["-X", "importtime", "-c", "pass"], { env }).finished;
      const line = done.stderr.split("\n").findLast((text) => /\bsitecustomize$/u.test(text)) ?? "";
      return Number(/\|\s*(\d+)\s*\|/u.exec(line)?.[1]);
    };
    const times = [];
    for (let round = 0; round < 15; round += 1) times.push(await own());
    return Math.min(...times);
  };
  const env = { PYTHONPATH: hookFolder, TRACK_RUN_ID: "a".repeat(32) };
  expect(await cost({ ...env, PYTHONDONTWRITEBYTECODE: "1" })).toBeLessThan(1000);
  expect(await cost(env)).toBeLessThan(1000);
});
