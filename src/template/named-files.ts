import { isAbsolute, join } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { readPlainFile } from "../platform/plain-file.ts";
import type { YamlFile, YamlPath } from "../platform/yaml-file.ts";
import type { TemplateFile } from "../protocol/template-file.ts";
import { digestBytes } from "./digest.ts";
import type { TemplatePlace } from "./places.ts";
import type { ReferenceSite } from "./references.ts";
import { isBelow } from "./template-file.ts";

export const FILE_BYTES_MAX = 256 * 1024;
/** Of an input, of which the digest alone is kept. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;

/** What is wrong with a chain of templates, as it is found. */
export type Problems = CattlegridError[];

export interface NamedText {
  /** Where it is named. */
  at: YamlPath;
  from: string | undefined;
  isProgram?: boolean;
  /** No parameter is looked for in it. */
  isConstant?: boolean;
}

/**
 * The files beside one template that it names. One that cannot be had is a problem, and left out until all problems are told. SECURITY: none leads out of the template's directory.
 */
export class NamedFiles {
  readonly sites: ReferenceSite[] = [];
  readonly #place: TemplatePlace;
  readonly #file: YamlFile<TemplateFile>;
  readonly #problems: Problems;

  constructor(place: TemplatePlace, file: YamlFile<TemplateFile>, problems: Problems) {
    this.#place = place;
    this.#file = file;
    this.#problems = problems;
  }

  attempt(read: () => unknown): void {
    try {
      read();
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      this.#problems.push(error);
    }
  }

  locate(name: string): string {
    return join(this.#place.directory, name);
  }

  /** Undefined for one that cannot be had. */
  async readText(named: NamedText): Promise<string | undefined> {
    const { at, from, isProgram = false, isConstant } = named;
    if (from === undefined) return undefined;
    const text = (await this.#read(at, from, FILE_BYTES_MAX))?.toString("utf8");
    if (text === undefined) return undefined;
    // A reference in the file is told of where the template names it, as one in its own text.
    const path = [...at.slice(0, -1), "content"];
    if (isConstant !== true) this.sites.push({ path, text, isProgram });
    return text;
  }

  async digestInputs(at: YamlPath, names: readonly string[]): Promise<Record<string, string>> {
    const digests: Record<string, string> = {};
    for (const [index, name] of names.entries()) {
      const bytes = await this.#read([...at, index], name, INPUT_BYTES_MAX);
      if (bytes !== undefined) digests[name] = digestBytes(bytes);
    }
    return digests;
  }

  /** Paths become absolute. SECURITY: a project may not lay what it likes of this machine under a sandbox. */
  locateBase(base: NonNullable<TemplateFile["base"]>): NonNullable<TemplateFile["base"]> {
    if (base === "host") return base;
    const [kind = "image"] = ["directory", "tar"].filter((each) => each in base);
    const said = String(Object.entries(base).find(([name]) => name === kind)?.[1]);
    if (kind === "image" && !/^\.{0,2}\//.test(said)) return base;
    if (
      this.#place.origin === "project" &&
      (isAbsolute(said) || !isBelow(said.replace(/^\.\//, "")))
    ) {
      const problem = `base.${kind}: ${said} lies outside of the project's template`;
      const fix = "Put it into .cattlegrid, or ask an administrator for a template with this base.";
      this.#problems.push(this.#file.failAt(["base", kind], { problem, fix }));
    }
    const path = isAbsolute(said) ? said : this.locate(said);
    return { ...base, [kind]: path } as NonNullable<TemplateFile["base"]>;
  }

  async #read(at: YamlPath, name: string, bytesMax: number): Promise<Buffer | undefined> {
    const fix = "Name a file in the template's directory, or below.";
    const refuse = (why: string): undefined => {
      const problem = `${at.join(".")}: ${why}`;
      this.#problems.push(this.#file.failAt(at, { problem, fix }));
    };
    if (!isBelow(name)) return refuse(`${name} leads out of it`);
    const within = this.#place.directory;
    let bytes;
    try {
      bytes = await readPlainFile(this.locate(name), {
        bytesMax,
        within,
        code: "TEMPLATE_INVALID",
      });
    } catch (error) {
      if (!CattlegridError.is(error, "TEMPLATE_INVALID")) throw error;
      return refuse(error.message);
    }
    return bytes ?? refuse(`there is no file ${name}`);
  }
}
