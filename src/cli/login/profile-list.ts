import type { LoginProfile } from "../../protocol/login.ts";
import { tell } from "../caller.ts";
import { renderTable } from "../output/table.ts";
import type { VerbContext } from "../verb.ts";

const HEADINGS = ["AGENT", "PROFILE", "STATUS", "ACCOUNT", "SAVED", "SANDBOXES"];

/** Shows the profiles, of one agent or of all. */
export async function showProfiles(
  { api, caller }: VerbContext,
  { agent, asJson }: { agent: string | undefined; asJson: boolean },
): Promise<void> {
  const { profiles: all } = await api.get<{ profiles: readonly LoginProfile[] }>("/v1/logins");
  const profiles = all.filter((each) => agent === undefined || each.agent === agent);
  if (asJson) {
    caller.output.write(`${JSON.stringify({ profiles }, undefined, 2)}\n`);
    return;
  }
  if (profiles.length === 0) {
    tell(caller, "Nobody is signed in; `cattlegrid login AGENT` signs in for every sandbox.");
    return;
  }
  const rows = profiles.map(({ agent: of, profile, status, account, savedAt, sandboxes }) => [
    of,
    profile,
    status,
    account ?? "-",
    savedAt ?? "-",
    sandboxes.join(",") || "-",
  ]);
  caller.output.write(renderTable(HEADINGS, rows));
  for (const { agent: of, profile, problem } of profiles) {
    if (problem !== undefined) tell(caller, `cattlegrid: ${of} ${profile}: ${problem}`);
  }
}

/** A profile's path in the API. */
export function profilePath(agent: string, profile: string, rest = ""): string {
  return `/v1/logins/${encodeURIComponent(agent)}/${encodeURIComponent(profile)}${rest}`;
}
