import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** The end-to-end tests drive the built program; it is built here when the test command has not done so. */
export default function setUp(): void {
  if (existsSync(join(root, "dist/main.js")) && process.env["TRACK_TEST_BUILD"] === undefined) return;
  const build = spawnSync("npm", ["run", "--silent", "build"], { cwd: root, encoding: "utf8" });
  if (build.status !== 0) throw new Error(`the build failed:\n${build.stdout}${build.stderr}`);
}
