import { classifyAddress } from "./address-class.ts";
import { rangeWithin, type AddressRange } from "./address.ts";
import type { HostPattern } from "./host-name.ts";

const IPV4_LENGTH_MIN = 8;
const IPV6_LENGTH_MIN = 32;

/** Second-level labels under which country registries sell names, as in co.uk. */
const REGISTRY_LABELS = new Set(["ac", "co", "com", "edu", "gov", "net", "ne", "or", "org"]);

/** Suffixes under which anybody can get a name, so that a wildcard there reaches anybody. */
const SHARED_SUFFIXES = new Set([
  "amazonaws.com",
  "appspot.com",
  "azure.com",
  "azureedge.net",
  "azurefd.net",
  "azurewebsites.net",
  "cloudapp.azure.com",
  "cloudflare.net",
  "cloudflarestorage.com",
  "cloudfront.net",
  "cloudfunctions.net",
  "digitaloceanspaces.com",
  "duckdns.org",
  "fastly.net",
  "firebaseapp.com",
  "fly.dev",
  "github.io",
  "githubusercontent.com",
  "gitlab.io",
  "googleapis.com",
  "googleusercontent.com",
  "herokuapp.com",
  "netlify.app",
  "ngrok.app",
  "ngrok.io",
  "ngrok-free.app",
  "onrender.com",
  "pages.dev",
  "r2.dev",
  "railway.app",
  "run.app",
  "sslip.io",
  "surge.sh",
  "trycloudflare.com",
  "vercel.app",
  "web.app",
  "windows.net",
  "workers.dev",
]);

/** A region or service of a shared suffix is shared too: `*.s3.us-east-1.amazonaws.com` is every bucket. */
const SHARED_TREES = ["amazonaws.com", "windows.net", "digitaloceanspaces.com"];

/** Why a pattern reaches further than one organisation, or undefined when it does not. */
export function explainBroadHost(pattern: HostPattern): string | undefined {
  if (pattern.kind === "exact") return undefined;
  if (pattern.name === "") return "it matches every name";
  const labels = pattern.name.split(".");
  if (labels.length === 1) return `it matches every name under .${pattern.name}`;
  const [second = "", top = ""] = labels.slice(-2);
  const isRegistry = labels.length === 2 && top.length === 2 && REGISTRY_LABELS.has(second);
  const isShared =
    SHARED_SUFFIXES.has(pattern.name) ||
    SHARED_TREES.some((tree) => pattern.name.endsWith(`.${tree}`));
  if (!isRegistry && !isShared) return undefined;
  return `anybody can have a name under ${pattern.name}`;
}

/** Why a range holds more public addresses than one network has, or undefined when it does not. */
export function explainBroadRange(range: AddressRange): string | undefined {
  const shortest = range.family === 4 ? IPV4_LENGTH_MIN : IPV6_LENGTH_MIN;
  if (range.length >= shortest) return undefined;
  const base = classifyAddress({ family: range.family, value: range.base });
  if (base.class !== "public" && rangeWithin(range, base.range)) return undefined;
  return "it holds more addresses than one network has";
}
