import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { MatrixBench } from "./matrix-bench.ts";

const bench = new MatrixBench();
afterAll(() => bench[Symbol.asyncDispose]());

/** What `track` adds to the command's environment on purpose, and what bash and this test put there. */
const added = /^env (?:(?:TRACK|MLFLOW)_\w+|PYTHONPATH|NO_PROXY|no_proxy|run|_)=.*\n/gmu;

/** Runs the probe bare and wrapped with the same set-up in bash; `$run` is what stands before it. */
async function compare(setUp: string, env: NodeJS.ProcessEnv = {}): Promise<[bare: string, wrapped: string]> {
  const results = [];
  for (const run of ["", bench.track]) {
    // Through a pipe: of a socket, as Node would give it, the command gets a pipe.
    const { stdout, stderr } = await bench.bash(`{ ${setUp}\n} 2>&1 | cat`, { run, probe: bench.probe(), ...env });
    results.push(stdout.toString().replaceAll(added, "") + stderr);
  }
  return [results[0] ?? "", results[1] ?? ""];
}

describe("the command inherits what it would bare", () => {
  test.for([
    ["V1, V2, V4 plain", "$run $probe"],
    ["V4 output in a pipe", "$run $probe | cat"],
    ["S13 ignored signals", "trap '' HUP INT QUIT USR1 PIPE TERM; $run $probe"],
    ["S12, S13 a background job of a script", "sh -c '$run $probe & wait'"],
    ["S13 blocked signals", "env --block-signal=USR2,TERM $run $probe"],
    ["V4 a soft limit of open files", "ulimit -Sn 777; $run $probe"],
    ["V4 other limits, umask, nice", "ulimit -Sc 0; ulimit -St 1000; umask 031; nice -n 5 $run $probe"],
    ["I21 descriptors", "exec 3</dev/null 4>/dev/null 10</dev/null 40</dev/null; $run $probe"],
    ["I21 many low descriptors", "exec 3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3 9<&3; $run $probe | cat"],
    ["V2 arguments", "$run $probe '' ' a  b ' '*' $'new\\nline' -- --help @file '$HOME' -x"],
    ["V5 a deleted folder", "mkdir -p $D/gone; cd $D/gone; rmdir $D/gone; $run $probe 2>/dev/null"],
    ["V1 an empty environment", "env -i $run $probe"],
    ["V1 no PWD, but others of the shell's names", "env -i SHLVL=7 _=x OLDPWD=/ OPTIND=4 IFS=x PPID=2 $run $probe"],
    ["V1 a PWD that is somewhere else", "PWD=/nowhere env $run $probe"],
    [
      "V1 names that a shell drops",
      "env -i a.b=c 'BASH_FUNC_module%%=() {  echo hi; }' 1x=2 'new=li\nne' e= x-y=z PATH=$PATH $run $probe",
    ],
    [
      "V1 such names where no descriptor is free",
      "exec 3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3 9<&3; env SHLVL=7 a.b=c IFS=x 1x=2 $run $probe",
    ],
    ["V1 a name that a shell drops, more than a pipe holds", "env a.b=$(printf %090000d 7) $run $probe"],
    [
      "V1 names that the launcher might use itself",
      "export root=1 name=2 fd=3 self=4 node=5 version=6 word=7; $run $probe",
    ],
    [
      "V6 Node's own variables",
      "export NODE_OPTIONS=--no-such-option NODE_V8_COVERAGE=/nowhere/x NODE_DEBUG=child_process; $run $probe",
    ],
    [
      "V6 hostile libraries",
      "mkdir -p $D/lib; echo rubbish >$D/lib/libstdc++.so.6; export LD_LIBRARY_PATH=$D/lib; $run $probe",
    ],
  ] as const)("%s", async ([, setUp]) => {
    const [bare, wrapped] = await compare(setUp);
    expect(bare).toContain("fd 0");
    expect(wrapped).toBe(bare);
  });
});

describe("what Node would change on the way", () => {
  test("V3 arguments and values that are no UTF-8", async () => {
    const setUp = `LC_ALL=C; export BYTES=$'\\xff\\xfe x' LC_ALL; $run $probe $'a\\xe9b' $'\\x80' ok`;
    const [bare, wrapped] = await compare(setUp);
    expect(bare).toContain(String.raw`arg a\xe9b`);
    expect(bare).toContain(String.raw`env BYTES=\xff\xfe\x20x`);
    expect(wrapped).toBe(bare);
  });

  test("V7 a Node parent's IPC channel is the command's", async () => {
    const inner = `process.send({ got: "up" }); process.on("message", (text) => { process.send({ got: text }); process.disconnect(); });`;
    const code = `
const child = require("node:child_process").spawn(process.env.track, [process.execPath, "-e", process.argv[1]], { stdio: ["inherit", "inherit", "inherit", "ipc"] });
const heard = [];
child.on("message", ({ got }) => { heard.push(got); if (got === "up") child.send("down"); });
child.on("exit", (exitCode) => console.log(JSON.stringify({ heard, exitCode })));`;
    const { stdout } = await bench.run([process.execPath, "-e", code, inner]);
    expect(JSON.parse(stdout.toString())).toEqual({ heard: ["up", "down"], exitCode: 0 });
  });

  test.for([90, 107, 150, 250])("V10 a TMPDIR of %d bytes: the socket works all the same", async (length) => {
    const folder = `${bench.path("tmp")}/`.padEnd(length, "x");
    mkdirSync(folder, { recursive: true });
    const code = `
import json, os, socket
s = socket.socket(socket.AF_UNIX); s.connect(os.environ["TRACK_SOCKET"])
s.sendall(b'{"metrics":{"x":1}}\\n{"flush":true,"id":1}\\n'); print(json.loads(s.makefile().readline())["ok"])`;
    const env = { TMPDIR: folder, XDG_RUNTIME_DIR: "" };
    const { stdout, exitCode } = await bench.run([bench.track, "python3", "-S", "-c", code], { env });
    expect([stdout.toString(), exitCode]).toEqual(["True\n", 0]);
  });
});

