import { expect, test } from "vitest";
import { createPageToken, parsePageToken } from "../../src/wire/page-token.ts";

test("a token is the text that MLflow makes, and comes back as its offset", () => {
  expect(createPageToken(20)).toBe("eyJvZmZzZXQiOiAyMH0=");
  expect(parsePageToken("eyJvZmZzZXQiOiAyMH0=")).toBe(20);
  expect(parsePageToken(undefined)).toBe(0);
  expect(parsePageToken("")).toBe(0);
});

const encode = (text: string): string => Buffer.from(text).toString("base64");

test.each([
  "not base64!",
  encode("no json"),
  encode("{}"),
  encode("[1]"),
  encode("null"),
  encode('{"offset": 0}'),
  encode('{"offset": -5}'),
  encode('{"offset": 1.5}'),
  encode('{"offset": "x"}'),
  encode('{"offset": 1e300}'),
])("%j is refused", (token) => {
  expect(() => parsePageToken(token)).toThrow(expect.objectContaining({ errorCode: "INVALID_PARAMETER_VALUE" }));
});
