import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { metricsOf, processesIn, tagsOf, TrackRig, waitFor } from "../e2e/rig.ts";
import { resolveServerAccess } from "../../src/settings/server-access.ts";
import { openRestStore } from "../../src/store/rest/rest-store.ts";
import { refused } from "../store/tracking-store-contract.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { ForwardProxy } from "./forward-proxy.ts";
import { makeFolder, removeFolder } from "./interop-folder.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { isInstalled, newestMlflow } from "./mlflow-versions.ts";
import { installServerExtras } from "./server-extras.ts";
import { type Certificates, makeCertificates, TlsProxy } from "./tls-proxy.ts";
import { describeIf } from "../only-if.ts";
import { describeWith } from "./with-mlflow.ts";

const password = "a-long-Password-1";
const extras = isInstalled(newestMlflow) ? installServerExtras() : undefined;

describeIf(extras !== undefined, "what it needs beside MLflow could not be installed")(
  "a tracking server that asks who is there",
  () => {
    let server: MlflowServer;

    beforeAll(async () => {
      const folder = makeFolder();
      const config = join(folder, "auth.ini");
      const users = `database_uri = sqlite:///${folder}/users.db\nadmin_username = admin\nadmin_password = ${password}\n`;
      const authorization = "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n";
      // Without its cache the server hashes the password anew for every request, for a tenth of a second and more.
      const cache = "auth_cache_ttl_seconds = 600\n";
      writeFileSync(config, `[mlflow]\ndefault_permission = READ\n${users}${authorization}${cache}`);
      server = await MlflowServer.start(newestMlflow, `sqlite:///${folder}/mlflow.db`, folder, {
        args: ["--app-name", "basic-auth"],
        env: { PYTHONPATH: extras ?? "", MLFLOW_AUTH_CONFIG_PATH: config, MLFLOW_FLASK_SERVER_SECRET_KEY: "s" },
      });
      return async () => {
        await server[Symbol.asyncDispose]();
        removeFolder(folder);
      };
    });

    const rigFor = () => {
      const rig = TrackRig.setup();
      onTestFinished(() => rig[Symbol.asyncDispose]());
      return rig;
    };
    const admin = { MLFLOW_TRACKING_USERNAME: "admin", MLFLOW_TRACKING_PASSWORD: password };

    test("refused credentials are a mistake: 125, and the command is not started", async () => {
      const rig = rigFor();
      for (const env of [{}, { ...admin, MLFLOW_TRACKING_PASSWORD: "wrong-Secret-7" }]) {
        const all = { ...env, MLFLOW_TRACKING_URI: server.url };
        const { code, stdout, stderr } = await rig.track(["run", "--", "echo", "no"], { env: all });
        expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
        expect(stderr).toMatch(/refuses the credentials: 401[^\n]*\nhint: set MLFLOW_TRACKING_USERNAME/u);
        expect(stderr).not.toContain("wrong-Secret-7");
        expect((await rig.track(["ls"], { env: all })).code).toBe(1);
      }
      expect(rig.journalNames()).toEqual([]);
    });

    test("a run is recorded with user and password, which are nowhere on the disk", async () => {
      const rig = rigFor();
      const env = { ...admin, MLFLOW_TRACKING_URI: server.url };
      const script =
        'echo "loss=1" >> "$TRACK_LOG"; cat "$(dirname "$TRACK_LOG")"/header.json "$(dirname "$TRACK_LOG")"/*.ndjson';
      const { code, stdout, stderr } = await rig.track(["run", "--", "sh", "-c", script], { env });
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("FINISHED") });
      expect(stderr).not.toContain("not all is stored");
      expect(stdout).toContain("create-run");
      expect(stdout + stderr).not.toContain(password);
      const listed = await rig.track(["ls", "--json"], { env });
      const [run] = (
        JSON.parse(listed.stdout) as { runs: { data: { metrics: unknown[] }; info: { user_id: string } }[] }
      ).runs;
      expect(run?.info.user_id).toBe("admin");
    });

    test("~/.mlflow/credentials, and a user in the URI itself", async () => {
      const rig = rigFor();
      const withUser = server.url.replace("//", `//admin:${password}@`);
      const typed = await rig.track(["run", "--tracking-uri", withUser, "--", "printenv", "TRACK_TRACKING_URI"]);
      expect(typed).toMatchObject({ code: 0, stdout: `${server.url}\n` });
      expect(typed.stderr).toContain("FINISHED");
      expect(typed.stderr).not.toContain("not all is stored");
      expect(typed.stderr).not.toContain(password);
      mkdirSync(join(rig.env["HOME"] ?? "", ".mlflow"));
      const ini = `[mlflow]\nmlflow_tracking_username = admin\nmlflow_tracking_password = ${password}\n`;
      writeFileSync(join(rig.env["HOME"] ?? "", ".mlflow/credentials"), ini);
      const { code, stdout } = await rig.track(["ls", "--tracking-uri", server.url]);
      expect(code).toBe(0);
      expect(stdout).toContain("FINISHED");
    });

    describe("that only a folder's track.toml names", () => {
      const ini = `[mlflow]\nmlflow_tracking_username = admin\nmlflow_tracking_password = ${password}\n`;
      const withheld =
        /your credentials are not sent to [^\n]*, which only [^\n]*track\.toml:1 names: trusted-servers/u;

      const cloned = (url = server.url) => {
        const rig = rigFor();
        const home = rig.env["HOME"] ?? "";
        mkdirSync(join(home, ".mlflow"));
        mkdirSync(join(home, ".config/track"), { recursive: true });
        writeFileSync(join(home, ".mlflow/credentials"), ini);
        writeFileSync(join(rig.cwd, "track.toml"), `tracking-uri = "${url}"\n`);
        const sayOfUser = (text: string) => writeFileSync(join(home, ".config/track/config.toml"), text);
        return { rig, sayOfUser };
      };

      test("gets no credentials, neither the file's nor the environment's, until the user names it", async () => {
        const { rig, sayOfUser } = cloned();
        for (const env of [{}, admin]) {
          const looked = await rig.track(["ls"], { env });
          expect(looked).toMatchObject({ code: 1, stderr: expect.stringMatching(withheld) });
          expect(looked.stderr).toContain("401");
          expect(looked.stderr.match(/not sent/gu)).toHaveLength(1);
          expect((await rig.track(["doctor"], { env })).stdout).toMatch(/no\tstore\t.*401/u);
          const run = await rig.track(["run", "--", "echo", "no"], { env });
          expect(run).toMatchObject({ code: 125, stdout: "", stderr: expect.stringMatching(withheld) });
        }
        for (const [text, env] of [
          [`trusted-servers = ["${server.url}/"]\n`, {}],
          [`tracking-uri = "${server.url}"\n`, {}],
          ["", { MLFLOW_TRACKING_URI: server.url }],
        ] as const) {
          sayOfUser(text);
          const { code, stderr } = await rig.track(["ls"], { env });
          expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        }
        expect(await rig.track(["ls", "--tracking-uri", server.url])).toMatchObject({ code: 0, stderr: "" });
        sayOfUser(`tracking-uri = "${server.url}"\n`);
        const named = await rig.track(["run", "--", "true"], { env: { ...admin, HOME: join(rig.root, "home") } });
        expect(named).toMatchObject({ code: 0, stderr: expect.stringContaining("FINISHED") });
      });

      test("a folder cannot trust for the user, and --direct would give what track withholds", async () => {
        const { rig } = cloned();
        const direct = await rig.track(["run", "--direct", "--", "echo", "no"]);
        expect(direct).toMatchObject({ code: 125, stdout: "", stderr: expect.stringMatching(withheld) });
        expect(direct.stderr).toContain("hint: name the server yourself");
        writeFileSync(join(rig.cwd, "track.toml"), `trusted-servers = ["${server.url}"]\n`);
        const cheeky = await rig.track(["ls"]);
        expect(cheeky).toMatchObject({ code: 2, stderr: expect.stringContaining("only your own config file") });
      });

      test("gets none by a later command either", async () => {
        await using proxy = await FaultProxy.start(server.url);
        const { rig } = cloned(proxy.url);
        await proxy.always({ kind: "refuse" });
        const inner = ["track", "run", "--quiet", "--", "sh", "-c", 'cat "$(dirname "$TRACK_LOG")/header.json"'];
        const run = await rig.track(["run", "--sync-timeout", "100ms", "--", ...inner]);
        expect(run.code).toBe(0);
        expect(JSON.parse(run.stdout)).toMatchObject({ trackingUri: proxy.url, isUntrusted: true });
        await waitFor(() => processesIn(rig.root).length === 0, { timeoutMs: 20_000 });
        await proxy.always();
        const elsewhere = { cwd: rig.root };
        const refused = await rig.track(["sync"], elsewhere);
        expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("401") });
        const sent = await rig.track(["sync"], { ...elsewhere, env: { MLFLOW_TRACKING_URI: proxy.url } });
        expect(sent).toMatchObject({ code: 0, stderr: "" });
        expect(rig.journalNames()).toEqual([]);
      });
    });
  },
);

