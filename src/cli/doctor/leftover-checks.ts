import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { listLiveJournals } from "../../recorder/dead-journals.ts";
import { readOrUndefined, readPlace } from "../../util/proc.ts";
import { type Check, unwell, well } from "./check.ts";
import { few } from "./journal-checks.ts";

const socketFolder = /^track-[A-Za-z0-9]{6}$/u;

/** Processes that runs left running when they ended, and socket folders that nobody listens in. Only looks. */
export async function checkLeftovers(roots: readonly string[], bases: readonly string[]): Promise<readonly Check[]> {
  return [checkProcesses(roots), await checkSockets(bases)];
}

function checkProcesses(roots: readonly string[]): Check {
  const here = readPlace();
  const found = namesIn("/proc")
    .filter((name) => /^\d+$/u.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const marks = readMarks(pid);
      // The journal of its run may lie where this command would not look.
      if (marks === undefined || listLiveJournals([...roots, ...marks.roots], here).has(marks.runId)) return [];
      const name = (readOrUndefined(`/proc/${pid}/comm`) ?? "").trim();
      return [{ pid, text: `${pid} ${name} (run ${marks.runId.slice(0, 8)})` }];
    });
  if (found.length === 0) return well("left processes", "none of ended runs");
  const pids = found.map(({ pid }) => pid).join(" ");
  return unwell("left processes", few(found.map(({ text }) => text)), `unless they are wanted: kill ${pids}`);
}

/** The run that a process is part of, and where that run's journal lies. */
function readMarks(pid: string): { readonly runId: string; readonly roots: readonly string[] } | undefined {
  let environment: string;
  try {
    environment = readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    // Another user's process, or one that has ended meanwhile: not to be looked at, whatever the reason.
    return undefined;
  }
  const runId = /(?:^|\0)TRACK_RUN_ID=([0-9a-f]{32})(?:\0|$)/u.exec(environment)?.[1];
  const appendFile = /(?:^|\0)TRACK_LOG=([^\0]+)/u.exec(environment)?.[1];
  if (runId === undefined) return undefined;
  return { runId, roots: appendFile === undefined ? [] : [dirname(dirname(appendFile))] };
}

async function checkSockets(bases: readonly string[]): Promise<Check> {
  const folders = [...new Set(bases)].flatMap((base) =>
    namesIn(base)
      .filter((name) => socketFolder.test(name))
      .map((name) => join(base, name))
      .filter(isOurSocket),
  );
  const answers = await Promise.all(folders.map(isDeaf));
  const dead = folders.filter((_, index) => answers[index] === true);
  if (dead.length === 0) return well("left sockets", "none");
  return unwell("left sockets", few(dead), `rm -r ${dead.join(" ")}`);
}

function isOurSocket(folder: string): boolean {
  const stats = lstatSync(join(folder, "s"), { throwIfNoEntry: false });
  return stats?.isSocket() === true && stats.uid === (process.getuid?.() ?? stats.uid);
}

function isDeaf(folder: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(join(folder, "s"));
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Without /proc, or a folder that is not ours: nothing can be said of it.
    return [];
  }
}
