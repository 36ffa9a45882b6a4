import type { TemplateDetail } from "../protocol/template-list.ts";
import type { TemplateContent } from "./content.ts";
import { wholeReference } from "./interpolation.ts";

/** In the order in which a person is told them, the weightiest first. */
const EFFECTS: readonly [string, (content: TemplateContent) => readonly string[]][] = [
  [
    "starts from the root file system",
    ({ base = "host" }) => (base === "host" ? [] : [Object.values(base).join(" ")]),
  ],
  [
    "installs",
    ({ packages = {} }) =>
      Object.entries(packages).flatMap(([kind, names = []]) =>
        names.map((name) => `${kind}: ${name}`),
      ),
  ],
  ["runs when it is built", ({ setup = [] }) => setup.map(({ run }) => run.trim())],
  [
    "clones",
    ({ repositories = [] }) => repositories.map(({ url, path }) => `${url} into ~/${path}`),
  ],
  ["lets out to", listWays],
  ["gives the agent secrets", listSecrets],
  ["takes from your own configuration of the agent", (content) => content.import ?? []],
  ["lets the agent change", ({ workspace }) => workspace?.unprotect ?? []],
  ["tells the agent", listInstructions],
  ["starts servers for the agent, inside", listServers],
  ["runs at the agent's events, inside", listHooks],
  ["writes files", ({ files = [] }) => files.map(({ path }) => `~/${path}`)],
];

/**
 * What a template would do that a person who did not write it wants to know before it counts; before any parameter has a
 * value. Pure.
 */
export function listEffects(content: TemplateContent): TemplateDetail["effects"] {
  return EFFECTS.map(([what, list]) => ({ what, details: [...list(content)] })).filter(
    ({ details }) => details.length > 0,
  );
}

function listWays({ policy: { preset, allow = [] } = {} }: TemplateContent): string[] {
  return [...(preset === undefined ? [] : [`what the policy \`${preset}\` allows`]), ...allow];
}

function listSecrets({
  secrets = {},
  environment = {},
  parameters = {},
}: TemplateContent): readonly string[] {
  const asked = Object.entries({ ...environment, ...secrets }).flatMap(([variable, text]) => {
    const name = wholeReference(text) ?? "";
    return parameters[name]?.type === "secret"
      ? [`${variable}: one that you choose (${name})`]
      : [];
  });
  const named = Object.entries(secrets).filter(([, text]) => wholeReference(text) === undefined);
  return [...named.map(([variable, name]) => `${variable}: ${name}`), ...asked];
}

function listInstructions({ steering = [], agents = {} }: TemplateContent): readonly string[] {
  const prompted = Object.keys(agents).filter((id) => agents[id]?.prompt !== undefined);
  return [...steering.map(({ name }) => name), ...prompted.map((id) => `${id}: a prompt`)];
}

function listServers({ mcpServers = {} }: TemplateContent): readonly string[] {
  return Object.entries(mcpServers).map(([name, server]) => {
    const what = "url" in server ? server.url : [server.command, ...(server.args ?? [])].join(" ");
    return `${name}: ${what}`;
  });
}

function listHooks({ agents = {} }: TemplateContent): readonly string[] {
  return Object.entries(agents).flatMap(([id, { hooks = {} }]) =>
    Object.entries(hooks).flatMap(([event, list]) =>
      list.map(({ command }) => `${id}, ${event}: ${command}`),
    ),
  );
}
