import { describe, expect, test } from "vitest";
import { readCluster } from "../../src/settings/cluster.ts";

const command = ["python", "train.py"];
const read = (env: Readonly<Record<string, string>>, options = {}) => readCluster(options, env, command);

const batch = { SLURM_JOB_ID: "7", SLURM_PROCID: "0", SLURM_NTASKS: "8", SLURM_LOCALID: "0", SLURM_NNODES: "2" };
const step = { ...batch, SLURM_STEP_ID: "0", SLURMD_NODENAME: "n1" };

describe("rank", () => {
  test("none where nothing, or a batch script, or a single rank says so", () => {
    expect(read({}).rank).toBeUndefined();
    expect(read(batch).rank).toBeUndefined();
    expect(read({ ...step, SLURM_NTASKS: "1" }).rank).toBeUndefined();
    expect(read({ RANK: "0", WORLD_SIZE: "1" }).rank).toBeUndefined();
    expect(read({ RANK: "9", WORLD_SIZE: "8" }).rank).toBeUndefined();
    expect(read({ RANK: "x", WORLD_SIZE: "8" }).rank).toBeUndefined();
    expect(read(step, { rank: "off" }).rank).toBeUndefined();
  });

  test("by srun: one of each node samples it, under its name where there are several nodes", () => {
    expect(read(step).rank).toMatchObject({ index: 0, isNodesFirst: true, nodeId: "n1" });
    expect(read({ ...step, SLURM_PROCID: "5", SLURM_LOCALID: "1" }).rank).toMatchObject({
      index: 5,
      isNodesFirst: false,
    });
    expect(read({ ...step, SLURM_NNODES: "1" }).rank?.nodeId).toBeUndefined();
  });

  test("by torchrun inside srun: torchrun's", () => {
    const env = { ...step, RANK: "3", WORLD_SIZE: "4", LOCAL_RANK: "1", LOCAL_WORLD_SIZE: "2", MASTER_PORT: "1" };
    expect(read(env).rank).toMatchObject({ index: 3, isNodesFirst: false, nodeId: "n1" });
  });

  test("by MPICH and Intel MPI", () => {
    expect(read({ PMI_RANK: "2", PMI_SIZE: "4", MPI_LOCALRANKID: "0", MPI_LOCALNRANKS: "2" }).rank).toMatchObject({
      index: 2,
      isNodesFirst: true,
    });
    // Without any word of the node, the first rank alone samples.
    expect(read({ PMI_RANK: "2", PMI_SIZE: "4" }).rank?.isNodesFirst).toBe(false);
  });

  test("the group is one for all ranks of a step, another for a restart, a step, a job", () => {
    const group = (more: Readonly<Record<string, string>>) => read({ ...step, ...more }).rank?.group;
    expect(group({ SLURM_PROCID: "3", SLURM_LOCALID: "1", SLURMD_NODENAME: "n2" })).toBe(group({}));
    const others = [{ SLURM_RESTART_COUNT: "1" }, { SLURM_STEP_ID: "1" }, { SLURM_JOB_ID: "8" }];
    expect(new Set([{}, ...others].map(group)).size).toBe(4);
  });
});

describe("resume key", () => {
  const key = (more: Readonly<Record<string, string>>, words = command) =>
    readCluster({}, { ...batch, ...more }, words).resumeKey;

  test("of Slurm: the same for a restart; another for a task of an array, a step, another command", () => {
    expect(key({ SLURM_RESTART_COUNT: "2" })).toEqual({ hash: key({})?.hash, isGiven: false, restart: 2 });
    const others = [{ SLURM_ARRAY_TASK_ID: "1" }, { SLURM_ARRAY_TASK_ID: "2" }, { SLURM_STEP_ID: "0" }].map((more) =>
      key(more),
    );
    expect(new Set([key({}), ...others, key({}, ["python", "eval.py"])].map((found) => found?.hash)).size).toBe(5);
  });

  test("none where the run is named, or no scheduler is there", () => {
    expect(key({ MLFLOW_RUN_ID: "a" })).toBeUndefined();
    expect(readCluster({ runId: "a" }, batch, command).resumeKey).toBeUndefined();
    expect(read({}).resumeKey).toBeUndefined();
    // What an outer run has set names no run for this one.
    expect(key({ MLFLOW_RUN_ID: "a", TRACK_RUN_ID: "a" })).toBeDefined();
  });

  test("the given one wins, and is hashed as it is", () => {
    const { resumeKey } = readCluster({ resumeKey: "abc" }, batch, command);
    expect(resumeKey).toEqual({
      hash: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      isGiven: true,
      restart: 0,
    });
  });
});
