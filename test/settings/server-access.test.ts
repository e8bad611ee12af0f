import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { resolveServerAccess, withTypedUri } from "../../src/settings/server-access.ts";

const uri = "https://tracking.example/ml/";
const nowhere = { HOME: "/nonexistent" };
const access = (env: Record<string, string>, trackingUri = uri) =>
  resolveServerAccess(trackingUri, { ...nowhere, MLFLOW_TRACKING_URI: trackingUri, ...env });
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

function homeWith(credentials: string): string {
  const home = mkdtempSync(join(tmpdir(), "track-home-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, ".mlflow"));
  writeFileSync(join(home, ".mlflow/credentials"), credentials);
  return home;
}
const ini =
  "[other]\nmlflow_tracking_username = no\n[mlflow]\nmlflow_tracking_username = ann\nmlflow_tracking_password: p=w\n";

test("without settings MLflow's defaults hold", () => {
  expect(access({})).toEqual({
    url: "https://tracking.example/ml",
    tls: { isInsecure: false },
    proxies: { bypass: [] },
    retry: { maxRetries: 7, backoffFactorSeconds: 2, jitterSeconds: 1, respectRetryAfter: true },
    timeoutMs: 120_000,
    followRedirects: true,
    unsupported: [],
  });
});

test("user and password win over the token, a user in the URI over both", () => {
  const token = { MLFLOW_TRACKING_TOKEN: "t" };
  const user = { ...token, MLFLOW_TRACKING_USERNAME: "u", MLFLOW_TRACKING_PASSWORD: "p" };
  expect(access(token).authorization).toBe("Bearer t");
  expect(access({ ...token, MLFLOW_TRACKING_USERNAME: "u" }).authorization).toBe("Bearer t");
  expect(access(user).authorization).toBe(basic("u", "p"));
  const beside = { ...nowhere, MLFLOW_TRACKING_URI: "https://me:pw@tracking.example" };
  expect(resolveServerAccess(uri, beside).authorization).toBe(basic("me", "pw"));
  const inUri = access(user, "https://me:my%40pw@tracking.example/ml");
  expect(inUri).toMatchObject({ authorization: basic("me", "my@pw"), url: "https://tracking.example/ml" });
});

test("~/.mlflow/credentials fills in, field by field", () => {
  const HOME = homeWith(ini);
  expect(access({ HOME }).authorization).toBe(basic("ann", "p=w"));
  expect(access({ HOME, MLFLOW_TRACKING_PASSWORD: "mine" }).authorization).toBe(basic("ann", "mine"));
});

test("credentials of the environment go only to the origin that is set beside them", () => {
  const env = {
    HOME: homeWith(ini),
    MLFLOW_TRACKING_URI: "https://tracking.example/elsewhere",
    MLFLOW_TRACKING_USERNAME: "u",
    MLFLOW_TRACKING_PASSWORD: "p",
    MLFLOW_TRACKING_CLIENT_CERT_PATH: "/client.pem",
  };
  const same = resolveServerAccess(uri, env);
  expect(same.authorization).toBe(basic("u", "p"));
  expect(same.tls.clientCertificatePath).toBe("/client.pem");
  for (const other of ["https://evil.example", "http://tracking.example", "https://tracking.example:8443"]) {
    const there = resolveServerAccess(other, env);
    expect(there.authorization, other).toBe(basic("ann", "p=w"));
    expect(there.tls.clientCertificatePath, other).toBeUndefined();
  }
});

test("a server that only a folder names gets no credentials, unless MLFLOW_TRACKING_URI names it as well", () => {
  const env = { HOME: homeWith(ini), MLFLOW_TRACKING_TOKEN: "t", MLFLOW_TRACKING_CLIENT_CERT_PATH: "/client.pem" };
  const untrusted = resolveServerAccess(uri, env, { isUntrusted: true });
  expect(untrusted).toMatchObject({ isWithheld: true, tls: { isInsecure: false } });
  expect(untrusted.authorization).toBeUndefined();
  expect(untrusted.tls.clientCertificatePath).toBeUndefined();
  const named = resolveServerAccess(uri, { ...env, MLFLOW_TRACKING_URI: uri }, { isUntrusted: true });
  expect(named.authorization).toBe(basic("ann", "p=w"));
  expect(named.isWithheld).toBeUndefined();
  expect(resolveServerAccess(uri, nowhere, { isUntrusted: true }).isWithheld).toBeUndefined();
});

test("a URI that is typed takes the credentials where none is set beside them", () => {
  const token = { ...nowhere, MLFLOW_TRACKING_TOKEN: "t" };
  const typed = (env: Record<string, string>, url: string) => resolveServerAccess(url, withTypedUri(env, url));
  expect(typed(token, uri).authorization).toBe("Bearer t");
  expect(typed({ ...token, MLFLOW_TRACKING_URI: "sqlite:///x.db" }, uri).authorization).toBe("Bearer t");
  expect(typed({ ...token, MLFLOW_TRACKING_URI: "https://other" }, uri).authorization).toBeUndefined();
  const own = withTypedUri({ ...token, MLFLOW_TRACKING_URI: "https://other" }, "https://me:pw@tracking.example");
  expect(own).toEqual({ ...nowhere, MLFLOW_TRACKING_URI: "https://me:pw@tracking.example" });
});

test("time-outs, retries, TLS, workspace and proxies", () => {
  const all = access({
    MLFLOW_HTTP_REQUEST_TIMEOUT: "5",
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0",
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: "0.5",
    MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: "0",
    MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER: "False",
    MLFLOW_ALLOW_HTTP_REDIRECTS: "0",
    MLFLOW_WORKSPACE: "team",
    REQUESTS_CA_BUNDLE: "/ca.pem",
    HTTPS_PROXY: "http://upper",
    https_proxy: "http://lower",
    ALL_PROXY: "http://all",
    NO_PROXY: "a, b ,",
  });
  expect(all).toMatchObject({
    timeoutMs: 5000,
    retry: { maxRetries: 0, backoffFactorSeconds: 0.5, jitterSeconds: 0, respectRetryAfter: false },
    followRedirects: false,
    workspace: "team",
    tls: { isInsecure: false, authoritiesPath: "/ca.pem" },
    proxies: { http: "http://all", https: "http://lower", bypass: ["a", "b"] },
  });
  expect(access({ REQUESTS_CA_BUNDLE: "/a", MLFLOW_TRACKING_SERVER_CERT_PATH: "/b" }).tls.authoritiesPath).toBe("/b");
});

test.each([
  [{ MLFLOW_HTTP_REQUEST_MAX_RETRIES: "11" }, /MAX_RETRIES/u],
  [{ MLFLOW_HTTP_REQUEST_TIMEOUT: "soon" }, /TIMEOUT/u],
  [{ MLFLOW_TRACKING_INSECURE_TLS: "yes" }, /INSECURE_TLS/u],
  [{ MLFLOW_TRACKING_INSECURE_TLS: "1", MLFLOW_TRACKING_SERVER_CERT_PATH: "/x" }, /exclude each other/u],
])("%o is a mistake", (env, message) => {
  expect(() => access(env as unknown as Record<string, string>)).toThrow(message);
});

test("what cannot be done is said in one line", () => {
  const { unsupported } = access({ MLFLOW_TRACKING_AUTH: "kubernetes", MLFLOW_TRACKING_AWS_SIGV4: "true" });
  expect(unsupported).toEqual([
    expect.stringMatching(/TRACKING_AUTH.*not supported/u),
    expect.stringMatching(/SIGV4/u),
  ]);
});
