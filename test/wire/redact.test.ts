import { describe, expect, it } from "vitest";
import { createMasker, isMasked, isSecretName } from "../../src/wire/redact.ts";

const github = `ghp_${"a1B2c3D4".repeat(5)}`;
const hugging = `hf_${"AbCdEfGhIj".repeat(4).slice(0, 34)}`;
const jwt = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", "dozjgNryP4J3jVmNHl0w5N"].join(".");
const keyBlock = `-----BEGIN RSA PRIVATE KEY-----\n${"MIIEpAIBAAKCAQEA".repeat(4)}\n-----END RSA PRIVATE KEY-----`;

const plain = createMasker({}, { enabled: true });

describe("isSecretName", () => {
  it.each([
    "api-key",
    "--api-key",
    "HF_TOKEN",
    "hf.token",
    "apiKey",
    "HFToken",
    "AWS_SECRET_ACCESS_KEY",
    "WANDB_API_KEY",
    "password",
    "db_passwd",
    "passphrase",
    "credentials",
    "MLFLOW_TRACKING_PASSWORD",
    "private-key",
    "auth_token",
    "client.secret",
    "PASSWORD",
  ])("%s", (name) => expect(isSecretName(name)).toBe(true));

  it.each([
    "tokenizer",
    "--max-tokens",
    "pad_token_id",
    "token_count",
    "secretary",
    "key",
    "keyboard",
    "monkey",
    "public_key",
    "path",
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "",
    "--",
    "passwordless",
    "api_keys_file",
  ])("not %s", (name) => expect(isSecretName(name)).toBe(false));
});

describe("maskArgv", () => {
  const cases: [string[], string[]][] = [
    [
      ["t.py", "--api-key", "abc"],
      ["t.py", "--api-key", "***"],
    ],
    [
      ["t.py", "--api-key=abc"],
      ["t.py", "--api-key=***"],
    ],
    [
      ["env", "HF_TOKEN=x y", "t.py"],
      ["env", "HF_TOKEN=***", "t.py"],
    ],
    [
      ["t.py", "-token", "abc"],
      ["t.py", "-token", "***"],
    ],
    [
      ["t.py", "++trainer.api_key=a=b"],
      ["t.py", "++trainer.api_key=***"],
    ],
    [
      ["t.py", "-p", "api_key=q,w"],
      ["t.py", "-p", "api_key=***"],
    ],
    [
      ["sh", "-c", "HF_TOKEN=abc t.py --password 'x y' --lr 3"],
      ["sh", "-c", "HF_TOKEN=*** t.py --password '***' --lr 3"],
    ],
    [
      ["curl", "-H", "Authorization: Bearer abcdefghijklmnop"],
      ["curl", "-H", "Authorization: Bearer ***"],
    ],
    [
      ["t.py", `--repo=https://${github}@github.com/x`],
      ["t.py", "--repo=https://***@github.com/x"],
    ],
    [
      ["t.py", "postgresql://u:p@db/x"],
      ["t.py", "postgresql://***@db/x"],
    ],
    [
      ["t.py", "https://h/x?sig=abcdefghij&token=abc&n=1"],
      ["t.py", "https://h/x?sig=***&token=***&n=1"],
    ],
    [
      ["t.py", github, hugging, jwt],
      ["t.py", "***", "***", "***"],
    ],
  ];
  it.each(cases)("%j", (argv, expected) => {
    expect(plain.maskArgv(argv)).toEqual(expected);
    expect(isMasked(expected)).toBe(true);
  });

  it.each([
    [["t.py", "--tokenizer", "gpt2", "--max-tokens", "512", "pad_token_id=50256"]],
    [["t.py", "--token", "--verbose"]],
    [["t.py", "--use-auth-token", "true", "--token=0.5", "--secret", "12345678", "--password=False"]],
    [["t.py", "--pad-token", "<pad>", "--eos-token=<|endoftext|>", "--mask-token", "[MASK]"]],
    [["t.py", "https://localhost:8080/a@b", "ssh://git@github.com/x", "abfss://box@account.net/x", "mailto:a@b.c"]],
    [["sh", "-c", 'login --token "$HF_TOKEN" && X_TOKEN=$Y t.py']],
    [["python", "-c", "f(token=os.environ['A'], password=getpass())"]],
    [["t.py", "task-2024-01-01T10-20-30-some-long-name", "sk-learn-contrib-some-very-long-package"]],
    [["t.py", "eyJhbGciOiJIUzI1NiJ9eyJhbGciOiJIUzI1NiJ9", "AKIAshort", "npm_config_registry"]],
    [["t.py", "--token"]],
  ])("leaves %j", (argv) => {
    expect(plain.maskArgv(argv)).toBe(argv);
    expect(isMasked(argv)).toBe(false);
  });
});