describeWith(newestMlflow)("a tracking server behind TLS and proxies", () => {
  let server: MlflowServer;
  let certificates: Certificates;
  let tls: TlsProxy;

  beforeAll(async () => {
    const folder = makeFolder();
    certificates = makeCertificates(folder);
    server = await MlflowServer.start(newestMlflow, `sqlite:///${folder}/mlflow.db`, folder);
    tls = await TlsProxy.start(server.url, certificates);
    return async () => {
      await tls[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      removeFolder(folder);
    };
  });

  const open = (url: string, env: Readonly<Record<string, string>> = {}) => {
    const all = { HOME: "/nonexistent", MLFLOW_TRACKING_URI: url, MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0", ...env };
    const store = openRestStore(resolveServerAccess(url, all));
    onTestFinished(() => store[Symbol.asyncDispose]());
    return store;
  };
  const nameOf0 = async (store: ReturnType<typeof open>) => (await store.getExperiment("0")).name;

  test("an authority that nobody knows is refused, a given one is taken, none at all is asked for", async () => {
    await refused(open(tls.url).getExperiment("0"), "TEMPORARILY_UNAVAILABLE", /certificate/u);
    for (const env of [
      { MLFLOW_TRACKING_SERVER_CERT_PATH: certificates.authority },
      { REQUESTS_CA_BUNDLE: certificates.authority },
      { MLFLOW_TRACKING_INSECURE_TLS: "true" },
    ]) {
      expect(await nameOf0(open(tls.url, env))).toBe("Default");
    }
    const missing = open(tls.url, { MLFLOW_TRACKING_SERVER_CERT_PATH: "/nonexistent.pem" });
    await refused(missing.getExperiment("0"), "INVALID_PARAMETER_VALUE", /nonexistent/u);
  });

  test("a client certificate is shown", async () => {
    await using strict = await TlsProxy.start(server.url, certificates, true);
    const env = { MLFLOW_TRACKING_SERVER_CERT_PATH: certificates.authority };
    await refused(open(strict.url, env).getExperiment("0"), "TEMPORARILY_UNAVAILABLE");
    expect(await nameOf0(open(strict.url, { ...env, MLFLOW_TRACKING_CLIENT_CERT_PATH: certificates.client }))).toBe(
      "Default",
    );
  });

  test("track run and its recorder go through TLS", async () => {
    await using rig = TrackRig.setup();
    const env = { MLFLOW_TRACKING_URI: tls.url, MLFLOW_TRACKING_SERVER_CERT_PATH: certificates.authority };
    const script = 'echo "loss=1" >> "$TRACK_LOG"; echo file > file; track log artifact file';
    expect(await rig.track(["run", "-n", "secure", "--", "sh", "-c", script], { env })).toMatchObject({ code: 0 });
    const run = await rig.run(server.url);
    expect(metricsOf(run)).toEqual({ loss: 1 });
    expect(tagsOf(run)["track.exit_code"]).toBe("0");
    const shown = await rig.track(["artifacts", "get", "secure", "file", "-o", "copy"], { env });
    expect(shown).toMatchObject({ code: 0 });
    expect(readFileSync(join(rig.cwd, "copy"), "utf8")).toBe("file\n");
    const unknown = await rig.track(["run", "--sync-timeout", "100ms", "--", "echo", "hi"], {
      env: { ...env, MLFLOW_TRACKING_SERVER_CERT_PATH: "" },
    });
    expect(unknown).toMatchObject({ code: 0, stdout: "hi\n", stderr: expect.stringContaining("certificate") });
  });

  test("proxies are gone through, with their user, unless NO_PROXY names the host", async () => {
    await using proxy = await ForwardProxy.start();
    const both = { http_proxy: proxy.url, https_proxy: proxy.url };
    expect(await nameOf0(open(server.url, both))).toBe("Default");
    expect(proxy.seen).toEqual([`GET ${server.url}/api/2.0/mlflow/experiments/get?experiment_id=0`]);
    const secure = { ...both, MLFLOW_TRACKING_SERVER_CERT_PATH: certificates.authority };
    expect(await nameOf0(open(tls.url, secure))).toBe("Default");
    expect(proxy.seen.at(-1)).toBe(`CONNECT ${new URL(tls.url).host}`);
    expect(await nameOf0(open(server.url, { ...both, NO_PROXY: "127.0.0.0/8" }))).toBe("Default");
    expect(proxy.seen).toHaveLength(2);
    const wrong = {
      http_proxy: proxy.url.replace("pw@", "Wrong-9@"),
      https_proxy: proxy.url.replace("pw@", "Wrong-9@"),
    };
    for (const url of [server.url, tls.url]) {
      const error: unknown = await open(url, { ...secure, ...wrong })
        .getExperiment("0")
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ errorCode: "TEMPORARILY_UNAVAILABLE", message: expect.stringContaining("407") });
      expect(String(error)).not.toContain("Wrong-9");
    }
  });
});
