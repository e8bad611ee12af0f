import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findPython } from "../../src/provenance/find-python.ts";
import { formatPythonPackages, readPythonPackages } from "../../src/provenance/python-packages.ts";
import { readInstallation } from "../../src/provenance/site-folders.ts";
import { createGitRig, type GitRig } from "./git-rig.ts";

let rig: GitRig;
beforeEach(() => {
  rig = createGitRig();
});
afterEach(() => rig[Symbol.dispose]());

const at = (path: string): string => join(rig.folder, path);

function program(path: string, text = "#!/bin/sh\nexit 1\n"): string {
  const target = rig.write(path, text);
  chmodSync(target, 0o755);
  return target;
}

const find = (command: string, env: Record<string, string> = {}, cwd = rig.folder): ReturnType<typeof findPython> =>
  findPython(command.split(" "), { cwd, env: { PATH: at("bin"), ...env } });

describe("findPython", () => {
  it("takes the interpreter from PATH, from a path, and through what starts it", async () => {
    const python = program("bin/python3");
    expect(await find("python3 train.py")).toBe(python);
    expect(await find("env A=1 python3 train.py")).toBe(python);
    expect(await find("./bin/python3 train.py")).toBe(python);
    expect(await find("python train.py")).toBeUndefined();
  });

  it("reads a script's first line", async () => {
    const python = program("venv/bin/python3");
    program("bin/python3");
    program("bin/direct", `#!${python}\n`);
    program("bin/by-env", "#!/usr/bin/env -S python3 -u\n");
    program("bin/long", `#!/bin/sh\n'''exec' "${at("venv/bin/python3")}" "$0" "$@"\n' '''\n`);
    program("bin/binary", "\u007fELF");
    expect(await find("by-env")).toBe(at("bin/python3"));
    expect(await find("long x")).toBe(python);
    expect(await find("binary")).toBeUndefined();
    expect(await find("nothing")).toBeUndefined();
  });

  it("takes the active environment for shell scripts", async () => {
    const plain = program("bin/python3");
    const venv = program("venv/bin/python");
    const conda = program("conda/bin/python");
    program("bin/bash");
    program("x.sh", "#!/bin/bash\n");
    expect(await find("bash x.sh")).toBe(plain);
    expect(await find("./x.sh")).toBe(plain);
    expect(await find("bash x.sh", { VIRTUAL_ENV: at("venv"), CONDA_PREFIX: at("conda") })).toBe(venv);
    expect(await find("./x.sh", { VIRTUAL_ENV: "", CONDA_PREFIX: at("conda") })).toBe(conda);
  });

  it("finds the environment of uv, conda and pixi", async () => {
    program("bin/python");
    const project = program("project/.venv/bin/python");
    const conda = program("conda/envs/deep/bin/python");
    const pixi = program("other/.pixi/envs/default/bin/python");
    mkdirSync(at("project/src"));
    expect(await find("uv run train.py", {}, at("project/src"))).toBe(project);
    expect(await find("conda run -n deep python train.py", { CONDA_EXE: at("conda/bin/conda") })).toBe(conda);
    expect(await find(`conda run -p ${at("conda/envs/deep")} python train.py`.replace(rig.folder, "."))).toBe(conda);
    expect(await find("pixi run python train.py", {}, at("other"))).toBe(pixi);
  });

  it("follows the shims of pyenv", async () => {
    program("pyenv/shims/python3");
    program("pyenv/shims/tool");
    for (const version of ["3.9.1", "3.11.2", "3.11.10"]) program(`pyenv/versions/${version}/bin/python3`);
    const tool = program("pyenv/versions/3.9.1/bin/tool", `#!${at("bin")}/python3\n`);
    const system = program("bin/python3");
    mkdirSync(at("work/sub"), { recursive: true });
    const env = { PATH: `${at("pyenv/shims")}:${at("bin")}` };
    const version = (name: string): string => at(`pyenv/versions/${name}/bin/python3`);
    expect(await find("python3", env, at("work/sub"))).toBe(system);
    rig.write("pyenv/version", "3.9.1\n");
    expect(await find("python3", env, at("work/sub"))).toBe(version("3.9.1"));
    rig.write("work/.python-version", "3.11\n");
    expect(await find("python3", env, at("work/sub"))).toBe(version("3.11.10"));
    expect(await find("python3", { ...env, PYENV_VERSION: "3.11.2" }, at("work/sub"))).toBe(version("3.11.2"));
    expect(await find("python3", { ...env, PYENV_VERSION: "system" }, at("work/sub"))).toBe(system);
    expect(tool).toContain("tool");
  });
});

