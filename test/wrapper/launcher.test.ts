import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { WrapperBench } from "./harness.ts";

const bench = new WrapperBench();
afterAll(() => bench[Symbol.dispose]());

/** Runs the probe bare and wrapped with the same set-up in bash; `$run` is what stands before it. */
async function compare(setUp: string, env: NodeJS.ProcessEnv = {}): Promise<[bare: string, wrapped: string]> {
  const results = [];
  for (const run of ["", bench.track]) {
    const { stdout, stderr } = await bench.bash(setUp, { run, probe: bench.probe(), ...env });
    results.push(stdout.toString().replaceAll(/^env (?:run|_)=.*\n/gmu, "") + stderr);
  }
  return [results[0] ?? "", results[1] ?? ""];
}

describe("the command inherits what it would bare", () => {
  test.for([
    ["plain", "$run $probe"],
    ["output in a pipe", "$run $probe | cat"],
    ["ignored signals", "trap '' HUP INT QUIT USR1 PIPE TERM; $run $probe"],
    ["a background job of a script", "sh -c '$run $probe & wait'"],
    ["blocked signals", "env --block-signal=USR2,TERM $run $probe"],
    ["a soft limit of open files", "ulimit -Sn 777; $run $probe"],
    ["other limits, umask, nice", "ulimit -Sc 0; ulimit -St 1000; umask 031; nice -n 5 $run $probe"],
    ["descriptors", "exec 3</dev/null 4>/dev/null 10</dev/null 40</dev/null; $run $probe"],
    ["many low descriptors", "exec 3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3 9<&3; $run $probe | cat"],
    ["arguments", "$run $probe '' ' a  b ' '*' $'new\\nline' -- --help @file '$HOME' -x"],
    ["a deleted folder", "mkdir -p $D/gone; cd $D/gone; rmdir $D/gone; $run $probe 2>/dev/null"],
    ["an empty environment", "env -i $run $probe"],
    ["no PWD, but others of the shell's names", "env -i SHLVL=7 _=x OLDPWD=/ OPTIND=4 IFS=x PPID=2 $run $probe"],
    ["a PWD that is somewhere else", "PWD=/nowhere env $run $probe"],
    [
      "names that a shell drops",
      "env -i a.b=c 'BASH_FUNC_module%%=() {  echo hi; }' 1x=2 'new=li\nne' e= x-y=z PATH=$PATH $run $probe",
    ],
    [
      "names that the launcher might use itself",
      "export root=1 name=2 fd=3 self=4 node=5 version=6 word=7; $run $probe",
    ],
    [
      "Node's own variables",
      "export NODE_OPTIONS=--no-such-option NODE_V8_COVERAGE=/nowhere/x NODE_DEBUG=child_process; $run $probe",
    ],
    [
      "hostile libraries",
      "mkdir -p $D/lib; echo rubbish >$D/lib/libstdc++.so.6; export LD_LIBRARY_PATH=$D/lib; $run $probe",
    ],
  ] as const)("%s", async ([, setUp]) => {
    const [bare, wrapped] = await compare(setUp);
    expect(bare).toContain("fd 0");
    expect(wrapped).toBe(bare);
  });
});

test("a wrapper inside a wrapper sees and gives the same", async () => {
  const { stdout } = await bench.bash(
    `"$track" "$track" "$track" sh -c 'kill -TERM $$'; echo $?; "$track" "$track" env | grep -c _TRACK_LAUNCH`,
  );
  expect(stdout.toString()).toBe("143\n0\n");
});

describe("bin/track finds itself and Node", () => {
  test("through links, relative and absolute, from any folder, and in a path with blanks", async () => {
    const links = bench.path("some links");
    mkdirSync(join(links, "deep"), { recursive: true });
    symlinkSync("../../tree/bin/track", join(links, "deep/one"));
    symlinkSync("deep/one", join(links, "two"));
    const { stdout } = await bench.bash(`
cd / && "$D/some links/two" echo absolute
cd "$D/some links" && ./two echo relative
cd deep && PATH=.:$PATH one echo path
cd "$D" && tree/bin/track echo plain; sh tree/bin/track echo by-sh`);
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
      const { stdout, stderr } = await bench.bash(`cd / && ${bench.path(link)}/track echo fine`);
      expect([stdout.toString(), stderr]).toEqual(["fine\n", ""]);
    }
  });

  const bare = bench.path("bare");
  mkdirSync(join(bare, "bin"), { recursive: true });
  mkdirSync(join(bare, "tools"));
  cpSync(bench.track, join(bare, "bin/track"));
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
    const { exitCode, stderr } = await bench.bash(`${fakeNode(version)} ${bare}/bin/track echo no; exit $?`);
    expect([exitCode, stderr]).toEqual([code, text]);
  });

  test("no Node at all", async () => {
    const { exitCode, stderr } = await bench.bash(`PATH=/nowhere ${bare}/bin/track echo no; exit $?`);
    expect([exitCode, stderr]).toEqual([125, "track: needs Node 24 or newer, found none\n"]);
  });

  test("a newer Node on PATH", async () => {
    const { stdout } = await bench.bash(`${fakeNode("v27.1.0")} ${bare}/bin/track echo yes`);
    expect(stdout.toString()).toBe("yes\n");
  });
});

test("TRACK_DISABLED=1 leaves no wrapper at all", async () => {
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
      {
        WRAP_SPOOL: bench.path("few.raw"),
      },
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
      WRAP_SPOOL: bench.path(`few${limit}.raw`),
    });
    expect(stdout.toString()).toBe("ran\n3\n");
  });
});