describe("bin/track finds itself and Node", () => {
  mkdirSync(bench.path("tree/bin"), { recursive: true });
  cpSync(bench.launcher, bench.path("tree/bin/track"));
  for (const name of ["dist", "package.json"])
    cpSync(join(bench.installed, name), bench.path(`tree/${name}`), { recursive: true });
  symlinkSync(join(bench.installed, "node_modules"), bench.path("tree/node_modules"));

  test("through links, relative and absolute, from any folder, and in a path with blanks", async () => {
    const links = bench.path("some links");
    mkdirSync(join(links, "deep"), { recursive: true });
    symlinkSync("../../tree/bin/track", join(links, "deep/one"));
    symlinkSync("deep/one", join(links, "two"));
    const { stdout } = await bench.bash(
      `
cd / && "$D/some links/two" $words absolute
cd "$D/some links" && ./two $words relative
cd deep && PATH=.:$PATH one $words path
cd "$D" && tree/bin/track $words plain; sh tree/bin/track $words by-sh`,
      { words: "run --quiet -- echo" },
    );
    expect(stdout.toString()).toBe("absolute\nrelative\npath\nplain\nby-sh\n");
  });

  test("as npm installs it, next to the package or above it", async () => {
    for (const [place, link] of [
      ["local/node_modules", "local/node_modules/.bin"],
      ["global/lib/node_modules", "global/bin"],
    ] as const) {
      cpSync(bench.path("tree"), bench.path(`${place}/track`), { recursive: true, verbatimSymlinks: true });
      mkdirSync(bench.path(link));
      symlinkSync(
        `${place.startsWith("global") ? "../lib/node_modules" : ".."}/track/bin/track`,
        bench.path(`${link}/track`),
      );
      const { stdout, stderr } = await bench.bash(`cd / && ${bench.path(link)}/track run --quiet -- echo fine`);
      expect([stdout.toString(), stderr]).toEqual(["fine\n", ""]);
    }
  });

  const bare = bench.path("bare");
  mkdirSync(join(bare, "bin"), { recursive: true });
  mkdirSync(join(bare, "tools"));
  cpSync(bench.launcher, join(bare, "bin/track"));
  cpSync(bench.path("tree/dist"), join(bare, "dist"), { recursive: true });
  cpSync(bench.path("tree/package.json"), join(bare, "package.json"));
  const fakeNode = (version: string): string => {
    writeFileSync(
      join(bare, "tools/node"),
      `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || exec ${process.execPath} "$@"\n`,
    );
    chmodSync(join(bare, "tools/node"), 0o755);
    return `PATH=${bare}/tools:/usr/bin:/bin`;
  };

  test.for([
    ["v22.3.0", 125, "track: needs Node 24 or newer, found v22.3.0\n"],
    ["nonsense", 125, "track: needs Node 24 or newer, found none\n"],
  ] as const)("a Node on PATH that cannot be used: %s", async ([version, code, text]) => {
    const { exitCode, stderr } = await bench.bash(`${fakeNode(version)} ${bare}/bin/track run -- echo no; exit $?`);
    expect([exitCode, stderr]).toEqual([code, text]);
  });

  test("no Node at all", async () => {
    const { exitCode, stderr } = await bench.bash(`PATH=/nowhere ${bare}/bin/track run -- echo no; exit $?`);
    expect([exitCode, stderr]).toEqual([125, "track: needs Node 24 or newer, found none\n"]);
  });

  test("a newer Node on PATH", async () => {
    const { stdout } = await bench.bash(`${fakeNode("v27.1.0")} ${bare}/bin/track run --quiet -- echo yes`);
    expect(stdout.toString()).toBe("yes\n");
  });
});

test("V8 TRACK_DISABLED=1 leaves no wrapper at all", async () => {
  const { stdout } = await bench.bash(
    `TRACK_DISABLED=1 "$track" run -e x -- sh -c 'echo $$ "$1"' - 'a b' & wait; echo $!`,
  );
  expect(stdout.toString()).toMatch(/^(\d+) a b\n\1\n$/u);
});

describe("nothing of ours keeps the command from running", () => {
  test.for([
    ["no temporary folder", "export TMPDIR=/nowhere"],
    ["no home, no PATH", "unset HOME; export PATH="],
    ["few descriptors", "ulimit -n 32"],
    ["hardly any descriptors", "ulimit -n 24"],
    ["small files only", "ulimit -f 0"],
    ["little address space for a Node", "ulimit -s 512"],
  ] as const)("%s", async ([, setUp]) => {
    const { exitCode, stdout } = await bench.bash(
      `${setUp}; { "$track" run -- /bin/sh -c 'echo ran; exit 3'; echo $?; } | /bin/cat`,
    );
    expect([exitCode, stdout.toString()]).toEqual([0, "ran\n3\n"]);
  });

  test.for([20, 16, 14, 13, 12, 11, 10])("%d processes", async (limit) => {
    // Below ten Node itself does not come up. The pipe is nobody's own, so that it can be opened again.
    const inner = 'ulimit -u $limit; { "$track" run -- /bin/sh -c "echo ran; exit 3"; echo $?; } | cat';
    const { stdout } = await bench.bash('chmod a+rwx $D; exec setpriv --reuid=$uid --clear-groups bash -c "$inner"', {
      inner,
      limit: String(limit),
      uid: String(70_000 + limit),
    });
    expect(stdout.toString()).toBe("ran\n3\n");
  });
});
