import { expect, test } from "vitest";
import { chooseProxy } from "../../src/http/proxy-choice.ts";

const proxies = { http: "http://plain:3128", https: "secure:3129", bypass: [] };
const choose = (url: string, ...bypass: string[]) => chooseProxy(new URL(url), { ...proxies, bypass });

test("the scheme of the target decides, and a proxy without a scheme is an http one", () => {
  expect(choose("http://host/x")).toBe("http://plain:3128");
  expect(choose("https://host/x")).toBe("http://secure:3129");
  expect(chooseProxy(new URL("https://host"), { bypass: [] })).toBeUndefined();
});

test.each([
  ["http://host", "host"],
  ["http://host", "*"],
  ["http://a.b.host.org", "host.org"],
  ["http://a.host.org", ".host.org"],
  ["http://HOST.org", "host.ORG"],
  ["http://host:5000", "host:5000"],
  ["https://host", "host:443"],
  ["http://127.0.0.1:5000", "127.0.0.1"],
  ["http://10.1.2.3", "10.0.0.0/8"],
  ["http://[::1]:5000", "::1"],
  ["http://[fd00::5]", "fd00::/8"],
])("%s is reached directly with NO_PROXY=%s", (url, pattern) => {
  expect(choose(url, "other", pattern)).toBeUndefined();
});

test.each([
  ["http://host", "ost"],
  ["http://nothost.org", "host.org"],
  ["http://host:5000", "host:80"],
  ["http://11.1.2.3", "10.0.0.0/8"],
  ["http://10.1.2.3", "10.0.0.0/99"],
  ["http://host", ""],
])("%s goes through the proxy with NO_PROXY=%s", (url, pattern) => {
  expect(choose(url, pattern)).toBeDefined();
});
