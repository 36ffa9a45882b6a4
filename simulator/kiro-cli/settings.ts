import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandFailure } from "./failure.ts";
import type { Places } from "./places.ts";

type Values = Record<string, unknown>;

const KNOWN = new Set([
  "chat.defaultAgent",
  "chat.defaultModel",
  "chat.agentEngine",
  "chat.ui",
  "chat.greeting.enabled",
  "chat.disableMarkdownRendering",
  "chat.disableTrustAllConfirmation",
  "chat.disableAutoCompaction",
  "chat.enableAutoAgentUpgrade",
  "chat.enableWorkflows",
  "telemetry.enabled",
  "app.disableAutoupdates",
  "api.timeout",
  "mcp.initTimeout",
  "mcp.noInteractiveTimeout",
  "cleanup.periodDays",
]);

/** `~/.kiro/settings/cli.json`. */
export class Settings {
  readonly #path: string;

  constructor(places: Places) {
    this.#path = join(places.kiro, "settings", "cli.json");
  }

  get(key: string): unknown {
    return this.all()[key];
  }

  all(): Values {
    try {
      return JSON.parse(readFileSync(this.#path, "utf8")) as Values;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
      throw error;
    }
  }

  set(key: string, text: string): void {
    if (!KNOWN.has(key) && !key.startsWith("toolSearch.")) {
      throw new CommandFailure(`${key} is not a valid setting`);
    }
    this.#write({ ...this.all(), [key]: parseValue(text) });
  }

  delete(key: string): void {
    const { [key]: removed, ...rest } = this.all();
    if (removed === undefined) throw new CommandFailure(`No settings found matching ${key}`);
    this.#write(rest);
  }

  #write(values: Values): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const draft = `${this.#path}.${String(process.pid)}.new`;
    writeFileSync(draft, `${JSON.stringify(values, null, 2)}\n`);
    renameSync(draft, this.#path);
  }
}

/** A value is JSON when it reads as JSON, else the text itself. */
function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
