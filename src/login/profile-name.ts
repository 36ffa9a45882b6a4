import { CattlegridError } from "../errors/error.ts";

export const DEFAULT_PROFILE = "default";

/** The same as a pattern of the API. */
export const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;

/** One sign-in of one user with one agent. */
export interface ProfilePlace {
  owner: string;
  agent: string;
  profile: string;
}

type EntryName = `login/${string}`;

/** SECURITY: becomes a name in the vault; nothing that could lead elsewhere passes. Throws REQUEST_INVALID. */
export function entryNameOf({ owner, agent, profile }: ProfilePlace): EntryName {
  if (!PROFILE_NAME.test(profile)) {
    throw new CattlegridError("REQUEST_INVALID", `${JSON.stringify(profile)} is no profile name.`, {
      hint: "Use up to 32 letters, digits, periods, hyphens and underscores.",
    });
  }
  return `${prefixOf(owner)}${agent}/${profile}`;
}

/** Undefined for what is nothing of this owner's. */
export function placeOfEntry(name: string, owner: string): ProfilePlace | undefined {
  const prefix = prefixOf(owner);
  const [agent, profile, ...rest] = name.startsWith(prefix)
    ? name.slice(prefix.length).split("/")
    : [];
  if (agent === undefined || profile === undefined || rest.length > 0) return undefined;
  return { owner, agent, profile };
}

function prefixOf(owner: string): EntryName {
  return `login/${owner.replaceAll(/[^A-Za-z0-9._-]/g, "-")}/`;
}
