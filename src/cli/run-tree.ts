import type { Run } from "../entities/run.ts";
import { mlflowTags } from "../entities/tag-keys.ts";
import { StoreError } from "../errors.ts";
import type { RunStore } from "../store/tracking-store.ts";
import { tagOf } from "../wire/run-processes.ts";

/** A run in its place below its parent. */
export interface TreeRow {
  readonly run: Run;
  /** 0 for a run without a parent among the rows. */
  readonly depth: number;
  /** What is drawn before its name: `│  └─ `. */
  readonly branch: string;
}

const parentOf = (run: Run): string | undefined => tagOf(run, mlflowTags.parentRunId);

/** These runs and all their ancestors that the store has and `isWanted` lets in, those that were found first. */
export async function addAncestors(
  store: RunStore,
  runs: readonly Run[],
  isWanted: (run: Run) => boolean,
): Promise<readonly Run[]> {
  const all = new Map(runs.map((run) => [run.info.runId, run]));
  const missing = new Set<string>();
  for (const start of runs) {
    for (let parentId = parentOf(start); parentId !== undefined;) {
      if (all.has(parentId) || missing.has(parentId)) break;
      const parent = await getRunIfThere(store, parentId);
      if (parent === undefined || !isWanted(parent)) missing.add(parentId);
      else all.set(parentId, parent);
      parentId = parent === undefined ? undefined : parentOf(parent);
    }
  }
  return [...all.values()];
}

async function getRunIfThere(store: RunStore, runId: string): Promise<Run | undefined> {
  try {
    return await store.getRun(runId);
  } catch (error) {
    if (error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return undefined;
    throw error;
  }
}

/**
 * Children below their parents, in the order of `runs` on each level; a parent stands where the first of its family is.
 * Any depth. Runs that are each other's ancestors are cut apart at the first of them.
 */
export function arrangeTree(runs: readonly Run[], isUtf8: boolean): readonly TreeRow[] {
  const byId = new Map(runs.map((run) => [run.info.runId, run]));
  const children = new Map<string, Run[]>();
  const roots = new Set<Run>();
  const known = new Map<Run, Run>();
  for (const run of runs) {
    const root = rootOf(run, byId, known);
    roots.add(root);
    const parentId = parentOf(run);
    if (run === root || parentId === undefined) continue;
    const siblings = children.get(parentId);
    if (siblings === undefined) children.set(parentId, [run]);
    else siblings.push(run);
  }
  return [...roots].flatMap((root) => layOutFamily(root, children, isUtf8 ? lines : asciiLines));
}

/** The uppermost ancestor among the runs; of a ring always the same member. `known` remembers what was found before. */
function rootOf(run: Run, byId: ReadonlyMap<string, Run>, known: Map<Run, Run>): Run {
  const path = new Set<Run>();
  let current = run;
  let root = known.get(current);
  while (root === undefined) {
    path.add(current);
    const parent = byId.get(parentOf(current) ?? "");
    if (parent === undefined) root = current;
    else if (path.has(parent)) root = firstOfRing(parent, byId);
    else root = known.get(parent);
    current = parent ?? current;
  }
  for (const member of path) known.set(member, root);
  return root;
}

function firstOfRing(member: Run, byId: ReadonlyMap<string, Run>): Run {
  let first = member;
  for (let next = byId.get(parentOf(member) ?? ""); next !== undefined && next !== member;) {
    if (next.info.runId < first.info.runId) first = next;
    next = byId.get(parentOf(next) ?? "");
  }
  return first;
}

interface Lines {
  readonly child: string;
  readonly lastChild: string;
  readonly passing: string;
  readonly nothing: string;
}

const lines: Lines = { child: "├─ ", lastChild: "└─ ", passing: "│  ", nothing: "   " };
const asciiLines: Lines = { child: "|- ", lastChild: "`- ", passing: "|  ", nothing: "   " };

/** With a stack of its own: a chain of thousands of runs is no reason to overflow ours. */
function layOutFamily(root: Run, children: ReadonlyMap<string, readonly Run[]>, draw: Lines): readonly TreeRow[] {
  const rows: TreeRow[] = [];
  const waiting: (TreeRow & { readonly below: string })[] = [{ run: root, depth: 0, branch: "", below: "" }];
  for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
    const { run, depth, branch, below } = row;
    rows.push({ run, depth, branch });
    const list = children.get(run.info.runId) ?? [];
    for (const [index, child] of list.toReversed().entries()) {
      const isLast = index === 0;
      waiting.push({
        run: child,
        depth: depth + 1,
        branch: below + (isLast ? draw.lastChild : draw.child),
        below: shorten(below + (isLast ? draw.nothing : draw.passing)),
      });
    }
  }
  return rows;
}

const drawnLevels = 8;

/** Of a very deep place only the nearest levels are drawn. */
function shorten(below: string): string {
  return below.length > drawnLevels * 3 ? below.slice(-drawnLevels * 3) : below;
}
