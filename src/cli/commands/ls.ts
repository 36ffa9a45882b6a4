import type { Sandbox } from "../../protocol/sandbox.ts";
import { tell } from "../caller.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { renderTable } from "../output/table.ts";
import { defineVerb } from "../verb.ts";

export const LS = defineVerb({
  verb: "ls",
  usage: "[--json]",
  description: "Lists your sandboxes.",
  example: "cattlegrid ls --json",
  operands: { min: 0, max: 0, names: "" },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags }, { api, caller }) {
    const { sandboxes } = await api.get<{ sandboxes: readonly Sandbox[] }>("/v1/sandboxes");
    if (flags.json) caller.output.write(`${JSON.stringify({ sandboxes }, undefined, 2)}\n`);
    else if (sandboxes.length === 0) tell(caller, "There are no sandboxes.");
    else caller.output.write(renderList(sandboxes));
    return 0;
  },
});

const HEADINGS = ["NAME", "AGENT", "PROVIDER", "STATUS", "SESSIONS", "PORTS", "WORKSPACE"];

export function renderList(sandboxes: readonly Sandbox[]): string {
  const rows = sandboxes.map((sandbox) => {
    const { name, agent, provider, status, sessions, ports, workspace } = sandbox;
    const open = sessions.filter((each) => each.status !== "ended" && each.status !== "lost");
    // An older daemon knows no ports.
    const published = (ports ?? []).map(({ hostPort, port }) => `${hostPort}:${port}`).join(",");
    const count = String(open.length);
    return [name, agent, provider, status, count, published || "-", workspace?.path ?? "-"];
  });
  return renderTable(HEADINGS, rows);
}
