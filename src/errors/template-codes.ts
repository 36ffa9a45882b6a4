import { define, provider, user } from "./definition.ts";

/** Codes of templates: reading, building and bases. */
export const TEMPLATE_CODES = define({
  // Templates
  TEMPLATE_UNKNOWN: user(404, "List templates with `cattlegrid template ls`."),
  TEMPLATE_INVALID: user(
    422,
    "Correct the template at the file and line shown; `cattlegrid template lint` checks it again.",
  ),
  TEMPLATE_FIXED: user(
    403,
    "Leave that out: the template says it, and whoever writes the template can change it.",
  ),
  TEMPLATE_UNTRUSTED: user(
    403,
    "Look at it with `cattlegrid template show project`, then `cattlegrid template approve`.",
  ),
  PARAMETER_MISSING: user(400, "Give each with --param NAME=VALUE."),
  PARAMETER_INVALID: user(400, "`cattlegrid template show NAME` lists its parameters."),
  PARAMETER_IMMUTABLE: user(409, "Make a new sandbox for another value."),

  IMPORT_UNDECIDED: user(
    409,
    "Send in `imported` what is to be taken, or an empty object for nothing.",
  ),
  MCP_HOST_DENIED: user(403, "Allow the server's host in the template's policy."),

  // Their layers
  TEMPLATE_BUILD_FAILED: user(
    422,
    "Correct the step; the log that is named has all that it wrote.",
  ),
  PACKAGES_MISSING: user(
    422,
    "Install them on this machine, or give the template a base of its own.",
  ),
  PACKAGES_UNVERIFIED: user(
    409,
    "Find out who signs the packages, and put that key into the base; nothing unsigned is installed.",
  ),
  REPOSITORY_PRIVATE: user(
    403,
    "A layer is everybody's who uses the template: clone a private repository in a session, with a secret.",
  ),
  LAYER_TOO_LARGE: user(
    422,
    "Let the step remove what it does not need, such as caches and downloads.",
  ),

  // Their bases
  BASE_INVALID: user(422, "Give the template another base, or make this one anew."),
  BASE_UNSUITABLE: user(422, "Use a base for this machine and provider."),
  BASE_CHECKSUM: user(409, "Find out why it changed; then correct the template's `digest`."),
  BASE_PRIVATE: user(
    403,
    "Fetch the image yourself, and name its directory as the template's base.",
  ),
  BASE_UNAVAILABLE: provider(502, "See that the registry can be reached, then try again."),
});