describe("readInstallation", () => {
  it("knows a virtual environment, with and without the system's packages", async () => {
    mkdirSync(at("base/lib/python3.12/site-packages"), { recursive: true });
    mkdirSync(at("base/lib/python3.11/site-packages"), { recursive: true });
    mkdirSync(at("home/.local/lib/python3.12/site-packages"), { recursive: true });
    mkdirSync(at("venv/lib/python3.12/site-packages"), { recursive: true });
    mkdirSync(at("venv/bin"));
    program("base/bin/python3.12");
    symlinkSync("python3.12", at("base/bin/python"));
    symlinkSync(at("base/bin/python"), at("venv/bin/python"));
    rig.write(
      "venv/pyvenv.cfg",
      `home = ${at("base/bin")}\ninclude-system-site-packages = false\nversion_info = 3.12.1.final.0\n`,
    );
    const env = { HOME: at("home") };
    const own = at("venv/lib/python3.12/site-packages");
    expect(await readInstallation(at("venv/bin/python"), env)).toEqual({ version: "3.12.1", siteFolders: [own] });
    const base = at("base/lib/python3.12/site-packages");
    const user = at("home/.local/lib/python3.12/site-packages");
    expect(await readInstallation(at("base/bin/python"), env)).toEqual({ version: "3.12", siteFolders: [user, base] });
    expect((await readInstallation(at("base/bin/python"), { ...env, PYTHONNOUSERSITE: "1" })).siteFolders).toEqual([
      base,
    ]);
    rig.write("venv/pyvenv.cfg", `home = ${at("base/bin")}\ninclude-system-site-packages = true\nversion = 3.12.1\n`);
    expect((await readInstallation(at("venv/bin/python"), env)).siteFolders).toEqual([user, own, base]);
    mkdirSync(at("path"));
    expect(
      (await readInstallation(at("base/bin/python"), { PYTHONPATH: `${at("path")}:/nowhere` })).siteFolders,
    ).toEqual([at("path"), base]);
    expect(await readInstallation("/nowhere/bin/python", {})).toEqual({ siteFolders: [] });
  });
});

describe("readPythonPackages", () => {
  it("reads every form that packages are installed in, sorted, the first folder's of two", async () => {
    rig.write(
      "a/Zope.Interface-6.0.dist-info/METADATA",
      "Metadata-Version: 2.1\nName: zope.interface\nVersion: 6.0\n\nName: no\n",
    );
    rig.write("a/Bad-1.dist-info/RECORD", "");
    rig.write("a/tool-1.0.dist-info/METADATA", "Name: tool\r\nVersion: 1.0\r\n\r\nbody");
    rig.write("a/tool-1.0.dist-info/direct_url.json", '{"url": "file:///src/tool", "dir_info": {"editable": true}}');
    rig.write("a/vcs-1.0.dist-info/METADATA", "Name: vcs\nVersion: 1.0\n");
    rig.write(
      "a/vcs-1.0.dist-info/direct_url.json",
      '{"url": "https://h/x", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
    );
    rig.write("a/old.egg-info/PKG-INFO", "Name: old\nVersion: 0.1\n");
    rig.write("a/single-0.2.egg-info", "Name: single\nVersion: 0.2\n");
    rig.write("a/dev.egg-link", `${at("src")}\n.`);
    rig.write("src/dev.egg-info/PKG-INFO", "Name: dev\nVersion: 0.3\n");
    rig.write("a/egg_name-0.4-py3.11.egg/EGG-INFO/PKG-INFO", "Name: egg-name\nVersion: 0.4\n");
    rig.write("a/~ool-0.9.dist-info/METADATA", "Name: tool\nVersion: 0.9\n");
    rig.write("a/module.py", "");
    rig.write("b/tool-2.0.dist-info/METADATA", "Name: Tool\nVersion: 2.0\n");
    rig.write("b/broken-1.0.dist-info/direct_url.json", "{");
    const packages = await readPythonPackages([at("a"), at("b"), "/nowhere"]);
    expect(formatPythonPackages(packages)).toBe(
      [
        "Bad==1",
        "broken==1.0",
        `dev==0.3 # ${at("src")}`,
        "egg-name==0.4",
        "old==0.1",
        "single==0.2",
        "tool==1.0 # editable file:///src/tool",
        "vcs==1.0 # git+https://h/x@abc",
        "zope.interface==6.0",
        "",
      ].join("\n"),
    );
  });

  it("says what the interpreter itself says", async (context) => {
    const env = { ...process.env };
    const executable = await findPython(["python3"], { cwd: rig.folder, env });
    if (executable === undefined) return context.skip("no python3 here");
    const { siteFolders } = await readInstallation(executable, env);
    const ours = (await readPythonPackages(siteFolders)).map(({ name, version }) => `${name}==${version}`);
    const script = [
      "import importlib.metadata as m, re",
      "seen = {}",
      "for d in m.distributions():",
      "    if d.metadata['Name']: seen.setdefault(re.sub('[-_.]+', '-', d.metadata['Name'].lower()), d.metadata['Name'] + '==' + d.version)",
      "print('\\n'.join(v for _, v in sorted(seen.items())))",
    ].join("\n");
    const theirs = execFileSync("python3", ["-c", script], { cwd: rig.folder, encoding: "utf8" }).trim().split("\n");
    expect(ours).toEqual(theirs);
    expect(existsSync(executable)).toBe(true);
  });
});
