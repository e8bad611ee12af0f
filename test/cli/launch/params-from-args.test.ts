import { expect, test } from "vitest";
import { paramsFromArgs } from "../../../src/cli/launch/params-from-args.ts";

test.each<[string, Record<string, string>]>([
  ["python train.py --lr 0.01 --epochs=5", { lr: "0.01", epochs: "5" }],
  ["python -u -W ignore train.py -b 32 --amp --name big", { b: "32", amp: "true", name: "big" }],
  ["python -m pkg.train --lr 1e-3", { lr: "1e-3" }],
  ["python -c print(1) --lr 1", {}],
  ["python train.py -c config.yaml", { c: "config.yaml" }],
  ["./train.sh --shift -0.5 --layers 64 32 16 data", { shift: "-0.5", layers: "64 32 16" }],
  [
    "python train.py lr=0.01 +model.depth=3 ++seed=1 db=mysql ~drop",
    { lr: "0.01", "model.depth": "3", seed: "1", db: "mysql" },
  ],
  ["python train.py --multirun lr=0.01,0.1", { multirun: "true", lr: "0.01,0.1" }],
  ["python train.py model@net=big", { model_net: "big" }],
  ["torchrun --nproc_per_node 4 train.py --lr 0.1", { lr: "0.1" }],
  ["uv run --with torch train.py --lr 0.1", { lr: "0.1" }],
  ["env A=1 nice -n 5 python train.py --lr 0.1", { lr: "0.1" }],
  ["train --lr 0.1 --lr 0.2", { lr: "0.2" }],
  ["train --lr= --x", { lr: "", x: "true" }],
  ["train --verbose -- --lr 0.1", { verbose: "true" }],
  ["train input.txt - http://a.b/?c=d /x=1 =3 --=4 -5", {}],
  ["train ---lr 1 --0 2", {}],
  ["sh -c exit --lr 1", {}],
  ["train", {}],
])("%s", (command, params) => {
  expect(Object.fromEntries(paramsFromArgs(command.split(" ")).map(({ key, value }) => [key, value]))).toEqual(params);
});
