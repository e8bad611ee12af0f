import { BlockList, isIP } from "node:net";
import type { ProxySettings } from "../entities/server-access.ts";

/** The proxy for a URL by the rules of Python's `requests`; `undefined` where it is reached directly. */
export function chooseProxy(url: URL, { http, https, bypass }: ProxySettings): string | undefined {
  const proxy = url.protocol === "https:" ? https : http;
  if (proxy === undefined || proxy === "" || bypass.some((pattern) => matches(url, pattern))) return undefined;
  return /^[a-z][a-z0-9+.-]*:\/\//iu.test(proxy) ? proxy : `http://${proxy}`;
}

/** An address matches itself and its network; a name its own domain and all below it, with or without a leading dot. */
function matches(url: URL, pattern: string): boolean {
  if (pattern === "*") return true;
  const host = url.hostname.replace(/^\[|\]$/gu, "").toLowerCase();
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  const wanted = pattern.toLowerCase().replace(/^\./u, "");
  if (isIP(host) !== 0) return wanted === host || wanted === `${host}:${port}` || isInNetwork(host, wanted);
  return [host, `${host}:${port}`].some((name) => name === wanted || name.endsWith(`.${wanted}`));
}

function isInNetwork(address: string, network: string): boolean {
  const [base = "", bits = ""] = network.split("/");
  const family = isIP(base) === 6 ? "ipv6" : "ipv4";
  const most = family === "ipv6" ? 128 : 32;
  if (isIP(base) === 0 || isIP(base) !== isIP(address) || !/^\d+$/u.test(bits) || Number(bits) > most) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family);
  return list.check(address, family);
}
