import { isAbsolute, join } from "node:path";
import { readPolicyFile } from "../egress/policy/policy-file.ts";
import { CattlegridError } from "../errors/error.ts";
import { findNearest } from "../platform/nearest-name.ts";
import { openPlainFile, readPlainFile } from "../platform/plain-file.ts";
import type { YamlFile, YamlPath } from "../platform/yaml-file.ts";
import type { TemplateFile } from "../protocol/template-file.ts";
import type { LoadedTemplate, TemplateContent } from "./content.ts";
import { digestBytes, digestData } from "./digest.ts";
import { mergeContents } from "./merge.ts";
import {
  findPlace,
  listPlaces,
  TEMPLATE_FILE,
  type TemplateDirectories,
  type TemplatePlace,
} from "./places.ts";
import { checkReferences, isExecutable, type ReferenceSite } from "./references.ts";
import { isBelow, readTemplateFile } from "./template-file.ts";

const FILE_BYTES_MAX = 256 * 1024;
/** Of an input, of which the digest alone is kept. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;
/** A template is kept with every sandbox that is made from it. */
const CONTENT_CHARACTERS_MAX = 1024 * 1024;
const GENERATIONS_MAX = 8;

/** One file of a chain, with what it names. */
interface Generation {
  place: TemplatePlace;
  path: string;
  text: string;
  file: YamlFile<TemplateFile>;
  content: TemplateContent;
  /** References in the texts of files that it names. */
  named: readonly ReferenceSite[];
}

/** Reads a template and its parents whole, or throws TEMPLATE_INVALID with file, line, column and the fix. */
export async function loadTemplate(
  directories: TemplateDirectories,
  place: TemplatePlace,
): Promise<LoadedTemplate> {
  const chain = await readChain(directories, place);
  const content = chain
    .map((generation) => generation.content)
    .reduceRight((parent, child) => mergeContents(parent, child));
  for (const { file, named } of chain) checkReferences(file, content.parameters ?? {}, named);
  if (JSON.stringify(content).length > CONTENT_CHARACTERS_MAX) {
    const message = `The template ${place.name} is larger than 1 MiB with all its files.`;
    throw new CattlegridError("TEMPLATE_INVALID", message, {
      hint: "Fetch what is large in a setup step, or from a repository.",
    });
  }
  const { name, origin } = place;
  return {
    name,
    origin,
    paths: chain.map(({ path }) => path),
    digest: digestData(content),
    content,
    texts: chain.map(({ path, text }) => ({ path, text })),
  };
}

/** The template itself first, then its parent, and so on. */
async function readChain(
  directories: TemplateDirectories,
  place: TemplatePlace,
): Promise<readonly Generation[]> {
  const chain = [await readGeneration(place)];
  for (let child = chain[0]; child?.file.value.extends !== undefined; child = chain.at(-1)) {
    const { extends: parentName } = child.file.value;
    const parent = await findPlace(directories, parentName);
    if (parent === undefined) throw await unknownParent(directories, child, parentName);
    const isCycle = chain.some(({ place: { directory } }) => directory === parent.directory);
    if (isCycle || chain.length >= GENERATIONS_MAX) {
      const names = [...chain.map((each) => each.place.name), parentName].join(" → ");
      const problem = isCycle
        ? `extends: ${names} is a circle`
        : `extends: ${names} are more than ${GENERATIONS_MAX} templates`;
      throw child.file.failAt(["extends"], {
        problem,
        fix: "Begin with another template, or with none.",
      });
    }
    chain.push(await readGeneration(parent));
  }
  return chain;
}

async function unknownParent(
  directories: TemplateDirectories,
  { file }: Generation,
  name: string,
): Promise<CattlegridError> {
  const names = (await listPlaces(directories)).map((place) => place.name);
  const nearest = findNearest(name, names);
  const guess = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return file.failAt(["extends"], {
    problem: `extends: there is no template ${name}${guess}`,
    fix: "`cattlegrid template ls` lists the templates.",
  });
}

async function readGeneration(place: TemplatePlace): Promise<Generation> {
  const path = join(place.directory, place.file ?? TEMPLATE_FILE);
  const limits = {
    bytesMax: FILE_BYTES_MAX,
    within: place.directory,
    code: "TEMPLATE_INVALID",
  } as const;
  const text = await openPlainFile(path, limits);
  if (text === undefined) {
    throw new CattlegridError("TEMPLATE_UNKNOWN", `The template ${path} has gone.`);
  }
  const file = readTemplateFile({ path, text });
  const reader = new NamedFiles(place, file);
  const content = await readContent(reader, file.value);
  return { place, path, text, file, content, named: reader.sites };
}

