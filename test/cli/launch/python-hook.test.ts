import { describe, expect, test } from "vitest";
import { hookIgnoringFlag, pythonHookVariables } from "../../../src/cli/launch/python-hook.ts";

describe("PYTHONPATH", () => {
  test.each([
    [undefined, "/hook"],
    ["", "/hook"],
    ["/a:/b", "/hook:/a:/b"],
    // An empty entry is the working folder: the user's stays, none is added.
    ["/a:", "/hook:/a:"],
    [":/a", "/hook::/a"],
    // An outer `track run` has put it there.
    ["/hook:/a", "/hook:/a"],
    ["/hook", "/hook"],
  ])("%j becomes %j", (own, expected) => {
    const env = own === undefined ? {} : { PYTHONPATH: own };
    expect(pythonHookVariables(env, { autolog: false, folder: "/hook" })).toEqual({
      PYTHONPATH: expected,
      TRACK_NETWORK: expect.stringMatching(/^[-0-9a-f]{36} net:\[\d+\]$/u),
    });
  });

  test("a folder that it cannot name is left out", () => {
    expect(pythonHookVariables({}, { autolog: true, folder: "/with:colon" })).toEqual({});
  });
});

test.each([
  ["python -I train.py", "-I"],
  ["/usr/bin/python3.11 -u -sE train.py", "-E"],
  ["python3 -W ignore -S train.py", "-S"],
  ["python -X dev -Xutf8 -I -m train", "-I"],
  ["python train.py -I", undefined],
  ["python -c pass -I", undefined],
  ["python -um train -I", undefined],
  ["python -Wignore::ImportWarning train.py", undefined],
  ["python - -I", undefined],
  ["sh -c python -I", undefined],
  ["pythonic -I", undefined],
  ["python", undefined],
])("`%s`: %s", (command, flag) => {
  expect(hookIgnoringFlag(command.split(" "))).toBe(flag);
});