describe("maskKeyValue", () => {
  it.each([
    ["api_key", "abc", "***"],
    ["model.hf_token", "abc", "***"],
    ["pad_token_id", "50256", "50256"],
    ["token", "1e-4", "1e-4"],
    ["secret", "True", "True"],
    ["note", "run with lr=3 and api_key=abc, then", "run with lr=3 and api_key=***, then"],
    [
      "config",
      '{"api_key": "abc", "lr": "3", "eos_token": "</s>"}',
      '{"api_key": "***", "lr": "3", "eos_token": "</s>"}',
    ],
    ["config", "{'hf_token': 'abc'}", "{'hf_token': '***'}"],
    ["config", "Namespace(api_key='abc', lr=3)", "Namespace(api_key='***', lr=3)"],
    ["key", keyBlock, "***"],
    ["note", "use --token to log in", "use --token to log in"],
  ])("%s %s", (key, value, expected) => expect(plain.maskKeyValue(key, value)).toBe(expected));
});

describe("values of secret-named variables", () => {
  const env = {
    WANDB_API_KEY: "0123456789abcdef0123456789abcdef01234567",
    DB_PASSWORD: "päss word!",
    SHORT_TOKEN: "1234567",
    LONGER_TOKEN: "word!-and-more",
    PLAIN: "not-a-secret-at-all",
    SSH_AUTH_SOCK: "/tmp/ssh-agent",
    PWD: "/home/someone/x",
    GIT_AUTHOR_TOKEN: "some author",
    EMPTY_SECRET: undefined,
  };
  const masker = createMasker(env, { enabled: true });

  it("are masked wherever they appear", () => {
    expect(masker.maskText(`a${env.WANDB_API_KEY}b`)).toBe("a***b");
    expect(masker.maskArgv(["t.py", "--x", env.DB_PASSWORD])).toEqual(["t.py", "--x", "***"]);
    expect(masker.maskKeyValue("k", `${env.DB_PASSWORD} ${env.DB_PASSWORD}`)).toBe("*** ***");
  });

  it("that overlap leave nothing of either", () => expect(masker.maskText("<päss word!-and-more>")).toBe("<***>"));

  it("leaves short ones, other variables and the exceptions", () => {
    const text = [env.SHORT_TOKEN, env.PLAIN, env.SSH_AUTH_SOCK, env.PWD, env.GIT_AUTHOR_TOKEN].join(" ");
    expect(masker.maskText(text)).toBe(text);
  });

  it("are kept with redaction off", () => {
    const open = createMasker(env, { enabled: false });
    expect(open.masksAnything).toBe(false);
    expect(open.maskText(env.WANDB_API_KEY)).toBe(env.WANDB_API_KEY);
    expect(open.maskKeyValue("api_key", "abc")).toBe("abc");
    const argv = ["--api-key", "abc"];
    expect(open.maskArgv(argv)).toBe(argv);
    const chunk = Buffer.from(env.WANDB_API_KEY);
    expect(open.createStreamMasker().push(chunk)).toBe(chunk);
  });
});

describe("maskUrl", () => {
  it.each([
    ["postgresql://user:p/w#d@db:5432/x", "postgresql://***@db:5432/x"],
    ["redis://:pass@h", "redis://***@h"],
    ["https://host:8080/p@th", "https://host:8080/p@th"],
    ["https://tok@host/x?api_key=abc", "https://***@host/x?api_key=***"],
    ["sqlite:////tmp/x.db", "sqlite:////tmp/x.db"],
    ["ssh://git@host/x", "ssh://git@host/x"],
  ])("%s", (url, expected) => expect(plain.maskUrl(url)).toBe(expected));
});

describe("known tokens", () => {
  it.each([
    github,
    `github_pat_${"11ABCDEFG0".repeat(6)}`,
    hugging,
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdefGHIJ",
    `sk-${"aB3".repeat(16)}`,
    `sk-ant-api03-${"aB3_".repeat(12)}`,
    `AIza${"aB3-x".repeat(7)}`,
    `glpat-${"aB3xx".repeat(4)}`,
    `npm_${"aB3xxx".repeat(6)}`,
    `pypi-AgEIcHlwaS5vcmc${"aB3_".repeat(10)}`,
    jwt,
    keyBlock,
  ])("%s", (token) => {
    expect(plain.maskText(`<${token}>`)).toBe("<***>");
    const stream = plain.createStreamMasker();
    expect(Buffer.concat([stream.push(Buffer.from(`<${token}>`)), stream.end()]).toString()).toBe("<***>");
  });
});

it("is linear on hostile text", () => {
  const start = performance.now();
  for (const piece of ["sk-", "-----BEGIN PRIVATE KEY", "eyJ.", "a-=", "http://", "--token ", "'a'", "xoxb-"]) {
    plain.maskText(piece.repeat(1_000_000 / piece.length));
  }
  expect(performance.now() - start).toBeLessThan(10_000);
});