async function readContent(
  reader: NamedFiles,
  { version: _version, extends: _extends, ...said }: TemplateFile,
): Promise<TemplateContent> {
  const { files, steering, setup, policy, base, ...rest } = said;
  const content: TemplateContent = { ...rest };
  if (base !== undefined) content.base = reader.locateBase(base);
  if (files !== undefined) {
    content.files = await inOrder(files, async ({ from, content: text, ...entry }, index) => {
      const isProgram = entry.mode !== undefined && isExecutable(entry.mode);
      const read = { at: ["files", index, "from"], from, isProgram };
      return { ...entry, content: text ?? (await reader.readText(read)) };
    });
  }
  if (steering !== undefined) {
    content.steering = await inOrder(steering, async ({ from, content: text, ...entry }, index) => {
      const read = { at: ["steering", index, "from"], from, isProgram: false };
      return { ...entry, content: text ?? (await reader.readText(read)) };
    });
  }
  if (setup !== undefined) {
    content.setup = await inOrder(setup, async ({ inputs, ...step }, index) => {
      if (inputs === undefined) return step;
      return { ...step, inputs: await reader.digestInputs(["setup", index, "inputs"], inputs) };
    });
  }
  if (policy !== undefined) content.policy = await readPolicy(reader, policy);
  return content;
}

async function readPolicy(
  reader: NamedFiles,
  { ceiling, ...policy }: NonNullable<TemplateFile["policy"]>,
): Promise<NonNullable<TemplateContent["policy"]>> {
  if (ceiling === undefined) return policy;
  const at = ["policy", "ceiling"];
  const text = await reader.readText({ at, from: ceiling, isConstant: true });
  const file = { path: reader.locate(ceiling), text };
  // Nothing would leave a sandbox under one that cannot be read.
  readPolicyFile(file, "template");
  return { ...policy, ceilings: [file] };
}

async function inOrder<T, U>(
  list: readonly T[],
  read: (each: T, index: number) => Promise<U>,
): Promise<U[]> {
  const results: U[] = [];
  for (const [index, each] of list.entries()) results.push(await read(each, index));
  return results;
}

interface NamedText {
  /** Where it is named. */
  at: YamlPath;
  from: string | undefined;
  isProgram?: boolean;
  /** No parameter is looked for in it. */
  isConstant?: boolean;
}

/** The files beside one template that it names. SECURITY: none leads out of the template's directory. */
class NamedFiles {
  readonly sites: ReferenceSite[] = [];
  readonly #place: TemplatePlace;
  readonly #file: YamlFile<TemplateFile>;

  constructor(place: TemplatePlace, file: YamlFile<TemplateFile>) {
    this.#place = place;
    this.#file = file;
  }

  locate(name: string): string {
    return join(this.#place.directory, name);
  }

  async readText({ at, from = "", isProgram = false, isConstant }: NamedText): Promise<string> {
    const text = (await this.#read(at, from, FILE_BYTES_MAX)).toString("utf8");
    // A reference in the file is told of where the template names it, as one in its own text.
    const path = [...at.slice(0, -1), "content"];
    if (isConstant !== true) this.sites.push({ path, text, isProgram });
    return text;
  }

  async digestInputs(at: YamlPath, names: readonly string[]): Promise<Record<string, string>> {
    const digests: Record<string, string> = {};
    for (const [index, name] of names.entries()) {
      digests[name] = digestBytes(await this.#read([...at, index], name, INPUT_BYTES_MAX));
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
      throw this.#file.failAt(["base", kind], {
        problem: `base.${kind}: ${said} lies outside of the project's template`,
        fix: "Put it into .cattlegrid, or ask an administrator for a template with this base.",
      });
    }
    const path = isAbsolute(said) ? said : this.locate(said);
    return { ...base, [kind]: path } as NonNullable<TemplateFile["base"]>;
  }

  async #read(at: YamlPath, name: string, bytesMax: number): Promise<Buffer> {
    const fix = "Name a file in the template's directory, or below.";
    if (!isBelow(name)) {
      throw this.#file.failAt(at, { problem: `${at.join(".")}: ${name} leads out of it`, fix });
    }
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
      throw this.#file.failAt(at, { problem: `${at.join(".")}: ${error.message}`, fix });
    }
    if (bytes !== undefined) return bytes;
    throw this.#file.failAt(at, { problem: `${at.join(".")}: there is no file ${name}`, fix });
  }
}
