import { formatHostPattern, matchesHost, readHostPattern, type HostPattern } from "../host-name.ts";
import type { AllowRule } from "./rule.ts";

interface UploadHost {
  pattern: HostPattern;
  /** What somebody with an account there can send to it. */
  how: string;
}

/** The same storage as a region names it, which no pattern of rules can say. */
const REGIONAL_STORAGE = /(?:^|\.)s3[.-][a-z0-9.-]*\.amazonaws\.com$|^amazonaws\.com$/;
const REGIONAL_STORAGE_HOW = "an object in somebody's storage";

const READING_METHODS = ["GET", "HEAD", "OPTIONS"];

/** Places that take files or text from anybody with an account of their own, wherever the account came from. */
const UPLOAD_HOSTS: readonly UploadHost[] = [
  ...take("a pushed branch, an issue or a gist", [
    "github.com",
    "api.github.com",
    "gist.github.com",
    "uploads.github.com",
    "gitlab.com",
    "bitbucket.org",
    "api.bitbucket.org",
    "codeberg.org",
    "huggingface.co",
  ]),
  ...take("a published package", [
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "upload.pypi.org",
    "crates.io",
    "rubygems.org",
    "api.nuget.org",
    "packagist.org",
  ]),
  ...take("a pushed image", [
    "ghcr.io",
    "quay.io",
    "registry.gitlab.com",
    "**.pkg.dev",
    "gcr.io",
    "**.azurecr.io",
  ]),
  ...take("an object in somebody's storage", [
    "**.s3.amazonaws.com",
    "s3.amazonaws.com",
    "storage.googleapis.com",
    "**.storage.googleapis.com",
    "**.blob.core.windows.net",
    "**.digitaloceanspaces.com",
    "**.r2.cloudflarestorage.com",
    "**.backblazeb2.com",
  ]),
  ...take("a shared file or paste", [
    "pastebin.com",
    "paste.rs",
    "dpaste.org",
    "0x0.st",
    "transfer.sh",
    "file.io",
    "api.dropboxapi.com",
    "content.dropboxapi.com",
    "www.googleapis.com",
    "slack.com",
    "hooks.slack.com",
    "discord.com",
    "api.telegram.org",
  ]),
];

function take(how: string, texts: readonly string[]): readonly UploadHost[] {
  return texts.flatMap((text) => {
    const pattern = readHostPattern(text);
    return pattern.ok ? [{ pattern: pattern.value, how }] : [];
  });
}

/**
 * How data could be carried out by what a rule allows, for people to see; undefined when nothing is known.
 * It decides nothing: any server that is allowed may keep what it is sent.
 */
export function explainUpload(rule: AllowRule): string | undefined {
  const { target, scope } = rule;
  if (scope.methods?.every((method) => READING_METHODS.includes(method)) === true) return undefined;
  if (target.kind === "range") return undefined;
  const { pattern } = target;
  if (REGIONAL_STORAGE.test(pattern.name)) return REGIONAL_STORAGE_HOW;
  return UPLOAD_HOSTS.find((host) => overlap(host.pattern, pattern))?.how;
}

function overlap(one: HostPattern, other: HostPattern): boolean {
  if (one.kind === "exact" && one.name !== "") return matchesHost(other, one.name);
  if (other.kind === "exact" && other.name !== "") return matchesHost(one, other.name);
  const [shown, wide] = [formatHostPattern(one), formatHostPattern(other)].map((text) =>
    text.replace(/^\*+\.?/, ""),
  );
  return (
    [shown, wide].some((name) => name === "") ||
    `.${shown}`.endsWith(`.${wide}`) ||
    `.${wide}`.endsWith(`.${shown}`)
  );
}
