import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { LineCounter, Node, Pair, ParsedNode, Scalar, YAMLMap } from "yaml";
import { CattlegridError } from "../errors/error.ts";
import type { Caller } from "./caller.ts";

/** What `config.yaml` in the state directory says in place of flags that are not given. */
export interface Settings {
  toolchains: readonly string[];
  allow: readonly string[];
  deny: readonly string[];
  /** Of the agent's service. */
  regions: readonly string[];
  /** Values of flags of that name, as one would write them. */
  flags: Readonly<Record<string, string>>;
  gitIdentity: boolean;
}

const NO_SETTINGS: Settings = {
  toolchains: [],
  allow: [],
  deny: [],
  regions: [],
  flags: {},
  gitIdentity: true,
};

const LISTS = ["toolchains", "allow", "deny", "regions"] as const;
const TEXTS = [
  "provider",
  "isolation",
  "mode",
  "policy",
  "idle-stop",
  "max-age",
  "cpus",
  "memory",
  "detach-keys",
  "install-timeout",
  "login-timeout",
  "turn-timeout",
  "identity-provider",
  "identity-region",
];
const SWITCHES = ["git-identity"];

/** Reads the caller's settings. Throws CONFIG_INVALID with file, line and column. */
export async function readSettings(caller: Caller): Promise<Settings> {
  const path = join(caller.paths.stateDirectory, "config.yaml");
  const text = await readIfPresent(path);
  return text === undefined ? NO_SETTINGS : parseSettings(text, path);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CattlegridError("CONFIG_INVALID", `${path} cannot be read: ${message}`, {
      cause: error,
    });
  }
}

/** `path` is where the text came from: for messages, and for relative paths in it. */
export async function parseSettings(text: string, path: string): Promise<Settings> {
  const yaml = await import("yaml");
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const [why = ""] = error.message.split("\n");
    throw wrongAt({ path, lines, offset: error.pos[0] }, why);
  }
  const { contents } = document;
  if (contents === null) return NO_SETTINGS;
  const refuse = (node: unknown, why: string): never => {
    throw wrongAt({ path, lines, offset: (node as Node | null)?.range?.[0] ?? 0 }, why);
  };
  if (!yaml.isMap(contents)) return refuse(contents, "the file must be a list of `name: value`");
  const reader = new SettingsReader(yaml, refuse, dirname(path));
  for (const pair of (contents as YAMLMap.Parsed).items) reader.read(pair);
  return reader.settings;
}

type Yaml = typeof import("yaml");

class SettingsReader {
  readonly #yaml: Yaml;
  readonly #refuse: (node: unknown, why: string) => never;
  readonly #directory: string;
  settings: Settings = NO_SETTINGS;

  constructor(yaml: Yaml, refuse: (node: unknown, why: string) => never, directory: string) {
    this.#yaml = yaml;
    this.#refuse = refuse;
    this.#directory = directory;
  }

  read({ key, value }: Pair<ParsedNode, ParsedNode | null>): void {
    const name = String((key as unknown as Scalar).value);
    const list = LISTS.find((each) => each === name);
    if (list !== undefined) this.#set({ [list]: this.#readList(name, value) });
    else if (TEXTS.includes(name)) {
      const flags = { ...this.settings.flags, [name]: this.#readText(name, value) };
      this.#set({ flags });
    } else if (SWITCHES.includes(name)) this.#set({ gitIdentity: this.#readSwitch(name, value) });
    else {
      const known = [...LISTS, ...TEXTS, ...SWITCHES].join(", ");
      this.#refuse(key, `there is no setting ${JSON.stringify(name)}; there are ${known}`);
    }
  }

  #set(change: Partial<Settings>): void {
    this.settings = { ...this.settings, ...change };
  }

  #readList(name: string, node: ParsedNode | null): string[] {
    if (!this.#yaml.isSeq(node)) return this.#refuse(node, `\`${name}\` must be a list`);
    const texts = node.items.map((item) =>
      this.#readText(`an entry of ${name}`, item as ParsedNode),
    );
    return name === "toolchains" ? texts.map((text) => this.#resolve(text)) : texts;
  }

  #readText(name: string, node: ParsedNode | null): string {
    const value = this.#yaml.isScalar(node) ? node.value : undefined;
    if (typeof value === "string" && value !== "") {
      return name === "policy" && value.includes("/") ? this.#resolve(value) : value;
    }
    if (typeof value === "number") return String(value);
    return this.#refuse(node, `\`${name}\` must be a text or a number`);
  }

  #readSwitch(name: string, node: ParsedNode | null): boolean {
    const value = this.#yaml.isScalar(node) ? node.value : undefined;
    if (typeof value === "boolean") return value;
    return this.#refuse(node, `\`${name}\` must be true or false`);
  }

  #resolve(path: string): string {
    return path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(this.#directory, path);
  }
}

interface Place {
  path: string;
  lines: LineCounter;
  offset: number;
}

function wrongAt({ path, lines, offset }: Place, why: string): CattlegridError {
  const { line, col } = lines.linePos(offset);
  return new CattlegridError("CONFIG_INVALID", `${path}:${line}:${col}: ${why}.`, {
    details: { path, line, column: col },
  });
}
