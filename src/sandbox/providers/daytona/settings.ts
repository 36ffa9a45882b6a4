import { CattlegridError } from "../../../errors/error.ts";
import { DAYTONA_SETTINGS } from "./capabilities.ts";

export type DaytonaVariable = (typeof DAYTONA_SETTINGS)[number]["variable"];

/** SECURITY: asked for at each use and kept nowhere in the provider. */
export type ReadVariable = (name: DaytonaVariable) => Promise<string | undefined>;

export interface DaytonaSettings {
  /** Without a slash at its end. */
  url: string;
  /** The region. Default: the organisation's. */
  target: string | undefined;
  /** What sandboxes are made from. Default: the service's own. */
  snapshot: string | undefined;
  /** The same as an image of a registry; resources can be asked for only with one. */
  image: string | undefined;
}

const URL_DEFAULT = "https://app.daytona.io/api";
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Throws PROVIDER_SETTINGS_INVALID. */
export async function readSettings(read: ReadVariable): Promise<DaytonaSettings> {
  const [url = URL_DEFAULT, target, snapshot, image] = await Promise.all([
    read("DAYTONA_API_URL"),
    read("DAYTONA_TARGET"),
    read("CATTLEGRID_DAYTONA_SNAPSHOT"),
    read("CATTLEGRID_DAYTONA_IMAGE"),
  ]);
  if (snapshot !== undefined && image !== undefined) {
    throw invalid(
      "CATTLEGRID_DAYTONA_SNAPSHOT and CATTLEGRID_DAYTONA_IMAGE are both given.",
      "Give one.",
    );
  }
  if (image !== undefined && !/^[\w./:@-]+$/.test(image)) {
    throw invalid("CATTLEGRID_DAYTONA_IMAGE is no name of an image.", "Name one as `debian:12`.");
  }
  return { url: checkUrl(url), target, snapshot, image };
}

/** Throws PROVIDER_CREDENTIAL_MISSING. */
export async function readKey(read: ReadVariable): Promise<string> {
  const key = await read("DAYTONA_API_KEY");
  if (key !== undefined && /^[\x21-\x7e]+$/.test(key)) return key;
  const what = key === undefined ? "There is no key of Daytona's" : "DAYTONA_API_KEY is no key";
  throw new CattlegridError("PROVIDER_CREDENTIAL_MISSING", `${what}.`, {
    details: { provider: "daytona", variables: DAYTONA_SETTINGS.map(({ variable }) => variable) },
    hint: "Keep it with `cattlegrid secret set DAYTONA_API_KEY`, or have DAYTONA_API_KEY in the environment of the command.",
  });
}

/** SECURITY: the key goes over no connection that others can read. */
export function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.username !== "") {
    throw invalid(
      "DAYTONA_API_URL is no address of an API.",
      "Such as https://app.daytona.io/api.",
    );
  }
  if (url.protocol === "http:" && !LOOPBACK.has(url.hostname)) {
    const message = `${url.origin} is not encrypted, and the key would go over it.`;
    throw invalid(message, "Use https://.");
  }
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

function invalid(message: string, hint: string): CattlegridError {
  return new CattlegridError("PROVIDER_SETTINGS_INVALID", message, { hint });
}
