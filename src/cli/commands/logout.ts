import { tell } from "../caller.ts";
import { CREATION_FLAGS } from "../creation/creation-flags.ts";
import { profilePath } from "../login/profile-list.ts";
import { readSettings } from "../settings.ts";
import { defineVerb } from "../verb.ts";

export const LOGOUT = defineVerb({
  verb: "logout",
  usage: "[--profile NAME] AGENT",
  description:
    "Forgets a sign-in that is kept for every sandbox: it is gone from the vault and from running sandboxes at once, and from the\n" +
    "others before their next session. What a copy can still do, it can until it ends by itself, mostly within an hour; to end\n" +
    "it at once, revoke it where the account is kept.",
  example: "cattlegrid logout --profile work AGENT",
  operands: { min: 1, max: 1, names: "an agent", suggest: ["agent"] },
  trailing: "none",
  flags: { profile: CREATION_FLAGS.profile },
  async run({ flags, operands: [agent = ""] }, { api, caller }) {
    const settings = await readSettings(caller);
    const profile = flags.profile ?? settings.flags["profile"] ?? "default";
    await api.delete(profilePath(agent, profile));
    tell(caller, `cattlegrid: the login profile ${profile} of ${agent} is forgotten.`);
    return 0;
  },
});
