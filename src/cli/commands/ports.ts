import type { PortPublish, PublishedPort } from "../../protocol/port.ts";
import { sandboxPath } from "../api.ts";
import { usage } from "../arguments.ts";
import { tell } from "../caller.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { renderTable } from "../output/table.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const PORTS = defineVerb({
  verb: "ports",
  usage:
    "[--json] NAME\n       cattlegrid ports publish [--json] NAME [HOSTPORT:]PORT...\n       cattlegrid ports close NAME HOSTPORT...",
  description:
    "Lists, publishes and closes ports. A published port of a running sandbox is reached at 127.0.0.1, from this machine alone;\n" +
    "every program and user of this machine can connect. What listens inside must do so on 127.0.0.1 or ::1. `:PORT` takes\n" +
    "any free port of this machine. A published port is gone with its sandbox.",
  example: "cattlegrid ports publish my-sandbox 8080:3000",
  operands: {
    min: 1,
    max: 64,
    names: "the name of a sandbox, and ports",
    suggest: ["sandbox", "sandbox", []],
  },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags, operands }, context) {
    const [word = "", name, ...rest] = operands;
    const asJson = flags.json === true;
    if (name === undefined) return list(word, asJson, context);
    if (word === "publish") return publish({ name, specifications: rest, asJson }, context);
    if (word === "close") return close(name, rest, context);
    throw usage("ports", `\`ports\` can publish and close, and not ${JSON.stringify(word)}.`);
  },
});

async function list(name: string, asJson: boolean, { api, caller }: VerbContext): Promise<number> {
  const found = await api.get<{ ports: readonly PublishedPort[] }>(sandboxPath(name, "/ports"));
  if (asJson) caller.output.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else if (found.ports.length === 0) tell(caller, `${name} publishes no port.`);
  else caller.output.write(renderPorts(found.ports));
  return 0;
}

export function renderPorts(ports: readonly PublishedPort[]): string {
  const rows = ports.map(({ hostAddress, hostPort, port, connections }) => [
    `${hostAddress}:${hostPort}`,
    String(port),
    String(connections),
  ]);
  return renderTable(["ADDRESS", "PORT INSIDE", "CONNECTIONS"], rows);
}

interface Publishing {
  name: string;
  specifications: readonly string[];
  asJson: boolean;
}

async function publish(
  { name, specifications, asJson }: Publishing,
  { api, caller }: VerbContext,
): Promise<number> {
  if (specifications.length === 0) throw usage("ports", "`ports publish` needs a port.");
  const requests = specifications.map(readSpecification);
  const ports: PublishedPort[] = [];
  for (const request of requests) {
    ports.push(await api.post<PublishedPort>(sandboxPath(name, "/ports"), request));
    const { hostAddress, hostPort } = ports.at(-1) ?? { hostAddress: "", hostPort: 0 };
    if (!asJson) caller.output.write(`${hostAddress}:${hostPort}\n`);
  }
  if (asJson) caller.output.write(`${JSON.stringify({ ports }, undefined, 2)}\n`);
  return 0;
}

/** `8080` is the same port on both sides, `8080:3000` leads to 3000 inside, `:3000` from any free port. */
export function readSpecification(text: string): PortPublish {
  const [, outside, inside] = /^(?:(\d*):)?(\d+)$/.exec(text) ?? [];
  if (inside === undefined) throw wrong(text);
  const port = readPort(inside, text);
  if (outside === "") return { port };
  return { port, hostPort: outside === undefined ? port : readPort(outside, text) };
}

function readPort(digits: string, text: string): number {
  const port = Number(digits);
  if (port >= 1 && port <= 65_535) return port;
  throw wrong(text);
}

function wrong(text: string): Error {
  const message = `${JSON.stringify(text)} is not a port such as 8080, 8080:3000 or :3000.`;
  return usage("ports", message);
}

async function close(
  name: string,
  hostPorts: readonly string[],
  { api, caller }: VerbContext,
): Promise<number> {
  if (hostPorts.length === 0) throw usage("ports", "`ports close` needs a port of this machine.");
  for (const text of hostPorts) {
    const hostPort = readPort(text, text);
    await api.delete(sandboxPath(name, `/ports/${hostPort}`));
    tell(caller, `cattlegrid: port ${hostPort} is closed.`);
  }
  return 0;
}
