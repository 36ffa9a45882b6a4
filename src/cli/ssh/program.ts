import { SFTP_SERVERS } from "../../platform/sftp-server.ts";
import type { Exec, TerminalSize } from "../../protocol/process.ts";

/** What an SSH session asks to be run. */
export type Asked = { kind: "shell" } | { kind: "command"; command: string } | { kind: "sftp" };

/** What a session has said of itself before. */
export interface Surroundings {
  environment: Readonly<Record<string, string>>;
  /** Present: the program gets a terminal. */
  terminal?: TerminalSize;
}

/** Whatever is started for somebody's tool begins in the home directory, as it does with every SSH server. */
const AT_HOME = 'cd 2>/dev/null; exec "${SHELL:-/bin/sh}"';

/** SECURITY: it runs inside, so that a link or a path leads to the sandbox's own files and to no others. */
const SFTP = `cd 2>/dev/null
for server in ${SFTP_SERVERS.join(" ")}; do [ -x "$server" ] && exec "$server"; done
echo "cattlegrid: there is no sftp-server inside; install it (Debian: openssh-sftp-server), or use \\\`scp -O\\\` or rsync." >&2
exit 127`;

/** What runs inside for it; it ends with the connection. Pure. */
export function describeProgram(asked: Asked, { environment, terminal }: Surroundings): Exec {
  const surroundings = { environment, ...(terminal === undefined ? {} : { terminal }) };
  return { ...surroundings, argv: describeCommand(asked, terminal !== undefined), attended: true };
}

function describeCommand(asked: Asked, hasTerminal: boolean): string[] {
  switch (asked.kind) {
    case "sftp":
      return ["sh", "-c", SFTP];
    case "command":
      return ["sh", "-c", `${AT_HOME} -c "$1"`, "sh", asked.command];
    case "shell":
      // A person who looks at a prompt wants to be where the work is, which is where `exec` begins.
      return ["sh", "-c", hasTerminal ? 'exec "${SHELL:-/bin/sh}" -l' : `${AT_HOME} -l`];
  }
}

const VARIABLE = /^(COLORTERM|GIT_PROTOCOL|LANG|LANGUAGE|LC_[A-Z]+|NO_COLOR|TZ)$/;
const VARIABLE_CHARACTERS_MAX = 1024;

/**
 * SECURITY: a client sends what its user's configuration names for every host (`SendEnv`), keys among it perhaps; only what tells
 * a program how to talk comes in.
 */
export function isAccepted(name: string, value: string): boolean {
  return VARIABLE.test(name) && value.length <= VARIABLE_CHARACTERS_MAX && !value.includes("\0");
}

const CELLS_MAX = 10_000;
const DEFAULT_SIZE: TerminalSize = { columns: 80, rows: 24 };

/** A client without a window says that it has no columns. */
export function readSize({ cols, rows }: { cols: number; rows: number }): TerminalSize {
  const fit = (count: number, otherwise: number): number =>
    count > 0 ? Math.min(count, CELLS_MAX) : otherwise;
  return { columns: fit(cols, DEFAULT_SIZE.columns), rows: fit(rows, DEFAULT_SIZE.rows) };
}

/** SECURITY: any other destination would go around the egress policy; the sandbox's own loopback has none. */
export function isLoopback(host: string): boolean {
  return ["localhost", "127.0.0.1", "::1", "ip6-localhost"].includes(host.toLowerCase());
}
