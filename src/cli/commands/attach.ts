import { CattlegridError } from "../../errors/error.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import type { Session } from "../../protocol/session.ts";
import { parseOffset } from "../creation/amount.ts";
import { type Api, sandboxPath } from "../api.ts";
import { tell, wantsTerminal } from "../caller.ts";
import { DETACH_KEYS_FLAG, RECORD_FLAG } from "../creation/creation-flags.ts";
import { readDetachKeys } from "../terminal/detach.ts";
import { recordInto, wantsEngineRecording } from "../terminal/recording.ts";
import { SessionView } from "../chat/session-view.ts";
import { readSettings } from "../settings.ts";
import { defineVerb } from "../verb.ts";

export const ATTACH = defineVerb({
  verb: "attach",
  usage: "[FLAGS] NAME",
  description:
    "Joins a sandbox's open session from this terminal. It begins with the screen as it is.\n" +
    "Several terminals may be joined to one session; its size is that of the one where somebody typed last.",
  example: "cattlegrid attach my-sandbox",
  operands: { min: 1, max: 1, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: {
    ...DETACH_KEYS_FLAG,
    session: { kind: "text", value: "ID", help: "which session; default: the newest that is open" },
    offset: {
      kind: "text",
      value: "BYTES",
      help: "begin at this byte of the terminal's output, exactly; default: the screen as it is",
    },
    ...RECORD_FLAG,
    "read-only": { kind: "switch", help: "look only; nothing you type is sent" },
  },
  async run({ flags, operands: [name = ""] }, context) {
    const { api, caller } = context;
    const settings = await readSettings(caller);
    const detachKeys = readDetachKeys(flags["detach-keys"] ?? settings.flags["detach-keys"]);
    const session = await findSession(api, name, flags.session);
    const hasTerminal = wantsTerminal(caller, undefined);
    const { terminalId } = session;
    const from = {
      ...(terminalId === undefined ? {} : { firstTerminalId: terminalId }),
      ...(flags["read-only"] === true ? { isReadOnly: true } : {}),
      ...(flags.offset === undefined ? {} : { offset: parseOffset(flags.offset, "--offset") }),
    };
    if (wantsEngineRecording(flags.record) && terminalId !== undefined) {
      await api.post(`/v1/terminals/${terminalId}/recording`);
    }
    const recording = { flag: flags.record, caller, title: name, hasTerminal };
    const outcome = await recordInto(recording, (seen) => {
      const seeing = { ...context, caller: seen, session, hasTerminal, detachKeys, ...from };
      return new SessionView(seeing).follow();
    });
    if (outcome.kind === "ended") return outcome.exitCode;
    if (outcome.kind === "detached") {
      tell(caller, `\ncattlegrid: left ${name} at byte ${outcome.offset} of its output.`);
    }
    return 0;
  },
});

async function findSession(api: Api, name: string, id: string | undefined): Promise<Session> {
  if (id !== undefined) return api.get<Session>(`/v1/sessions/${encodeURIComponent(id)}`);
  const sandbox = await api.get<Sandbox>(sandboxPath(name));
  const { sessions } = await api.get<{ sessions: readonly Session[] }>(
    sandboxPath(sandbox.id, "/sessions"),
  );
  const open = sessions.findLast(
    ({ kind, status }) => kind === "interactive" && status !== "ended" && status !== "lost",
  );
  if (open !== undefined) return open;
  throw new CattlegridError("SESSION_NOT_FOUND", `${sandbox.name} has no open session to join.`, {
    hint: `Start one with \`cattlegrid run --name ${sandbox.name}\`.`,
  });
}
